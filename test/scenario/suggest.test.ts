import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments, stringify } from 'yaml'
import type { RoleRule } from '../../src/rbac/role-from-use.ts'
import type { ApiAccess } from '../../src/rbac/used-access.ts'
import type { Evidence } from '../../src/state/evidence.ts'
import { admin, kubectl } from '../cluster/admin.ts'
import { clusters } from './scenario.ts'

const info = clusters.quick
const run = promisify(execFile)
const CLI = new URL('../../dist/cli/index.js', import.meta.url).pathname
const NAMESPACE = 'suggest'
const OTHER = 'suggest-other'
const folder = mkdtempSync(join(tmpdir(), 'kubepass-suggest-'))

/** Reads by name, of collections, of subresources and of the whole cluster, a watch, and writes. */
const SCAN = `
set -euo pipefail
kubectl get configmaps -n ${NAMESPACE} -o name
kubectl get configmap settings -n ${NAMESPACE} -o name
kubectl get secret used -n ${NAMESPACE} -o name
kubectl get deployments.apps,statefulsets.apps -n ${NAMESPACE} -o name
kubectl get deployments.apps -n ${OTHER} -o name
kubectl get namespace ${NAMESPACE} -o name
kubectl get clusterroles.rbac.authorization.k8s.io view edit -o name
kubectl get services -A -o name
kubectl get services -n ${OTHER} -o name
kubectl get --raw /metrics > /dev/null
kubectl get --raw /apis/apps/v1/namespaces/${NAMESPACE}/deployments/web/scale > /dev/null
test "$(kubectl get configmap settings -n ${OTHER} --watch --request-timeout=1s -o name || true)" = configmap/settings
kubectl create configmap made -n ${NAMESPACE}
kubectl annotate configmap made -n ${NAMESPACE} by=scan
kubectl apply --server-side --field-manager=scan -n ${OTHER} -f - <<< '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"}}'
kubectl delete configmap made -n ${NAMESPACE} --wait=false
kubectl delete configmap applied -n ${OTHER} --wait=false
kubectl auth whoami > /dev/null
`

const SCRIPT = `kubectl() { ${JSON.stringify(info.kubectl)} "$@"; }\n${SCAN}`

beforeAll(async () => {
  for (const namespace of [NAMESPACE, OTHER]) {
    await kubectl(info, 'create', 'namespace', namespace)
    await kubectl(info, 'create', 'configmap', 'settings', '-n', namespace)
    await kubectl(info, 'create', 'deployment', 'web', '--image=example.com/web', '-n', namespace)
  }
  await kubectl(info, 'create', 'secret', 'generic', 'used', '-n', NAMESPACE)
  for (const name of ['broad', 'narrow']) await kubectl(info, 'create', 'serviceaccount', name, '-n', NAMESPACE)
  await kubectl(info, 'create', 'clusterrolebinding', 'suggest-broad', '--clusterrole=cluster-admin', `--serviceaccount=${NAMESPACE}:broad`)
}, 120_000)

afterAll(async () => {
  for (const namespace of [NAMESPACE, OTHER]) await kubectl(info, 'delete', 'namespace', namespace, '--wait=false')
  await kubectl(info, 'delete', 'clusterrolebinding', 'suggest-broad', `kubepass:${NAMESPACE}:narrow`, '--ignore-not-found')
  await kubectl(info, 'delete', 'clusterrole', `kubepass:${NAMESPACE}:narrow`, '--ignore-not-found')
  rmSync(folder, { recursive: true })
})

interface Ended {
  code: number
  stdout: string
  stderr: string
}

async function ended(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  try {
    return { code: 0, ...(await run(program, args, { env, maxBuffer: 16 << 20 })) }
  } catch (error) {
    return error as Ended
  }
}

/** Runs the scan with a new token of this ServiceAccount, as users of kubectl run it. */
async function scanAs(serviceAccount: string): Promise<Ended> {
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${serviceAccount}/token`
  const { body } = await admin(info).create<{ status: { token: string } }>(path, { spec: {} })
  const kubeconfig = join(folder, serviceAccount)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: info.server, 'certificate-authority': info.ca } }],
    users: [{ name: 'u', user: { token: body.status.token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  }
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 })
  return ended('bash', ['-c', SCRIPT], { PATH: '/usr/bin:/bin', HOME: folder, KUBECONFIG: kubeconfig })
}

/** Runs the scan through the API proxy of kubepass, with the ServiceAccount `broad`. Returns the record of its requests. */
async function recordedScan(): Promise<ApiAccess | null> {
  const evidence = join(folder, 'run.json')
  const flags = ['--kubeconfig', info.adminKubeconfig, '--service-account', `${NAMESPACE}/broad`, '--prove', 'off', '--evidence', evidence]
  const env = { PATH: `/usr/bin:/bin`, HOME: folder, TMPDIR: folder }
  const scan = await ended(process.execPath, [CLI, 'run', ...flags, '--', 'bash', '-c', SCRIPT], env)
  expect([scan.code, scan.stderr]).toEqual([0, expect.any(String)])
  return (JSON.parse(readFileSync(evidence, 'utf8')) as Evidence).api_access
}

interface Manifest {
  kind: string
  metadata: { name: string; namespace?: string }
  rules?: RoleRule[]
}

const suggest = (...args: string[]): Promise<Ended> =>
  ended(process.execPath, [CLI, 'suggest', ...args], { PATH: '/usr/bin:/bin', HOME: folder })

function writeEvidence(name: string, access: ApiAccess | null): string {
  const file = join(folder, `${name}.json`)
  writeFileSync(file, JSON.stringify({ requested: { service_account: `${NAMESPACE}/narrow` }, api_access: access }))
  return file
}

async function apply(manifests: Manifest[]): Promise<void> {
  const file = join(folder, 'manifests.json')
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }))
  await kubectl(info, 'apply', '-f', file)
}

test('the suggested Roles replace the rights of a scan, and the scan fails without any one of their rules', async () => {
  const evidence = writeEvidence('broad', await recordedScan())

  const { code, stdout, stderr } = await suggest(evidence)
  expect([code, stderr]).toEqual([0, ''])
  const manifests = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)
  expect(manifests.map(({ kind, metadata }) => [kind, metadata.namespace])).toEqual([
    ['ClusterRole', undefined],
    ['ClusterRoleBinding', undefined],
    ['Role', NAMESPACE],
    ['RoleBinding', NAMESPACE],
    ['Role', OTHER],
    ['RoleBinding', OTHER],
  ])
  expect((await scanAs('narrow')).code).not.toBe(0)
  await apply(manifests)
  const narrow = await scanAs('narrow')
  expect([narrow.code, narrow.stderr]).toEqual([0, expect.any(String)])

  const needless: RoleRule[] = []
  let tried = 0
  for (const role of manifests) {
    for (const left of role.rules ?? []) {
      tried += 1
      await apply([{ ...role, rules: role.rules?.filter((rule) => rule !== left) ?? [] }])
      if ((await scanAs('narrow')).code === 0) needless.push(left)
      await apply([role])
      await kubectl(info, 'delete', 'configmap', 'made', '-n', NAMESPACE, '--ignore-not-found')
      await kubectl(info, 'delete', 'configmap', 'applied', '-n', OTHER, '--ignore-not-found')
    }
  }
  expect(needless).toEqual([])
  expect(tried).toBeGreaterThan(8)

  const old = join(folder, 'role.yaml')
  writeFileSync(old, stdout)
  const same = await suggest('--check', old, evidence)
  expect([same.code, same.stdout]).toEqual([0, expect.stringMatching(/grants every used right\.\n# Every rule of .* was used\.\n$/)])
  writeFileSync(old, stringify({ ...manifests[2], rules: [{ apiGroups: ['', 'apps'], resources: ['*'], verbs: ['*'] }] }))
  const less = await suggest(evidence, '--check', old)
  expect([less.code, less.stderr]).toEqual([1, expect.stringMatching(/^kubepass: The runs used rights that .* does not grant/)])
  expect(less.stdout).toContain('#   list "services"\n')
  expect(less.stdout).toContain(`#   list "deployments.apps" in the namespace "${OTHER}"\n`)
}, 300_000)
