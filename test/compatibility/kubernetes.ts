import { lackOf, lacksOf, type Feature } from '../cluster/features.ts'
import { isVersion, USUAL, versions, type Version } from '../cluster/versions.ts'
import { markdownTable } from '../markdown.ts'

/** The scenarios that depend on the API server (identity, credential, revocation, deploy/base), with the features that each needs. */
const SCENARIOS: Record<string, Feature | undefined> = {
  happy: undefined,
  identities: undefined,
  'in-cluster': undefined,
  terminal: undefined,
  gitlab: undefined,
  rotate: undefined,
  refused: undefined,
  hints: undefined,
  stop: undefined,
  cancelled: undefined,
  interrupted: undefined,
  post: undefined,
  tampered: undefined,
  sweep: undefined,
  deploy: 'policies',
}

/** The scenarios that run on a version, or all tests, and the reason for each skipped one. */
export function testsOn(version: Version): { scenarios: string[] | 'all'; skipped: string[] } {
  if (version === USUAL) return { scenarios: 'all', skipped: [] }
  const named = Object.entries(SCENARIOS).map(([name, needs]) => ({ name, lack: needs === undefined ? undefined : lackOf(needs, version) }))
  return {
    scenarios: named.filter(({ lack }) => lack === undefined).map(({ name }) => name),
    skipped: named.flatMap(({ name, lack }) => (lack === undefined ? [] : [`${name}: ${lack}`])),
  }
}

const INTRODUCTION = `## Kubernetes versions

\`npm run test:long\` plays these scenarios (\`test/scenario\`) on the kube-apiserver, the controllers and the etcd of each version. kubectl is always 1.36.
The tests skip each case that needs a missing feature, and print the reason. [cluster.md](cluster.md#before-kubernetes-130) describes the setup without these features.
`

/** The section of the page. It comes from versions.ts, so the page always agrees with the tests. */
export function kubernetesVersions(): string {
  const rows = Object.keys(versions)
    .filter(isVersion)
    .map((version) => {
      const { scenarios } = testsOn(version)
      return [versions[version].release, scenarios === 'all' ? 'all' : scenarios.join(', '), lacksOf(version).join('; ')]
    })
  return `${INTRODUCTION}\n${markdownTable([['Kubernetes', 'scenarios', 'differences'], ...rows])}`
}
