import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { Proxy } from '../cluster/proxy.ts'

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The path of a Pod's token. */
export const POD_TOKEN = `${FOLDER}/token`

const UNSHARE = ['--map-root-user', '--mount']
const NSENTER = '--user --mount --preserve-credentials --target'

/** The reason why this machine cannot simulate a Pod; undefined if it can. */
export function whyNoPod(): string | undefined {
  try {
    execFileSync('unshare', [...UNSHARE, 'true'], { stdio: 'pipe' })
    return undefined
  } catch {
    return 'this machine does not allow user namespaces'
  }
}

/** Runs `"$0" "$@"` in the Pod of the variables. */
export const IN_POD = `exec nsenter ${NSENTER} "$POD_PID" "$0" "$@"`

/** Runs `"$0" "$@"` in the Pod as an ordinary user. */
export const IN_POD_AS_USER = `exec nsenter ${NSENTER} "$POD_PID" unshare --user --map-user=1000 --map-group=1000 "$0" "$@"`

/** Namespaces in which /var/run is that of a container with a ServiceAccount token. They end with their last process. */
export class Pod implements AsyncDisposable {
  readonly #holder: ChildProcessWithoutNullStreams

  private constructor(holder: ChildProcessWithoutNullStreams) {
    this.#holder = holder
  }

  static async start(files: { token: string; ca: string }): Promise<Pod> {
    const script = `mount -t tmpfs tmpfs "$(readlink -f /var/run)"; mkdir -p ${FOLDER}; echo ready; exec cat`
    const holder = spawn('unshare', [...UNSHARE, 'sh', '-ec', script])
    await once(holder.stdout, 'data')
    const pod = new Pod(holder)
    pod.write('token', `${files.token}\n`)
    pod.write('ca.crt', readFileSync(files.ca, 'utf8'))
    return pod
  }

  /** Replaces the token from outside, as the kubelet does. */
  write(name: 'token' | 'ca.crt', text: string): void {
    const root = `/proc/${String(this.#holder.pid)}/root`
    writeFileSync(
      join(root, execFileSync('readlink', ['-f', '/var/run'], { encoding: 'utf8' }).trim(), FOLDER.slice('/var/run'.length), name),
      text,
    )
  }

  /** The variables that the kubelet sets in every container, and the id of this Pod. */
  variables({ url }: Proxy): Record<string, string> {
    const { hostname, port } = new URL(url)
    return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, POD_PID: String(this.#holder.pid) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#holder, 'exit')
    this.#holder.stdin.end()
    await exited
  }
}

/** The program as GitLab's template starts it, in the Pod and in the same folder. */
export function programInPod(path: string): string {
  const cli = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url))
  const lines = [
    '#!/bin/sh',
    '[ "$1" != version ] || exit 0',
    `set -- sh -c 'cd "$0" && exec "$@"' "$PWD" '${process.execPath}' '${cli}' "$@"`,
    `exec nsenter ${NSENTER} "$POD_PID" "$@"`,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  chmodSync(path, 0o755)
  return path
}

/** The action as an ARC runner starts it, in the Pod. A signal reaches node itself, because every program before it uses exec. */
export function actionInPod(folder: string, variables: Record<string, string> = {}): string {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  mkdirSync(folder, { recursive: true })
  for (const phase of ['main', 'post']) {
    const args = JSON.stringify(['sh', '-c', IN_POD, process.execPath, join(root, `dist/${phase}/index.js`)])
    writeFileSync(join(folder, `${phase}.mjs`), `process.execve('/bin/sh', ${args}, { ...process.env, ...${JSON.stringify(variables)} })\n`)
  }
  const action = readFileSync(join(root, 'action.yml'), 'utf8')
  const runs = stringify({ runs: { using: 'node24', main: 'main.mjs', post: 'post.mjs' } })
  writeFileSync(join(folder, 'action.yml'), action.replace(/^runs:[^]*/m, runs))
  return folder
}
