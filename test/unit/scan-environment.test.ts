import { expect, test } from '@jest/globals'
import { scanEnvironment, withheldFromClients, withoutProxyForLoopback } from '../../src/scan/environment.ts'

/** The variables that outrank KUBECONFIG, by tool. */
const outranking: Record<string, string[]> = {
  kubectl: ['KUBERC'],
  helm: [
    'HELM_KUBECONTEXT',
    'HELM_KUBETOKEN',
    'HELM_KUBEAPISERVER',
    'HELM_KUBEASUSER',
    'HELM_KUBEASGROUPS',
    'HELM_KUBECAFILE',
    'HELM_KUBEINSECURE_SKIP_TLS_VERIFY',
    'HELM_KUBETLS_SERVER_NAME',
  ],
  terraform: [
    'KUBE_HOST',
    'KUBE_TOKEN',
    'KUBE_USER',
    'KUBE_PASSWORD',
    'KUBE_INSECURE',
    'KUBE_CLIENT_CERT_DATA',
    'KUBE_CLIENT_KEY_DATA',
    'KUBE_CLUSTER_CA_CERT_DATA',
    'KUBE_CONFIG',
    'KUBE_CONFIG_PATHS',
    'KUBE_CTX',
    'KUBE_CTX_AUTH_INFO',
    'KUBE_CTX_CLUSTER',
    'KUBE_PROXY_URL',
    'KUBE_TLS_SERVER_NAME',
    'KUBE_LOAD_CONFIG_FILE',
    'KUBE_IN_CLUSTER_CONFIG',
  ],
  ansible: [
    'K8S_AUTH_HOST',
    'K8S_AUTH_API_KEY',
    'K8S_AUTH_KUBECONFIG',
    'K8S_AUTH_CONTEXT',
    'K8S_AUTH_IMPERSONATE_USER',
    'K8S_AUTH_VERIFY_SSL',
  ],
  fabric8: [
    'KUBERNETES_MASTER',
    'KUBERNETES_AUTH_TOKEN',
    'KUBERNETES_AUTH_TRYKUBECONFIG',
    'KUBERNETES_CERTS_CA_FILE',
    'KUBERNETES_TRUST_CERTIFICATES',
    'KUBERNETES_KEYSTORE_FILE',
    'KUBERNETES_IMPERSONATE_USERNAME',
  ],
  quarkus: ['QUARKUS_KUBERNETES_CLIENT_API_SERVER_URL', 'QUARKUS_KUBERNETES_CLIENT_TOKEN'],
  werf: ['WERF_KUBE_CONFIG', 'WERF_KUBECONFIG_BASE64', 'WERF_KUBE_TOKEN', 'KUBECONFIG_BASE64', 'KUBE_CONFIG_BASE64', 'NELM_KUBE_TOKEN'],
  others: [
    'KAPP_KUBECONFIG_YAML',
    'KCTRL_KUBECONFIG',
    'SKAFFOLD_KUBECONFIG',
    'SKAFFOLD_KUBE_CONTEXT',
    'TRIVY_KUBECONFIG',
    'KUBE_SERVER',
    'KUBECONTEXT',
    'KUBE_CONTEXT',
  ],
}
/** Variables with similar names that choose no cluster, user or certificate. */
const harmless = [
  'HELM_NAMESPACE',
  'HELM_CACHE_HOME',
  'KUBE_EDITOR',
  'KUBE_NAMESPACE',
  'KUBERNETES_CA',
  'KUBERNETES_VERSION',
  'K8S_VERSION',
  'WERF_ENV',
  'TRIVY_SEVERITY',
  'KUBECTL_EXTERNAL_DIFF',
  'TF_VAR_kube_host',
]

const envOf = (names: string[]): NodeJS.ProcessEnv => Object.fromEntries(names.map((name) => [name, 'x']))
const names = Object.values(outranking).flat()
const inherit = { env: 'inherit', passEnv: [] as string[] } as const
const nothing = (): boolean => false

test.each(Object.entries(outranking))(
  'the scan does not get variables that outrank KUBECONFIG, and their names are reported: %s',
  (_tool, given) => {
    const env = envOf([...given, ...harmless])
    const scanEnv = scanEnvironment(env, inherit, nothing)
    expect(Object.keys(scanEnv)).toEqual(harmless)
    expect(withheldFromClients(env, scanEnv)).toEqual(given.toSorted())
  },
)

test('pass_env passes on variables that outrank KUBECONFIG', () => {
  const scanEnv = scanEnvironment(envOf(names), { env: 'inherit', passEnv: ['KUBE_HOST', 'KUBERC'] }, nothing)
  expect(Object.keys(scanEnv).toSorted()).toEqual(['KUBERC', 'KUBE_HOST'])
  expect(withheldFromClients(envOf(names), scanEnv)).not.toContain('KUBE_HOST')
})

test('a clean environment has no variable that outranks KUBECONFIG', () => {
  expect(scanEnvironment({ ...envOf(names), PATH: '/bin' }, { env: 'clean', passEnv: [] }, nothing)).toEqual({ PATH: '/bin' })
})

test.each([
  [{}, '127.0.0.1,localhost', '127.0.0.1,localhost'],
  [{ NO_PROXY: 'a' }, 'a,127.0.0.1,localhost', 'a,127.0.0.1,localhost'],
  [{ NO_PROXY: 'a', no_proxy: 'b' }, 'a,127.0.0.1,localhost', 'b,127.0.0.1,localhost'],
  [{ NO_PROXY: '' }, '127.0.0.1,localhost', '127.0.0.1,localhost'],
  // Clients know the asterisk only as the whole value.
  [{ no_proxy: '*' }, '*', '*'],
])('with %j the scan uses no HTTP proxy for the API proxy', (env, upper, lower) => {
  expect(withoutProxyForLoopback(env)).toEqual({ NO_PROXY: upper, no_proxy: lower })
})
