import { fileURLToPath } from 'node:url'
import { apply, applyBase, waitForPolicies, waitForQuota } from './cluster/admin.ts'
import { startCluster, type Cluster } from './cluster/cluster.ts'
import { has } from './cluster/features.ts'
import { chosenVersion } from './cluster/versions.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

declare global {
  var kubepassClusters: Cluster[] | undefined
}

/** One cluster that forgets a token at once, for most scenarios, and one with the real 10 s of cache. */
export default async function setUp(): Promise<void> {
  const progress = (line: string): void => void process.stderr.write(`${line}\n`)
  const version = chosenVersion()
  // One after the other: the second finds the program built.
  const quick = await startCluster({ version, tokenCacheTTL: '0s', controllers: true, progress })
  globalThis.kubepassClusters = [quick]
  const real = await startCluster({ version, tokenCacheTTL: '10s', controllers: false, progress })
  globalThis.kubepassClusters.push(real)
  for (const { info } of [quick, real]) {
    await applyBase(info, here('../deploy/base'))
    await apply(info, here('../deploy/sweeper'))
    await apply(info, here('cluster/rbac.yaml'))
    await (has('policies') ? waitForPolicies(info) : waitForQuota(info))
  }
  process.env['KUBEPASS_TEST_CLUSTERS'] = JSON.stringify({ quick: quick.info, real: real.info })
}
