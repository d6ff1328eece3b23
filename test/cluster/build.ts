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

/** Builds the test cluster of a Kubernetes version, and kubectl, once for each state of their sources. */
export function buildCluster(version: Version, progress: Progress = () => undefined): Promise<Binaries> {
  const binaries = building.get(version) ?? build(version, progress)
  building.set(version, binaries)
  return binaries
}

async function build(version: Version, progress: Progress): Promise<Binaries> {
  const go = await goVersion()
  return {
    cluster: await buildOnce(CLUSTER, versions[version], go, progress),
    kubectl: await buildOnce(KUBECTL, versions[USUAL], go, progress),
  }
}

async function goVersion(): Promise<string> {
  const { stdout } = await run('go', ['env', 'GOVERSION'], { env, cwd: '/' }).catch(() => {
    throw new Error('The build of the test cluster needs Go 1.26 or later, but the PATH has no `go`: see https://go.dev/dl/')
  })
  const version = stdout.trim()
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? []
  if (Number(major) * 1000 + Number(minor) < 1026) {
    throw new Error(
      `The build of the test cluster needs Go 1.26 or later, but the \`go\` on the PATH is ${version}: see https://go.dev/dl/`,
    )
  }
  return version
}

async function buildOnce(program: Program, release: Release, go: string, progress: Progress): Promise<string> {
  const args = [
    ...['build', '-trimpath', '-buildvcs=false', `-modfile=${release.modfile}`, '-tags', release.tags.join(',')],
    ...['-ldflags', `-s -w -X k8s.io/component-base/version.gitVersion=v${release.release}`],
  ]
  const hash = createHash('sha256').update(JSON.stringify([go, args, program.package]))
  const goFiles = program.isOurs ? (await readdir(sources)).filter((name) => name.endsWith('.go')).sort() : []
  for (const file of [...goFiles, release.modfile, release.modfile.replace(/mod$/, 'sum')])
    hash.update(`${file}\0`).update(await readFile(join(sources, file)))
  const folder = await cached(`${program.name}-${release.release}`, hash.digest('hex').slice(0, 16), (part) =>
    compile([...args, '-o', join(part, program.name), program.package], `${program.name} ${release.release}`, progress),
  )
  return join(folder, program.name)
}

async function compile(args: string[], title: string, progress: Progress): Promise<void> {
  const start = Date.now()
  const report = (): void =>
    progress(`building ${title}: ${String(Math.round((Date.now() - start) / 1000))} s so far; the first build takes 4 to 10 minutes`)
  report()
  const timer = setInterval(report, 10_000)
  try {
    await run('go', args, { env, cwd: sources, maxBuffer: 64 << 20 })
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    throw new Error(`The build of the test cluster failed:\n${output.split('\n').slice(-30).join('\n')}`, { cause: error })
  } finally {
    clearInterval(timer)
  }
}
