# Gets a token by kubectl, and the server and its CA from the administrator's kubeconfig, like many pipelines.
set -euo pipefail
token=$(kubectl create token scanner --namespace "$BENCH_NAMESPACE" --duration 15m)
server=$(kubectl config view --raw --minify --output 'jsonpath={.clusters[0].cluster.server}')
ca=$(kubectl config view --raw --minify --flatten --output 'jsonpath={.clusters[0].cluster.certificate-authority-data}')
umask 077
cat > "$RUNNER_TEMP/classic" <<EOF
apiVersion: v1
kind: Config
clusters: [{name: classic, cluster: {server: "$server", certificate-authority-data: "$ca"}}]
users: [{name: classic, user: {token: "$token"}}]
contexts: [{name: classic, context: {cluster: classic, user: classic, namespace: "$BENCH_NAMESPACE"}}]
current-context: classic
EOF
KUBECONFIG="$RUNNER_TEMP/classic" bash --noprofile --norc -eo pipefail -c "$INPUT_COMMAND"
rm "$RUNNER_TEMP/classic"
