import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { admin, type KubeObject } from '../cluster/admin.ts'
import { startKubelet, type Kubelet, type RunningPod } from '../cluster/kubelet.ts'
import { request } from '../cluster/request.ts'
import { processesWith } from '../hosts/orphans.ts'
import { podEndCases, StreamingClient, streamingCases } from '../hosts/streaming-cases.ts'
import { clusters } from './scenario.ts'

const info = clusters.quick
const kubeconfig = info.adminKubeconfig
let kubelet: Kubelet
let pod: RunningPod

beforeAll(async () => {
  kubelet = await startKubelet(info)
  pod = await kubelet.startPod()
}, 300_000)

afterAll(async () => {
  await kubelet.stop()
  expect(await leftOf(kubelet)).toEqual([])
})

test.each(streamingCases)('$name', ({ run }) => run({ info, kubeconfig, pod }))

test.each(podEndCases)('$name', async ({ run }) => run({ info, kubeconfig, pod: await kubelet.startPod() }))

test.each([
  ['WebSocket', 'get'],
  ['SPDY', 'create'],
] as const)('kubectl speaks %s where the case says so', async (protocol, verb) => {
  const { namespace, name } = await kubelet.startPod()
  await using client = new StreamingClient({ info, kubeconfig, pod: { namespace, name } }, protocol)
  expect((await client.exec(['true'])).code).toBe(0)
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/exec?`
  const events = readFileSync(info.auditLog, 'utf8')
    .split('\n')
    .filter((line) => line.includes(path))
    .map((line) => JSON.parse(line) as { verb: string })
  expect([...new Set(events.map((event) => event.verb))]).toEqual([verb])
})

test('only the API server may use the kubelet', async () => {
  const { body } = await admin(info).get<{ status: { daemonEndpoints: { kubeletEndpoint: { Port: number } } } }>(
    `/api/v1/nodes/${kubelet.node}`,
  )
  const url = `https://127.0.0.1:${String(body.status.daemonEndpoints.kubeletEndpoint.Port)}/containerLogs/${pod.namespace}/${pod.name}/main`
  const [ca, cert, key] = [info.ca, info.clientCert, info.clientKey].map((path) => readFileSync(path))
  await expect(request(url, { ca })).rejects.toThrow()
  await expect(request(url, { ca, cert, key })).rejects.toThrow()
  const administrator = { cert: readFileSync(info.adminCert), key: readFileSync(info.adminKey) }
  expect((await request(url, { ca, ...administrator })).body.toString()).toMatch(/^line 0\n/)
})

test('two kubelets on one cluster do not meet', async () => {
  const [one, two] = await Promise.all([startKubelet(info), startKubelet(info)])
  try {
    const pods = await Promise.all([one.startPod('same'), two.startPod('same')])
    for (const each of pods) {
      await using client = new StreamingClient({ info, kubeconfig, pod: each })
      expect((await client.exec(['sh', '-c', 'ls; touch mine'])).stdout).toBe('')
    }
  } finally {
    await Promise.all([one.stop(), two.stop()])
  }
  expect([...(await leftOf(one)), ...(await leftOf(two))]).toEqual([])
})

test('when the process that started a kubelet is killed, its Node, its Pods and their processes end', async () => {
  const script = `
    import { startKubelet } from ${JSON.stringify(new URL('../cluster/kubelet.ts', import.meta.url).href)}
    const kubelet = await startKubelet(${JSON.stringify(info)})
    const { node, namespace } = kubelet
    console.log(JSON.stringify({ node, namespace, pod: await kubelet.startPod() }))
    setInterval(() => undefined, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const started = JSON.parse(line.toString()) as Kubelet & { pod: RunningPod }
  await using client = new StreamingClient({ info, kubeconfig, pod: started.pod })
  const exec = client.start(['exec', started.pod.name, '--', 'sh', '-c', 'echo started; sleep 1000'])
  await exec.seen('started')
  parent.kill('SIGKILL')
  await exec.ended
  for (const deadline = Date.now() + 20_000; (await leftOf(started)).length > 0 && Date.now() < deadline; await delay(50));
  expect(await leftOf(started)).toEqual([])
  expect(await processesWith(`HOSTNAME=${started.pod.name}`)).toEqual([])
  await admin(info).delete(`/api/v1/namespaces/${started.namespace}`)
})

/** The Node and the Pods that a kubelet left. */
async function leftOf({ node, namespace }: Pick<Kubelet, 'node' | 'namespace'>): Promise<string[]> {
  const { get } = admin(info)
  const nodes = (await get(`/api/v1/nodes/${node}`)).status === 404 ? [] : [`Node ${node} is left`]
  const { items = [] }: KubeObject = (await get(`/api/v1/namespaces/${namespace}/pods`)).body
  return [...nodes, ...items.map(({ metadata }) => `Pod ${metadata?.name ?? ''} is left`)]
}
