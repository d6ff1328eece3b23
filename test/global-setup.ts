import { fileURLToPath } from 'node:url'
import { apply, waitForPolicies } from './cluster/admin.ts'
import { startCluster, type Cluster } from './cluster/cluster.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

declare global {
  var kubepassClusters: Cluster[] | undefined
}

/** One cluster that forgets a token at once, for most scenarios, and one with the real 10 s of cache. */
export default async function setUp(): Promise<void> {
  const progress = (line: string): void => void process.stderr.write(`${line}\n`)
  // One after the other: the second finds the program built.
  const quick = await startCluster({ tokenCacheTTL: '0s', controllers: true, progress })
  globalThis.kubepassClusters = [quick]
  const real = await startCluster({ tokenCacheTTL: '10s', controllers: false, progress })
  globalThis.kubepassClusters.push(real)
  for (const { info } of [quick, real]) {
    for (const folder of ['base', 'sweeper']) await apply(info, here(`../deploy/${folder}`))
    await apply(info, here('cluster/rbac.yaml'))
    await waitForPolicies(info)
  }
  process.env['KUBEPASS_TEST_CLUSTERS'] = JSON.stringify({ quick: quick.info, real: real.info })
}
