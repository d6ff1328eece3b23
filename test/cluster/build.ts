import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cached } from '../tool-cache.ts'

export interface Binaries {
  cluster: string
  kubectl: string
}

type Progress = (line: string) => void

const run = promisify(execFile)
const sources = fileURLToPath(new URL('.', import.meta.url))
const flags = ['-trimpath', '-buildvcs=false', '-ldflags', '-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3']
const packages = ['.', 'k8s.io/kubernetes/cmd/kubectl']
const env = { ...process.env, GOTOOLCHAIN: 'local' }

let building: Promise<Binaries> | undefined

/** The test cluster and kubectl, built once for the sources as they are now. */
export function buildCluster(progress?: Progress): Promise<Binaries> {
  return (building ??= build(progress))
}

async function build(progress: Progress = () => undefined): Promise<Binaries> {
  const folder = await cached('cluster', await fingerprint(await goVersion()), (part) => compile(part, progress))
  return { cluster: join(folder, 'cluster'), kubectl: join(folder, 'kubectl') }
}

async function goVersion(): Promise<string> {
  const { stdout } = await run('go', ['env', 'GOVERSION'], { env, cwd: '/' }).catch(() => {
    throw new Error('The test cluster is built with Go 1.26 or later, and no `go` was found on the PATH: see https://go.dev/dl/')
  })
  const version = stdout.trim()
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? []
  if (Number(major) * 1000 + Number(minor) < 1026) {
    throw new Error(`The test cluster is built with Go 1.26 or later, and the \`go\` on the PATH is ${version}: see https://go.dev/dl/`)
  }
  return version
}

async function fingerprint(version: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([version, flags, packages]))
  const files = (await readdir(sources)).filter((file) => /\.go$|^go\.(mod|sum)$/.test(file)).sort()
  for (const file of files) hash.update(`${file}\0`).update(await readFile(join(sources, file)))
  return hash.digest('hex').slice(0, 16)
}

async function compile(folder: string, progress: Progress): Promise<void> {
  const start = Date.now()
  const report = (): void =>
    progress(`building the test cluster: ${String(Math.round((Date.now() - start) / 1000))} s so far; the first time takes 4 to 6 minutes`)
  report()
  const timer = setInterval(report, 10_000)
  try {
    await run('go', ['build', ...flags, '-o', `${folder}/`, ...packages], { env, cwd: sources, maxBuffer: 64 << 20 })
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    throw new Error(`The test cluster could not be built:\n${output.split('\n').slice(-30).join('\n')}`, { cause: error })
  } finally {
    clearInterval(timer)
  }
}
