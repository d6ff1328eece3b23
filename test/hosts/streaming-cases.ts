import { expect } from '@jest/globals'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { admin } from '../cluster/admin.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { ECHO_PORT, type RunningPod } from '../cluster/kubelet.ts'
import { Child, type Ended } from './child.ts'
import { processesWith } from './orphans.ts'

/** The Pod that a case uses, and the way to it: straight to the API server, or through a proxy. */
export interface StreamingTarget {
  info: ClusterInfo
  kubeconfig: string
  pod: RunningPod
}

export interface StreamingCase {
  name: string
  run: (target: StreamingTarget) => Promise<void>
}

const protocols = ['WebSocket', 'SPDY'] as const
export type StreamingProtocol = (typeof protocols)[number]

const LARGE = 6 << 20
const ENDS_MS = 10_000

/** The real kubectl with a home of its own. */
export class StreamingClient implements AsyncDisposable {
  readonly pod: RunningPod
  /** The folder in which kubectl runs. */
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-streaming-'))
  readonly #program: string
  readonly #env: NodeJS.ProcessEnv
  readonly #started: Child[] = []

  constructor({ info, kubeconfig, pod }: StreamingTarget, protocol: StreamingProtocol = 'WebSocket') {
    this.pod = pod
    this.#program = info.kubectl
    const webSockets = String(protocol === 'WebSocket')
    this.#env = {
      ...{ PATH: process.env['PATH'], HOME: this.folder, KUBECONFIG: kubeconfig },
      ...{ KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets, KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets },
    }
  }

  /** Starts kubectl in the namespace of the Pod. Its standard input ends after the text. */
  start(args: string[], stdin = ''): Child {
    const options = { cwd: this.folder, env: this.#env, stdin }
    const child = new Child(this.#program, ['--namespace', this.pod.namespace, ...args], options)
    this.#started.push(child)
    return child
  }

  run(args: string[], stdin = ''): Promise<Ended> {
    return this.start(args, stdin).ended
  }

  exec(command: string[], stdin?: string): Promise<Ended> {
    const flags = stdin === undefined ? [] : ['--stdin']
    return this.run(['exec', ...flags, this.pod.name, '--', ...command], stdin)
  }

  /** Runs `kubectl exec --stdin` and keeps the standard input open until kubectl ends. */
  async execWithOpenStdin(command: string[]): Promise<Omit<Ended, 'signal'>> {
    const args = ['--namespace', this.pod.namespace, 'exec', '--stdin', this.pod.name, '--', ...command]
    const child = spawn(this.#program, args, { cwd: this.folder, env: this.#env })
    const outputs = Promise.all([text(child.stdout), text(child.stderr)])
    await once(child, 'exit')
    child.stdin.destroy()
    const [stdout, stderr] = await outputs
    return { code: child.exitCode, stdout, stderr }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) if (child.runs) child.kill('SIGKILL')
    await Promise.all(this.#started.map((child) => child.ended))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The cases for one Pod. A request for logs is no upgrade, so the cases of logs have no protocol. */
export const streamingCases: StreamingCase[] = [
  ...[0, 1, 7, 126, 127, 130, 255].flatMap((code) =>
    overEach(`exec ends with the exit code ${String(code)} of its command`, async (client) => {
      const { code: seen, stdout, stderr } = await client.exec(['sh', '-c', `echo out; exit ${String(code)}`])
      const complaint = code === 0 ? '' : `command terminated with exit code ${String(code)}\n`
      expect({ seen, stdout, stderr }).toEqual({ seen: code, stdout: 'out\n', stderr: complaint })
    }),
  ),
  ...overEach('exec ends with the exit code of the shell where a command is missing or is no program', async (client) => {
    expect((await client.exec(['sh', '-c', 'no-such-program'])).code).toBe(127)
    expect((await client.exec(['sh', '-c', '/etc/passwd'])).code).toBe(126)
  }),
  ...overEach('exec ends with 128 and the number of the signal that ended its command', async (client) => {
    expect((await client.exec(['sh', '-c', 'kill -INT $$'])).code).toBe(130)
    expect((await client.exec(['sh', '-c', 'kill -KILL $$'])).code).toBe(137)
  }),
  ...overEach('exec of a program that does not exist is an error of the kubelet', async (client) => {
    const { code, stdout, stderr } = await client.exec(['no-such-program'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('error executing command in container: failed to exec in container')
  }),
  ...overEach('exec in a Pod or a container that does not exist is an error', async (client) => {
    const pod = await client.run(['exec', 'no-such-pod', '--', 'true'])
    expect([pod.code, pod.stderr]).toEqual([1, 'Error from server (NotFound): pods "no-such-pod" not found\n'])
    const container = await client.run(['exec', client.pod.name, '--container', 'other', '--', 'true'])
    expect(container.code).toBe(1)
    expect(container.stderr).toContain('container other')
  }),
  ...overEach('exec keeps standard error apart from standard output', async (client) => {
    const { code, stdout, stderr } = await client.exec(['sh', '-c', 'echo out; echo err >&2; echo out again; echo err again >&2'])
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'out\nout again\n', stderr: 'err\nerr again\n' })
  }),
  ...overEach('exec passes on the end of standard input, after which the command still writes', async (client) => {
    expect((await client.exec(['cat'], 'one\ntwo')).stdout).toBe('one\ntwo')
    expect((await client.exec(['cat'], '')).stdout).toBe('')
    const { code, stdout } = await client.exec(['sh', '-c', 'cat; echo after; exit 7'], 'before\n')
    expect([code, stdout]).toEqual([7, 'before\nafter\n'])
  }),
  ...overEach('exec ends with its command while standard input is still open', async (client) => {
    const { code, stdout } = await client.execWithOpenStdin(['sh', '-c', 'echo done; exit 7'])
    expect([code, stdout]).toEqual([7, 'done\n'])
  }),
  ...overEach('exec delivers 8 MB of output, each byte', async (client) => {
    const command = `head -c ${String(LARGE)} /dev/urandom | base64 -w 0 > large; cat large; sha256sum < large >&2`
    const { code, stdout, stderr } = await client.exec(['sh', '-c', command])
    expect([code, stdout.length]).toEqual([0, (LARGE / 3) * 4])
    expect(stderr).toBe(`${sha256(stdout)}  -\n`)
  }),
  ...overEach('exec delivers 8 MB of input, each byte', async (client) => {
    const input = randomBytes(LARGE).toString('base64')
    expect((await client.exec(['sha256sum'], input)).stdout).toBe(`${sha256(input)}  -\n`)
  }),
  ...overEach('exec ends with its output while a process that the command started still runs', async (client) => {
    const { code, stdout } = await client.exec(['sh', '-c', 'sleep 1000 & echo done'])
    expect([code, stdout]).toEqual([0, 'done\n'])
    await nothingRunsIn(client.pod)
  }),
  ...overEach('the end of the client ends the command of exec and all its processes', async (client) => {
    const child = client.start(['exec', client.pod.name, '--', 'sh', '-c', 'sleep 1000 & echo started; wait'])
    await child.seen('started')
    expect(await processesWith(`HOSTNAME=${client.pod.name}`)).not.toEqual([])
    child.kill('SIGKILL')
    await nothingRunsIn(client.pod)
  }),
  ...overEach('attach delivers what the container writes from now on, until the client ends', async (client) => {
    const child = client.start(['attach', client.pod.name])
    await child.seen(/line \d+\nline \d+\nline \d+\n/)
    expectConsecutive(child.text('stdout'))
    child.kill('SIGTERM')
    await child.ended
  }),
  ...overEach('attach passes on standard input and its end', async (client) => {
    const { code, stdout } = await client.run(['attach', '--stdin', client.pod.name], 'hello\n')
    expect(code).toBe(0)
    expect(stdout).toContain('hello\n')
  }),
  ...overEach('port-forward carries bytes both ways and passes on the end of each direction', async (client) => {
    const port = await forward(client, ECHO_PORT)
    const sent = [randomBytes(1 << 20), Buffer.from('small'), Buffer.alloc(0), randomBytes(70_000)]
    const received = await Promise.all(sent.map((bytes) => exchange(port, bytes)))
    expect(received.map(sha256)).toEqual(sent.map(sha256))
  }),
  ...overEach('port-forward keeps an open connection while others come and go', async (client) => {
    const port = await forward(client, ECHO_PORT)
    const first = connect(port, '127.0.0.1')
    try {
      expect(await echo(first, 'one')).toBe('one')
      expect((await exchange(port, Buffer.from('other'))).toString()).toBe('other')
      expect(await echo(first, 'two')).toBe('two')
    } finally {
      first.destroy()
    }
  }),
  ...overEach('port-forward to a closed port closes the connection and says why', async (client) => {
    const child = client.start(['port-forward', '--address', '127.0.0.1', `pod/${client.pod.name}`, ':9'])
    const port = await forwardedPort(child)
    const reason = 'failed to connect to localhost:9 inside the Pod: connection refused'
    // A kubelet resets the error stream right behind its message, so kubectl may miss the message. kubectl then waits for connections.
    do expect(await bytesUntilClose(port)).toBe(0)
    while (child.runs && !child.text('stderr').includes(reason))
    await child.seen(reason)
  }),
  ...overEach('cp carries a file into a Pod and back', async (client) => {
    const { folder, pod } = client
    const bytes = randomBytes(1_000_003)
    writeFileSync(join(folder, 'sent'), bytes)
    const name = `received-${randomBytes(4).toString('hex')}`
    const into = await client.run(['cp', 'sent', `${pod.name}:${name}`])
    expect([into.code, into.stderr]).toEqual([0, ''])
    expect((await client.exec(['sha256sum', name])).stdout).toBe(`${sha256(bytes)}  ${name}\n`)
    const back = await client.run(['cp', `${pod.name}:${name}`, 'back'])
    expect([back.code, back.stderr]).toEqual([0, ''])
    expect(sha256(readFileSync(join(folder, 'back')))).toBe(sha256(bytes))
  }),
  single('logs prints all lines so far, or the part that its options name', async (client) => {
    const all = (await client.run(['logs', client.pod.name])).stdout
    expect(all).toMatch(/^line 0\n/)
    expectConsecutive(all)
    expect((await client.run(['logs', '--tail=2', client.pod.name])).stdout).toMatch(/^line \d+\nline \d+\n$/)
    expect((await client.run(['logs', '--tail=0', client.pod.name])).stdout).toBe('')
    expect((await client.run(['logs', '--limit-bytes=10', client.pod.name])).stdout).toBe('line 0\nlin')
    expect((await client.run(['logs', '--since=1h', client.pod.name])).stdout).toMatch(/^line 0\n/)
    expect((await client.run(['logs', '--timestamps', '--tail=1', client.pod.name])).stdout).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z line \d+\n$/,
    )
    const since = new Date(Date.now() + 3_600_000).toISOString()
    expect((await client.run(['logs', `--since-time=${since}`, client.pod.name])).stdout).toBe('')
  }),
  single('logs of a container before a restart, or of another container, is an error', async (client) => {
    const previous = await client.run(['logs', '--previous', client.pod.name])
    expect(previous.code).toBe(1)
    expect(previous.stderr).toContain('previous terminated container "main"')
    expect((await client.run(['logs', '--container', 'other', client.pod.name])).code).toBe(1)
  }),
  single('logs --follow delivers each new line; the end of the client ends the request', async (client, { info }) => {
    // The number, which is far above the length of the log, marks the request in the audit log.
    const limit = String(randomInt(2 ** 40, 2 ** 47))
    const child = client.start(['logs', '--follow', '--tail=1', `--limit-bytes=${limit}`, client.pod.name])
    await child.seen(/(line \d+\n){4}/)
    expectConsecutive(child.text('stdout'))
    expect(stagesOf(info, `limitBytes=${limit}`)).not.toContain('ResponseComplete')
    child.kill('SIGKILL')
    await eventually('the request for the log has ended', () => stagesOf(info, `limitBytes=${limit}`).includes('ResponseComplete'))
  }),
]

/** The cases that delete their Pod, so each needs one of its own. */
export const podEndCases: StreamingCase[] = [
  single('the end of a Pod ends exec, attach and logs --follow', async (client, { info }) => {
    const { namespace, name } = client.pod
    const exec = client.start(['exec', name, '--', 'sh', '-c', 'echo started; sleep 1000'])
    const attach = client.start(['attach', name])
    const logs = client.start(['logs', '--follow', name])
    await Promise.all([exec.seen('started'), attach.seen('line'), logs.seen('line')])
    expect((await admin(info).delete(`/api/v1/namespaces/${namespace}/pods/${name}`)).status).toBe(200)
    const ended = await Promise.all([exec, attach, logs].map((child) => child.ended))
    expect(ended.map(({ code }) => code)).toEqual([137, 0, 0])
    await nothingRunsIn(client.pod)
  }),
]

function overEach(name: string, run: (client: StreamingClient) => Promise<void>): StreamingCase[] {
  return protocols.map((protocol) => ({
    name: `${name} (${protocol})`,
    run: async (target) => {
      await using client = new StreamingClient(target, protocol)
      await run(client)
    },
  }))
}

function single(name: string, run: (client: StreamingClient, target: StreamingTarget) => Promise<void>): StreamingCase {
  return {
    name,
    run: async (target) => {
      await using client = new StreamingClient(target)
      await run(client, target)
    },
  }
}

function nothingRunsIn(pod: RunningPod): Promise<void> {
  return eventually(`no process of the Pod ${pod.name} runs`, async () => (await processesWith(`HOSTNAME=${pod.name}`)).length === 0)
}

async function eventually(fact: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + ENDS_MS; !(await isTrue()); await delay(20))
    if (Date.now() > deadline) throw new Error(`after ${String(ENDS_MS / 1000)} s it is not true that ${fact}`)
}

/** The stages that the API server has recorded of the request whose URL contains this text. */
function stagesOf({ auditLog }: ClusterInfo, text: string): string[] {
  const lines = readFileSync(auditLog, 'utf8').split('\n')
  return lines.filter((line) => line.includes(text)).map((line) => (JSON.parse(line) as { stage: string }).stage)
}

function expectConsecutive(log: string): void {
  const numbers = [...log.matchAll(/^line (\d+)\n/gm)].map(([, number]) => Number(number))
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
}

/** Forwards a free port of this machine to a port of the Pod. */
async function forward(client: StreamingClient, port: number): Promise<number> {
  return forwardedPort(client.start(['port-forward', '--address', '127.0.0.1', `pod/${client.pod.name}`, `:${String(port)}`]))
}

async function forwardedPort(child: Child): Promise<number> {
  const forwarding = /Forwarding from 127\.0\.0\.1:(\d+) ->/
  await child.seen(forwarding)
  return Number(forwarding.exec(child.text('stdout'))?.[1])
}

/** Sends the bytes and the end, and returns what came back before the other side's end. */
async function exchange(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(bytes)
  return buffer(socket)
}

/** Connects and returns how many bytes came before the other side closed the connection. */
async function bytesUntilClose(port: number): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  // The other side may also reset or refuse the connection.
  socket.on('error', () => undefined)
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  return socket.bytesRead
}

/** Sends a text and returns the first answer. */
async function echo(socket: Socket, sent: string): Promise<string> {
  socket.write(sent)
  const [received] = (await once(socket, 'data')) as [Buffer]
  return received.toString()
}

function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
