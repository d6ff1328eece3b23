// Measures how long a job waits for kubepass, compared with bare programs that make the same calls and with the classic script.
// Measures also how fast kubepass passes on a scan's output, compared with a bare pipe.
//   npm run bench -- [--only calls|proxy|output] [--runs 25] [--json FILE]
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { admin, apply, kubectl, waitForPolicies } from '../cluster/admin.ts'
import { startCluster, type ClusterInfo } from '../cluster/cluster.ts'
import { relay } from '../cluster/relay.ts'
import { startJob } from '../hosts/github.ts'
import { buildStandalone } from '../standalone.ts'
import { benchProxy, proxyTables, type ProxyBench } from './api-proxy.ts'
import { CLASSIC_NAMESPACE, contenders, type Contender } from './contenders.ts'
import type { Sample } from './measure.ts'
import { benchOutput, outputTables } from './output.ts'
import { asTables, boundsOf, resultOf, type Bound, type Result } from './results.ts'

const ROUND_TRIP_MS = 25

const CALL_RUNS = 25
/** The number of runs of the section "proxy". */
const PROXY_RUNS = 5

/** The number of runs of the section "output", which takes longer. */
const OUTPUT_RUNS = 5

const { values } = parseArgs({ options: { only: { type: 'string' }, runs: { type: 'string' }, json: { type: 'string' } } })
const progress = (line: string): void => void process.stderr.write(`${line}\n`)
const resources = new AsyncDisposableStack()
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stop.abort()
    void resources.disposeAsync().finally(() => process.exit(130))
  })
}
try {
  await bench(values.only, values.runs === undefined ? undefined : Number(values.runs))
} catch (error) {
  if (!stop.signal.aborted) throw error
} finally {
  await resources.disposeAsync()
}

async function bench(only: string | undefined, runs: number | undefined): Promise<void> {
  checkFlags(only, runs)
  const calls = await section(
    'calls',
    only,
    () => benchCalls(runs ?? CALL_RUNS),
    (each) => asTables(each.results, each.bounds),
  )
  const proxy = await section('proxy', only, () => benchAccess(runs ?? PROXY_RUNS), proxyTables)
  const output = await section('output', only, () => benchOutput(runs ?? OUTPUT_RUNS, progress), outputTables)
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ node: process.version, ...calls, proxy, output }, undefined, 2)}\n`)
}

type Section = 'calls' | 'proxy' | 'output'

/** Measures a section and prints its tables, if it is wanted. */
async function section<T>(
  name: Section,
  only: string | undefined,
  measure: () => Promise<T>,
  print: (result: T) => string,
): Promise<T | undefined> {
  if (only !== undefined && only !== name) return undefined
  const result = await measure()
  process.stdout.write(`\n${print(result)}`)
  return result
}

function checkFlags(only: string | undefined, runs: number | undefined): void {
  if (runs !== undefined && (!Number.isInteger(runs) || runs < 1)) throw new Error('--runs must be a positive integer')
  if (only !== undefined && !['calls', 'proxy', 'output'].includes(only)) throw new Error('--only must be calls, proxy or output')
}

async function benchAccess(runs: number): Promise<ProxyBench> {
  progress('starting a cluster')
  const { info } = resources.use(await startCluster({ tokenCacheTTL: '10s', controllers: true, progress }))
  return benchProxy(info, await prepare(info), info.dir, runs)
}

async function benchCalls(runs: number): Promise<{ runs: number; bounds: Bound[]; results: Result[] }> {
  progress('starting a cluster')
  const { info } = resources.use(await startCluster({ tokenCacheTTL: '10s', controllers: true, progress }))
  const identityToken = await prepare(info)
  const job = resources.use(await startJob(info, { idToken: false }))
  const far = await startRelay(info)

  const common = { info, job, identityToken, standalone: await buildStandalone() }
  const programs = [...contenders(common, info.server, 'loopback'), ...contenders(common, far, '25 ms away')]
  const samples = new Map<Contender, Sample[]>(programs.map((contender) => [contender, []]))
  for (let round = 0; round <= runs; round += 1) {
    if (round % 5 === 0) progress(round === 0 ? 'warming up' : `round ${String(round)} of ${String(runs)}`)
    // Each round begins with another program, so that no program always follows the same one.
    const first = round % programs.length
    for (const contender of [...programs.slice(first), ...programs.slice(0, first)]) {
      const sample = await contender.run()
      if (round > 0) samples.get(contender)?.push(sample)
    }
  }

  const results = programs.map((contender) => resultOf(contender, samples.get(contender) ?? []))
  return { runs, bounds: boundsOf(results), results }
}

/** Sets up the cluster and returns a token with the issuer's rights as the identity of the job. */
async function prepare(info: ClusterInfo): Promise<string> {
  await apply(info, fileURLToPath(new URL('../../deploy/base', import.meta.url)))
  await waitForPolicies(info)
  await kubectl(info, 'create', 'namespace', CLASSIC_NAMESPACE)
  await kubectl(info, 'create', 'serviceaccount', 'scanner', '--namespace', CLASSIC_NAMESPACE)
  const path = '/api/v1/namespaces/kubepass-issuer/serviceaccounts/issuer/token'
  const tokenRequest = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7200 } }
  const { status, body } = await admin(info).create<{ status?: { token?: string } }>(path, tokenRequest)
  if (body.status?.token === undefined) throw new Error(`the API server issued no token for the issuer: status ${String(status)}`)
  return body.status.token
}

/** Starts a relay that delays the traffic to the API server, and returns its URL. TLS stays end to end. */
async function startRelay(info: ClusterInfo): Promise<string> {
  const far = relay(Number(new URL(info.server).port), ROUND_TRIP_MS)
  resources.defer(() => {
    far.server.close()
    far.cut()
  })
  await once(far.server.listen(0, '127.0.0.1'), 'listening')
  return `https://127.0.0.1:${String((far.server.address() as AddressInfo).port)}`
}
