// The cases of kubelet.test.ts, through the API proxy of a run.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { admin, kubectl } from '../cluster/admin.ts'
import { startKubelet, type Kubelet, type RunningPod } from '../cluster/kubelet.ts'
import type { Child } from '../hosts/child.ts'
import { podEndCases, StreamingClient, streamingCases } from '../hosts/streaming-cases.ts'
import { Terminal } from '../hosts/terminal.ts'
import type { Evidence } from '../../src/state/evidence.ts'
import { clusters } from './scenario.ts'

const info = clusters.quick
let kubelet: Kubelet
let pod: RunningPod
let scan: ProxiedScan

/** A run of kubepass that lasts until its end() is called. */
interface ProxiedScan {
  kubeconfig: string
  run: Child
  end(): Promise<Evidence>
}

async function startScan(terminal: Terminal): Promise<ProxiedScan> {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
  const issuer = '/api/v1/namespaces/kubepass-issuer/serviceaccounts/issuer/token'
  const { body } = await admin(info).create<{ status: { token: string } }>(issuer, request)
  terminal.secrets.push(body.status.token)
  const file = (name: string): string => join(terminal.work, name)
  const access = ['--server', info.server, '--certificate-authority', info.ca, '--service-account', 'kubepass/scanner']
  const identity = ['--identity', 'token', '--token-file', '-', '--evidence', file('evidence.json')]
  const command = `printf %s "$KUBECONFIG" > '${file('path')}'; echo started; until [ -e '${file('done')}' ]; do sleep 0.05; done`
  const run = terminal.start(['run', ...access, ...identity, '--', 'sh', '-c', command], { stdin: body.status.token })
  await run.seen('started')
  return {
    kubeconfig: readFileSync(file('path'), 'utf8'),
    run,
    async end() {
      writeFileSync(file('done'), '')
      expect((await run.ended).code).toBe(0)
      return JSON.parse(readFileSync(file('evidence.json'), 'utf8')) as Evidence
    },
  }
}

async function grantStreams(namespace: string): Promise<void> {
  const resources = '--resource=pods,pods/exec,pods/attach,pods/portforward,pods/log'
  await kubectl(info, 'create', 'role', 'streams', '-n', namespace, '--verb=get,create', resources)
  await kubectl(info, 'create', 'rolebinding', 'streams', '-n', namespace, '--role=streams', '--serviceaccount=kubepass:scanner')
}

const terminal = new Terminal(info)

beforeAll(async () => {
  kubelet = await startKubelet(info)
  await grantStreams(kubelet.namespace)
  pod = await kubelet.startPod()
  scan = await startScan(terminal)
}, 300_000)

afterAll(async () => {
  await scan.end()
  await kubelet.stop()
  await terminal[Symbol.asyncDispose]()
})

test.each(streamingCases)('$name', ({ run }) => run({ info, kubeconfig: scan.kubeconfig, pod }))

test.each(podEndCases)('$name', async ({ run }) => run({ info, kubeconfig: scan.kubeconfig, pod: await kubelet.startPod() }))

test.each(['WebSocket', 'SPDY'] as const)('the end of the run cuts an exec and a log that follows, over %s', async (protocol) => {
  await using other = new Terminal(info)
  const ending = await startScan(other)
  await using client = new StreamingClient({ info, kubeconfig: ending.kubeconfig, pod }, protocol)
  const exec = client.start(['exec', pod.name, '--', 'sh', '-c', 'echo running; sleep 600'])
  const logs = client.start(['logs', '--follow', pod.name])
  await Promise.all([exec.seen('running'), logs.seen('line 0')])
  const { api_access, revoked } = await ending.end()
  await Promise.all([exec.ended, logs.ended])
  expect(api_access?.streams_cut).toBe(2)
  expect(Date.parse(api_access?.ended_at ?? '')).toBeLessThanOrEqual(Date.parse(revoked?.at ?? ''))
  const streams = api_access?.uses.filter(({ subresource }) => subresource === 'exec') ?? []
  expect(streams).toMatchObject([{ verb: protocol === 'SPDY' ? 'create' : 'get', name: pod.name, refused_by: null, statuses: { 101: 1 } }])
})
