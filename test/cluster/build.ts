import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cached } from '../tool-cache.ts'
import { USUAL, versions, type Release, type Version } from './versions.ts'

export interface Binaries {
  cluster: string
  kubectl: string
}

type Progress = (line: string) => void

interface Program {
  name: 'cluster' | 'kubectl'
  package: string
  /** Whether the program is built from the Go files of this folder. */
  isOurs: boolean
}

const run = promisify(execFile)
const sources = fileURLToPath(new URL('.', import.meta.url))
const env = { ...process.env, GOTOOLCHAIN: 'local' }

const CLUSTER: Program = { name: 'cluster', package: '.', isOurs: true }
const KUBECTL: Program = { name: 'kubectl', package: 'k8s.io/kubernetes/cmd/kubectl', isOurs: false }

const building = new Map<Version, Promise<Binaries>>()

/** The test cluster of a Kubernetes version, and kubectl, built once for the sources as they are now. */
export function buildCluster(version: Version, progress: Progress = () => undefined): Promise<Binaries> {
  const begun = building.get(version) ?? build(version, progress)
  building.set(version, begun)
  return begun
}

async function build(version: Version, progress: Progress): Promise<Binaries> {
  const go = await goVersion()
  return {
    cluster: await built(CLUSTER, versions[version], go, progress),
    kubectl: await built(KUBECTL, versions[USUAL], go, progress),
  }
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

async function built(program: Program, of: Release, go: string, progress: Progress): Promise<string> {
  const args = [
    ...['build', '-trimpath', '-buildvcs=false', `-modfile=${of.modfile}`, '-tags', of.tags.join(',')],
    ...['-ldflags', `-s -w -X k8s.io/component-base/version.gitVersion=v${of.release}`],
  ]
  const hash = createHash('sha256').update(JSON.stringify([go, args, program.package]))
  const ours = program.isOurs ? (await readdir(sources)).filter((name) => name.endsWith('.go')).sort() : []
  for (const file of [...ours, of.modfile, of.modfile.replace(/mod$/, 'sum')])
    hash.update(`${file}\0`).update(await readFile(join(sources, file)))
  const folder = await cached(`${program.name}-${of.release}`, hash.digest('hex').slice(0, 16), (part) =>
    compile([...args, '-o', join(part, program.name), program.package], `${program.name} ${of.release}`, progress),
  )
  return join(folder, program.name)
}

async function compile(args: string[], what: string, progress: Progress): Promise<void> {
  const start = Date.now()
  const report = (): void =>
    progress(`building ${what}: ${String(Math.round((Date.now() - start) / 1000))} s so far; the first time takes 4 to 10 minutes`)
  report()
  const timer = setInterval(report, 10_000)
  try {
    await run('go', args, { env, cwd: sources, maxBuffer: 64 << 20 })
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    throw new Error(`The test cluster could not be built:\n${output.split('\n').slice(-30).join('\n')}`, { cause: error })
  } finally {
    clearInterval(timer)
  }
}
