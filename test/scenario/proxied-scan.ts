import { readFileSync, writeFileSync } from 'node:fs'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import type { Phase, Result, Step } from '../hosts/github.ts'
import type { GithubFixture } from './scenario.ts'

/** The access of a scan, as its kubeconfig has it. */
export interface Access {
  /** The path of the kubeconfig. */
  kubeconfig: string
  url: string
  port: number
  ca: Buffer
  credential: string
}

/** A scan that does nothing until finish() is called, so that a test can use its access. */
export interface WaitingScan {
  access: Access
  use: Step
  phase: Phase
  finish: () => Promise<Result>
}

export async function startWaitingScan({ job, step }: GithubFixture, inputs: Record<string, string> = {}): Promise<WaitingScan> {
  const [path, done] = [join(job.workspace, 'path'), join(job.workspace, 'done')]
  const command = `printf %s "$KUBECONFIG" > '${path}'; echo started; until [ -e '${done}' ]; do sleep 0.05; done`
  const use = step({ command, ...inputs })
  const phase = use.start('main')
  await phase.seen('started')
  return {
    access: readAccess(readFileSync(path, 'utf8')),
    use,
    phase,
    finish: () => {
      writeFileSync(done, '')
      return phase.done
    },
  }
}

export function readAccess(kubeconfig: string): Access {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]
    users: { user: { token: string } }[]
  }
  const url = clusters[0]?.cluster.server ?? ''
  return {
    kubeconfig,
    url,
    port: Number(new URL(url).port),
    ca: Buffer.from(clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64'),
    credential: users[0]?.user.token ?? '',
  }
}

/** Sends one request with the credential of the scan on a new connection. */
export async function send(
  access: Access,
  path: string,
  { headers, ...options }: RequestOptions = {},
  body = '',
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  const outgoing = httpsRequest({
    ...{ host: '127.0.0.1', port: access.port, ca: access.ca, agent: false, path },
    ...options,
    headers: { authorization: `Bearer ${access.credential}`, ...(headers as Record<string, string> | undefined) },
  })
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      text(incoming).then((received) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: received }), reject)
    })
    outgoing.end(body)
  })
}

/** Sends these bytes on a new connection. Returns all that comes until the proxy closes the connection. */
export async function sendRaw(access: Access, bytes: string): Promise<string> {
  const socket = await open(access)
  socket.write(bytes)
  return text(socket).catch((error: unknown) => `closed: ${String(error)}`)
}

export async function open({ port, ca }: Access): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  return socket
}
