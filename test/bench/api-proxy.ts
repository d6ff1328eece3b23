// Measures requests of a scan through the API proxy, beside requests of a scan that holds the token.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { admin, kubectl } from '../cluster/admin.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { median, table } from './results.ts'

type Way = 'direct' | 'proxied' | 'proxied, loud'

interface Figures {
  serialMs: number
  perSecond: number
  listMs: number
  zippedListMs: number
  watchMs: number
  burstMs: number
  rssMiB: number
  rssAfterMiB?: number
}

/** More requests, after which the memory of main must not have grown. */
const MANY_REQUESTS = 100_000
const MOST_MIB = 170
const MOST_GROWTH = 1.1

type Ratio = readonly [figure: keyof Figures, title: string, compare: 'most' | 'least', limit: number]

const RATIOS: readonly Ratio[] = [
  ['serialMs', '500 GETs in a row, median ms', 'most', 2],
  ['perSecond', '2,000 GETs, 16 in flight, per second', 'least', 0.55],
  ['zippedListMs', 'list of 20 MB with gzip, as Go clients ask, ms', 'most', 1.1],
  ['listMs', 'list of 20 MB, ms', 'most', 2.2],
  ['watchMs', 'event of a watch, ms', 'most', 1.2],
]

export interface ProxyBench {
  readonly rounds: readonly Record<Way, Figures>[]
  readonly growth: { readonly before: number; readonly after: number }
}

export async function benchProxy(info: ClusterInfo, identityToken: string, folder: string, runs: number): Promise<ProxyBench> {
  await prepare(info)
  const tokenFile = join(folder, 'identity')
  writeFileSync(tokenFile, identityToken, { mode: 0o600 })
  const run = (way: Way, ...words: string[]): Promise<Figures> => scan(info, tokenFile, way, words)
  const rounds: Record<Way, Figures>[] = []
  for (let round = 0; round <= runs; round += 1) {
    const figures = { direct: await run('direct'), proxied: await run('proxied'), 'proxied, loud': await run('proxied, loud', '0', 'loud') }
    if (round > 0) rounds.push(figures)
  }
  const { rssMiB: before, rssAfterMiB: after = NaN } = await run('proxied', String(MANY_REQUESTS))
  return { rounds, growth: { before, after } }
}

async function prepare(info: ClusterInfo): Promise<void> {
  const { create } = admin(info)
  await kubectl(info, 'create', 'namespace', 'bench')
  await kubectl(info, 'create', 'role', 'bench', '-n', 'bench', '--verb=*', '--resource=configmaps')
  await kubectl(info, 'create', 'rolebinding', 'bench', '-n', 'bench', '--role=bench', '--serviceaccount=kubepass:scanner')
  const path = '/api/v1/namespaces/bench/configmaps'
  const configMap = (name: string, data: string, labels = {}): object => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels },
    data: { data },
  })
  for (const name of ['small', 'watched']) await create(path, configMap(name, 'x'))
  for (let index = 0; index < 40; index += 1)
    await create(path, configMap(`large-${String(index)}`, 'x'.repeat(500_000), { size: 'large' }))
}

async function scan(info: ClusterInfo, tokenFile: string, way: Way, words: string[]): Promise<Figures> {
  const cli = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url))
  const client = fileURLToPath(new URL('api-client.js', import.meta.url))
  const flags = [
    '--server',
    info.server,
    '--certificate-authority',
    info.ca,
    '--service-account',
    'kubepass/scanner',
    '--identity',
    'token',
  ]
  const choices = [
    '--token-file',
    tokenFile,
    '--isolate',
    'off',
    '--prove',
    'off',
    '--delivery',
    way === 'direct' ? 'kubeconfig' : 'proxy',
    '--quiet',
  ]
  const { server, ca, adminCert: cert, adminKey: key } = info
  const env = { ...process.env, BENCH_ADMIN: JSON.stringify({ server, ca, cert, key }) }
  const child = spawn(process.execPath, [cli, 'run', ...flags, ...choices, '--', process.execPath, client, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  })
  const outputs = Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = (await once(child, 'exit')) as [number | null]
  const [stdout, stderr] = await outputs
  if (code !== 0) throw new Error(`the scan ended with ${String(code)}: ${stderr.slice(-2000)}`)
  return JSON.parse(stdout) as Figures
}

export function proxyTables({ rounds, growth }: ProxyBench): string {
  const of = (way: Way, figure: keyof Figures): number => median(rounds.map((round) => round[way][figure] ?? NaN))
  const compared = RATIOS.flatMap(([figure, title, compare, limit]) =>
    (['proxied', 'proxied, loud'] as const).map((way) => {
      const ratio = median(rounds.map((round) => (round[way][figure] ?? NaN) / (round.direct[figure] ?? NaN)))
      const isMet = compare === 'most' ? ratio <= limit : ratio >= limit
      const bound = way === 'proxied' ? [`${compare === 'most' ? '<=' : '>='} ${String(limit)}`, isMet ? 'yes' : 'NO'] : ['', '']
      return [title, way, of('direct', figure).toFixed(2), of(way, figure).toFixed(2), ratio.toFixed(2), ...bound]
    }),
  )
  const memory = of('proxied', 'rssMiB')
  const grown = growth.after / growth.before
  return [
    table(['requests of the scan', 'way', 'direct', 'here', 'ratio', 'bound', 'met'], compared),
    table(
      ['memory of main', '', 'MiB', 'bound', 'met'],
      [
        ['after these requests', '', memory.toFixed(0), `<= ${String(MOST_MIB)}`, memory <= MOST_MIB ? 'yes' : 'NO'],
        [
          `after ${MANY_REQUESTS.toLocaleString('en')} more`,
          '',
          growth.after.toFixed(0),
          `<= ${String(MOST_GROWTH)} x ${growth.before.toFixed(0)}`,
          grown <= MOST_GROWTH ? 'yes' : 'NO',
        ],
      ],
    ),
    `64 clients at a time, each on a new connection: ${of('direct', 'burstMs').toFixed(0)} ms direct, ${of('proxied', 'burstMs').toFixed(0)} ms proxied\n`,
  ].join('\n')
}
