import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { admin, type Answer, type KubeObject } from './admin.ts'
import type { ClusterInfo } from './cluster.ts'
import { goTool } from './go-tool.ts'

/** The port of each Pod that sends back what it receives. All other ports are closed. */
export const ECHO_PORT = 7

/** A Pod that runs on a test kubelet. Its commands are processes of this machine with the variable HOSTNAME=name. */
export interface RunningPod {
  namespace: string
  name: string
}

/** A Node with a kubelet of its own, for Pods that clients exec into, attach to, forward ports of and read logs of. */
export interface Kubelet extends AsyncDisposable {
  node: string
  /** A namespace for this kubelet alone, so that tests on one cluster do not meet. */
  namespace: string
  /** Creates a Pod and waits until it is ready. */
  startPod(name?: string): Promise<RunningPod>
  /** Deletes the Pods, the Node and the namespace, and ends every process that the Pods run. */
  stop(): Promise<void>
}

const READY_MS = 30_000

export async function startKubelet(info: ClusterInfo): Promise<Kubelet> {
  const node = `kubelet-${randomBytes(4).toString('hex')}`
  const namespace = node
  const program = await goTool('kubelet')
  const { create, get, delete: remove } = admin(info)
  succeeded(await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }))
  // The API server accepts its own certificate from a kubelet, too.
  const files = ['--kubeconfig', info.adminKubeconfig, '--cert', info.serverCert, '--key', info.serverKey, '--client-ca', info.ca]
  const child = spawn(program, ['--node', node, ...files])
  const errors = text(child.stderr)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const stop = async (): Promise<void> => {
    // The end of its standard input ends the kubelet, also when this process is killed.
    child.stdin.end()
    await exited
    // The cluster's controller removes the namespace later. The kubelet has already deleted its Pods.
    await remove(`/api/v1/namespaces/${namespace}`)
    if (child.exitCode !== 0) throw new Error(`the test kubelet ended with ${String(child.signalCode ?? child.exitCode)}:\n${await errors}`)
  }
  const startPod = async (name = `pod-${randomBytes(4).toString('hex')}`): Promise<RunningPod> => {
    const pods = `/api/v1/namespaces/${namespace}/pods`
    succeeded(await create(pods, podOn(node, name)))
    for (const deadline = Date.now() + READY_MS; !isReady((await get(`${pods}/${name}`)).body); await delay(20))
      if (Date.now() > deadline) throw new Error(`the Pod ${name} was not ready after ${String(READY_MS / 1000)} s`)
    return { namespace, name }
  }
  const ready = once(child.stdout, 'data').then(() => true)
  if (await Promise.race([ready, exited.then(() => false)])) return { node, namespace, startPod, stop, [Symbol.asyncDispose]: stop }
  await stop()
  throw new Error(`the test kubelet ended before it was ready`)
}

function podOn(nodeName: string, name: string): object {
  // No scheduler runs, so the Pod names its Node.
  const main = { name: 'main', image: 'none', stdin: true, stdinOnce: true }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { nodeName, containers: [main] } }
}

function isReady({ status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; status: string }[] }
  return conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True')
}

function succeeded({ status, body }: Answer): void {
  if (status >= 300) throw new Error(`the API server answered ${String(status)}: ${body.message ?? ''}`)
}
