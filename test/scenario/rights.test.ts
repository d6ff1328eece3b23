import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { admin, apply, kubectl } from '../cluster/admin.ts'
import { buildHelm } from '../runners/helm.ts'
import { clusters } from './scenario.ts'

const info = clusters.quick
const run = promisify(execFile)
const rights = new URL('../../deploy/rights/', import.meta.url).pathname
const files = readdirSync(rights).filter((name) => name !== 'kustomization.yaml')
const folder = mkdtempSync(join(tmpdir(), 'kubepass-rights-'))
const NAMESPACE = 'rights'

interface Rule {
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
  verbs: string[]
}

interface Role {
  kind: string
  metadata: { name: string }
  rules: Rule[]
}

const roles = files.flatMap((file) =>
  parseAllDocuments(readFileSync(join(rights, file), 'utf8')).map((document) => document.toJS() as Role),
)

/** Each scanner is a ServiceAccount, bound in the whole cluster, or in one namespace if its file says so. */
const inOneNamespace = ['kubepass-cinc-auditor', 'kubepass-helm', 'kubepass-helm-configmaps']

beforeAll(async () => {
  await apply(info, rights)
  await kubectl(info, 'create', 'namespace', NAMESPACE)
  for (const name of [...roles.map(({ metadata }) => metadata.name), 'view']) {
    await kubectl(info, 'create', 'serviceaccount', name, '-n', NAMESPACE)
    const binding = inOneNamespace.includes(name) ? ['rolebinding', name, '-n', NAMESPACE] : ['clusterrolebinding', `rights-${name}`]
    await kubectl(info, 'create', ...binding, `--clusterrole=${name}`, `--serviceaccount=${NAMESPACE}:${name}`)
  }
}, 120_000)

afterAll(async () => {
  await kubectl(info, 'delete', 'namespace', NAMESPACE, '--wait=false')
  for (const name of [...roles.map(({ metadata }) => metadata.name), 'view'].filter((each) => !inOneNamespace.includes(each)))
    await kubectl(info, 'delete', 'clusterrolebinding', `rights-${name}`)
  await kubectl(info, 'delete', '-k', rights)
  rmSync(folder, { recursive: true })
})

/** A kubeconfig with a token of this ServiceAccount. */
async function kubeconfigOf(serviceAccount: string): Promise<string> {
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${serviceAccount}/token`
  const { body } = await admin(info).create<{ status: { token: string } }>(path, { spec: {} })
  const file = join(folder, serviceAccount)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: info.server, 'certificate-authority': info.ca } }],
    users: [{ name: 'u', user: { token: body.status.token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: NAMESPACE } }],
    'current-context': 'c',
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return file
}

/** The output and the exit code of a program that runs as this ServiceAccount. */
async function as(serviceAccount: string, program: string, args: string[], env = {}): Promise<{ code: number; text: string }> {
  const whole = { PATH: '/usr/bin:/bin', HOME: folder, KUBECONFIG: await kubeconfigOf(serviceAccount), ...env }
  try {
    const { stdout, stderr } = await run(program, args, { env: whole })
    return { code: 0, text: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, text: stdout + stderr }
  }
}

async function may(serviceAccount: string, words: string[]): Promise<boolean> {
  const { text } = await as(serviceAccount, info.kubectl, ['auth', 'can-i', ...words])
  const [answer = ''] = text.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: '))
  expect(answer).toMatch(/^(yes|no)\b/)
  return answer.startsWith('yes')
}

test('the kustomization lists every file, and each rule has a comment with the command that needs it', () => {
  const { resources } = parseAllDocuments(readFileSync(join(rights, 'kustomization.yaml'), 'utf8'))[0]?.toJS() as { resources: string[] }
  expect(resources.toSorted()).toEqual(files.toSorted())
  for (const file of files) {
    const lines = readFileSync(join(rights, file), 'utf8').split('\n')
    for (const [index, line] of lines.entries())
      if (line.startsWith('  - apiGroups')) expect([file, lines[index - 1]]).toEqual([file, expect.stringMatching(/^ {2}# /)])
  }
})

test('no rule of the scanners allows writing, has a wildcard, or allows nodes/proxy or, except for helm, Secrets', () => {
  for (const { metadata, rules } of roles) {
    for (const { apiGroups, resources, verbs } of rules) {
      expect([...apiGroups, ...resources, ...verbs]).not.toContain('*')
      if (!resources.includes('pods/exec')) expect(verbs.filter((verb) => !['get', 'list'].includes(verb))).toEqual([])
      expect(resources).not.toContain('nodes/proxy')
      if (metadata.name !== 'kubepass-helm') expect(resources).not.toContain('secrets')
    }
  }
})

test.each(roles.map(({ metadata, rules }): [string, Rule[]] => [metadata.name, rules]))(
  'the API server knows the resources of every rule of %s',
  async (name, rules) => {
    const everywhere = inOneNamespace.includes(name) ? ['-n', NAMESPACE] : ['--all-namespaces']
    const permissions = rules.flatMap(({ apiGroups, resources, resourceNames = [''], verbs }) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          resourceNames.map((object) => {
            const [kind = '', subresource] = resource.split('/')
            const group = apiGroups[0] === '' ? kind : `${kind}.${apiGroups[0] ?? ''}`
            return [
              verb,
              object === '' ? group : `${group}/${object}`,
              ...(subresource === undefined ? [] : [`--subresource=${subresource}`]),
              ...everywhere,
            ]
          }),
        ),
      ),
    )
    const refused: string[][] = []
    for (const words of permissions) if (!(await may(name, words))) refused.push(words)
    expect(refused).toEqual([])
  },
)

test.each<[string, string[]]>([
  ['kubepass-kubectl', ['get', 'secrets', '-A']],
  ['kubepass-kubectl', ['create', 'pods', '--subresource=exec', '-n', NAMESPACE]],
  ['kubepass-trivy', ['get', 'secrets', '-A']],
  ['kubepass-trivy', ['create', 'jobs', '-A']],
  ['kubepass-prowler', ['list', 'secrets', '-A']],
  ['kubepass-cinc-auditor', ['create', 'pods', '--subresource=exec', '-n', 'kube-system']],
  ['kubepass-helm', ['list', 'secrets', '-n', 'kube-system']],
  ['kubepass-helm-configmaps', ['list', 'secrets', '-n', NAMESPACE]],
  ['kubepass-node-reads', ['get', 'nodes', '--subresource=proxy']],
  ['view', ['list', 'nodes']],
  ['view', ['list', 'clusterroles']],
  ['view', ['list', 'secrets', '-n', NAMESPACE]],
])('RBAC forbids %s to %j', async (name, words) => {
  expect(await may(name, words)).toBe(false)
})

test.each<[string, string[]]>([
  ['kubepass-kubectl', ['get', 'pods', '-A', '-o', 'json']],
  ['kubepass-kubectl', ['get', 'services,configmaps,deployments,jobs,ingresses,networkpolicies', '-A']],
  ['kubepass-trivy', ['get', 'deployments,pods,replicasets,replicationcontrollers,statefulsets,daemonsets,cronjobs,jobs', '-A']],
  ['kubepass-trivy', ['get', 'services,serviceaccounts,configmaps,roles,rolebindings,networkpolicies,ingresses', '-A']],
  ['kubepass-trivy', ['get', 'resourcequotas,limitranges,clusterroles,clusterrolebindings,nodes', '-A']],
  ['kubepass-prowler', ['get', 'namespaces,pods,configmaps,nodes,roles,rolebindings,clusterroles,clusterrolebindings', '-A']],
  ['kubepass-node-reads', ['get', 'nodes']],
  ['kubepass-node-reads', ['get', 'pods', '-n', 'kube-system']],
])('the real kubectl, as %s: %j', async (name, words) => {
  const { code, text } = await as(name, info.kubectl, words)
  expect([code, text]).toEqual([0, expect.not.stringContaining('Forbidden')])
})

test('helm list needs the right to list Secrets, or ConfigMaps with the other driver', async () => {
  const helm = await buildHelm()
  const chart = join(folder, 'chart')
  mkdirSync(join(chart, 'templates'), { recursive: true })
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: chart\nversion: 1.0.0\n')
  writeFileSync(join(chart, 'templates/empty.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}" }\n')
  const asAdmin = { PATH: '/usr/bin:/bin', HOME: folder, KUBECONFIG: info.adminKubeconfig }
  const configmap = { HELM_DRIVER: 'configmap' }
  await run(helm, ['install', 'in-secret', chart, '-n', NAMESPACE], { env: asAdmin })
  await run(helm, ['install', 'in-configmap', chart, '-n', NAMESPACE], { env: { ...asAdmin, ...configmap } })
  const list = ['list', '-n', NAMESPACE, '--short']
  expect(await as('kubepass-helm', helm, list)).toEqual({ code: 0, text: 'in-secret\n' })
  expect((await as('kubepass-helm', helm, ['status', 'in-secret', '-n', NAMESPACE])).code).toBe(0)
  expect(await as('kubepass-helm-configmaps', helm, list, configmap)).toEqual({ code: 0, text: 'in-configmap\n' })
  for (const name of ['view', 'kubepass-kubectl', 'kubepass-helm-configmaps']) {
    const { code, text } = await as(name, helm, list)
    expect([code, text]).toEqual([1, expect.stringMatching(/secrets is forbidden/)])
  }
}, 900_000)
