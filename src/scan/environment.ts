import type { Options } from '../config/options.ts'
import { proxyPassword } from '../net/proxy-variables.ts'

/**
 * The scan's environment: without the runner's secrets, without the variables that give access to tokens, and without those that make
 * a Kubernetes client use another cluster or user than the kubeconfig's.
 */
export function scanEnvironment(
  env: NodeJS.ProcessEnv,
  options: Pick<Options, 'env' | 'passEnv'>,
  isSecret: (value: string) => boolean,
): NodeJS.ProcessEnv {
  const runnersSecrets = ['CI_JOB_TOKEN', 'CI_REGISTRY_PASSWORD', 'CI_DEPENDENCY_PROXY_PASSWORD', 'CI_DEPLOY_PASSWORD']
    .flatMap((name) => env[name] ?? [])
    .filter((value) => value !== '')
  const carriesSecret = (value: string): boolean =>
    JWT.test(value.trim()) || isSecret(value) || runnersSecrets.some((secret) => value.includes(secret))
  const passes = (name: string, value: string): boolean => {
    if (options.passEnv.includes(name) || name === 'RUNNER_TRACKING_ID') return true
    if (options.env === 'clean') return CLEAN.test(name)
    // A secret that is a common word can occur in a path, but the scan needs these two.
    if (name === 'PATH' || name === 'HOME') return true
    if (WITHHELD.test(name) || outranksKubeconfig(name)) return false
    return !carriesSecret(value) && proxyPassword(name, value) === undefined
  }
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => value !== undefined && passes(name, value)))
}

const CLEAN = /^(PATH|HOME|LANG|LANGUAGE|LC_[A-Z]+)$/
/** With KUBERNETES_SERVICE_* some clients use the cluster of their own Pod, whatever the kubeconfig says. */
const WITHHELD =
  /^(INPUT_.*|STATE_.*|KUBEPASS_.*|KUBERNETES_SERVICE_.*|ACTIONS_ID_TOKEN_.*|ACTIONS_RUNTIME_.*|GITHUB_(ENV|PATH|OUTPUT|STATE|STEP_SUMMARY)|GITLAB_ENV|NODE_OPTIONS|CI_JOB_JWT.*|CI_(JOB|REGISTRY|DEPENDENCY_PROXY|DEPLOY)_(TOKEN|PASSWORD))$/
const JWT = /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/

/** The variables that choose the cluster, the user or the certificate, and that clients read before KUBECONFIG or with it. */
const OUTRANKING = [
  // kubectl: flags by default, --server and --as among them. https://kubernetes.io/docs/reference/kubectl/kuberc/
  /^KUBERC$/,
  // Helm. https://helm.sh/docs/helm/helm/
  /^HELM_KUBE\w+$/,
  // Terraform's providers kubernetes, helm and kubectl, and its state backend.
  // https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs#argument-reference
  // https://registry.terraform.io/providers/alekc/kubectl/latest/docs#argument-reference
  // https://developer.hashicorp.com/terraform/language/backend/kubernetes
  /^KUBE_(HOST|USER|PASSWORD|TOKEN|INSECURE|TLS_SERVER_NAME|PROXY_URL|CLIENT_CERT_DATA|CLIENT_KEY_DATA|CLUSTER_CA_CERT_DATA)$/,
  /^KUBE_(CONFIG|CONFIG_PATHS|CTX|CTX_AUTH_INFO|CTX_CLUSTER|LOAD_CONFIG_FILE|IN_CLUSTER_CONFIG)$/,
  // Ansible's kubernetes.core. https://docs.ansible.com/ansible/latest/collections/kubernetes/core/k8s_module.html
  /^K8S_AUTH_\w+$/,
  // client-go, if the kubeconfig has no server; fabric8's client for Java, which reads these first.
  // https://github.com/fabric8io/kubernetes-client#configuring-the-client
  /^KUBERNETES_(MASTER|TRUST_CERTIFICATES|DISABLE_HOSTNAME_VERIFICATION|(AUTH|CERTS|TRUSTSTORE|KEYSTORE|IMPERSONATE)_\w+)$/,
  // Quarkus. https://quarkus.io/guides/kubernetes-client#configuration-reference
  /^QUARKUS_KUBERNETES_CLIENT_\w+$/,
  // werf, kubedog, nelm. https://werf.io/docs/v2/reference/cli/werf_converge.html
  /^(WERF|KUBEDOG|NELM)_KUBE_?\w+$/,
  /^KUBE_?CONFIG_BASE64$/,
  // kapp, kctrl. https://carvel.dev/kapp/docs/latest/config-reference/
  /^(KAPP|KCTRL)_KUBECONFIG\w*$/,
  // Skaffold. https://skaffold.dev/docs/references/cli/
  /^SKAFFOLD_KUBE(CONFIG|_CONTEXT)$/,
  // Trivy takes each of its flags from a variable. https://trivy.dev/latest/docs/configuration/
  /^TRIVY_KUBECONFIG$/,
  // k8s-ruby. https://github.com/k8s-ruby/k8s-ruby#configuration
  /^KUBE_(SERVER|CA)$/,
  // The context, in programs that use controller-runtime, by convention.
  /^KUBE_?CONTEXT$/,
]

function outranksKubeconfig(name: string): boolean {
  return OUTRANKING.some((pattern) => pattern.test(name))
}

/** The names of the variables of `env` that the scan does not get because they name another cluster or user. */
export function withheldFromClients(env: NodeJS.ProcessEnv, scanEnv: NodeJS.ProcessEnv): string[] {
  return Object.keys(env)
    .filter((name) => outranksKubeconfig(name) && scanEnv[name] === undefined)
    .toSorted()
}

/**
 * The variables that keep clients from using an HTTP proxy for the API proxy on loopback. Some clients read the name in lower case first.
 * @param env of the scan
 */
export function withoutProxyForLoopback(env: NodeJS.ProcessEnv): Record<'NO_PROXY' | 'no_proxy', string> {
  // Clients know the asterisk only as the whole value.
  const extended = (value = ''): string => (value.trim() === '*' ? value : `${value === '' ? '' : `${value},`}127.0.0.1,localhost`)
  const { NO_PROXY, no_proxy } = env
  return { NO_PROXY: extended(NO_PROXY ?? no_proxy), no_proxy: extended(no_proxy ?? NO_PROXY) }
}
