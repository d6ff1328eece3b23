import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inputIds, inputs } from '../../src/config/inputs.ts'
import { admin } from '../cluster/admin.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { parseCommandFile } from '../hosts/command-file.ts'
import type { GithubJob } from '../hosts/github.ts'
import { measure, scan, type Sample } from './measure.ts'

export type Name = 'bare node' | 'main' | 'main, isolated' | 'standalone main' | 'bare main' | 'classic script' | 'post' | 'bare post'
/** The round-trip time to the API server. */
export type Way = 'loopback' | '25 ms away'

export interface Contender {
  name: Name
  way: Way
  run: () => Promise<Sample>
}

/** The namespace of the classic script's token, because the policies of deploy/base would refuse such a token. */
export const CLASSIC_NAMESPACE = 'classic'

const SECRETS = '/api/v1/namespaces/kubepass/secrets'
const OWN_RSS = "fs.readFileSync('/proc/self/status', 'utf8').match(/VmRSS:\\s+(\\d+)/)[1]"

interface Environment {
  info: ClusterInfo
  job: GithubJob
  identityToken: string
  /** The program for machines without Node.js. */
  standalone: string
}

/** The compared programs. Each one runs in the environment of a step in a GitHub job, with `server` as its input. */
export function contenders({ info, job, identityToken, standalone }: Environment, server: string, way: Way): Contender[] {
  const node = process.execPath
  const { create, delete: remove } = admin(info)
  const given = {
    server,
    certificate_authority: readFileSync(info.ca, 'utf8'),
    service_account: 'kubepass/scanner',
    token: identityToken,
    prove: 'off',
    // The other programs do not isolate the scan, so isolation has its own row.
    isolate: 'off',
  }
  const step = (command = ''): Record<string, string> => {
    const values: Partial<Record<string, string>> = { ...given, command }
    const input = Object.fromEntries(inputIds.map((id) => [`INPUT_${id.toUpperCase()}`, values[id] ?? inputs[id].default]))
    const env = job.environment({ ...input, ...commandFiles(job.tmp), BENCH_FILE: join(job.tmp, 'scan') })
    // A hosted runner has no such variable, and Node.js would read the file without need.
    delete env['NODE_EXTRA_CA_CERTS']
    return env
  }
  const run = (program: string, args: string[], env: Record<string, string>): Promise<Sample> => measure(program, args, job.workspace, env)

  const bareNode = async (): Promise<Sample> => {
    const { ms } = await run(node, ['-e', '0'], step())
    const { rss } = await run(node, ['-e', `fs.writeFileSync(process.env.BENCH_FILE, '0 ' + ${OWN_RSS})`], step())
    return { ms, rss }
  }
  const main = (): Promise<Sample> => run(node, [pathOf('../../dist/main/index.js')], step(scan))
  const isolatedMain = async (): Promise<Sample> => {
    const { ms } = await run(node, [pathOf('../../dist/main/index.js')], { ...step(scan), INPUT_ISOLATE: 'auto' })
    return { ms, rss: undefined }
  }
  const standaloneMain = (): Promise<Sample> => run(standalone, ['main'], step(scan))
  const bareMain = async (): Promise<Sample> => {
    const boundSecret = `bare-${randomUUID()}`
    const sample = await run(node, [pathOf('bare-main.js')], { ...step(scan), BENCH_BOUND_SECRET: boundSecret })
    await remove(`${SECRETS}/${boundSecret}`)
    return sample
  }
  const classicScript = async (): Promise<Sample> => {
    const env = { ...step(scan), KUBECONFIG: info.adminKubeconfig, BENCH_NAMESPACE: CLASSIC_NAMESPACE }
    const { ms } = await run('bash', [pathOf('classic.sh')], env)
    return { ms, rss: undefined }
  }
  const post = async (): Promise<Sample> => {
    const env = step()
    await run(node, [pathOf('../../dist/main/index.js')], env)
    const state = [...parseCommandFile(readFileSync(env['GITHUB_STATE'] ?? '', 'utf8'))].map(([name, value]) => [`STATE_${name}`, value])
    return run(node, [pathOf('../../dist/post/index.js')], { ...step(), ...(Object.fromEntries(state) as Record<string, string>) })
  }
  const barePost = async (): Promise<Sample> => {
    const boundSecret = `bare-${randomUUID()}`
    await create(SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata: { name: boundSecret } })
    return run(node, [pathOf('bare-post.js')], { ...step(), BENCH_BOUND_SECRET: boundSecret })
  }

  const compared: [Name, Contender['run']][] = [
    ['main', main],
    ['bare main', bareMain],
    ['post', post],
    ['bare post', barePost],
  ]
  if (way === 'loopback')
    compared.unshift(
      ['bare node', bareNode],
      ['classic script', classicScript],
      ['standalone main', standaloneMain],
      ['main, isolated', isolatedMain],
    )
  return compared.map(([name, run]) => ({ name, way, run }))
}

function commandFiles(parent: string): Record<string, string> {
  const folder = join(parent, randomUUID())
  mkdirSync(folder)
  const files = ['ENV', 'PATH', 'OUTPUT', 'STATE', 'STEP_SUMMARY'].map((name) => [`GITHUB_${name}`, join(folder, name)] as const)
  for (const [, path] of files) writeFileSync(path, '')
  return Object.fromEntries(files)
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
