export interface Release {
  readonly release: string
  /** The Go build tags of the files that differ for this version. */
  readonly tags: readonly string[]
  /** The go.mod with the modules of this version. */
  readonly modfile: string
}

/** The Kubernetes versions of the test clusters: the oldest supported one, the first with policies, the default, and the newest. */
export const versions = {
  '1.28': { release: '1.28.15', tags: ['before_1_31'], modfile: 'versions/1.28.mod' },
  '1.30': { release: '1.30.14', tags: ['before_1_31'], modfile: 'versions/1.30.mod' },
  '1.36': { release: '1.36.3', tags: [], modfile: 'go.mod' },
  '1.37': { release: '1.37.2', tags: [], modfile: 'versions/1.37.mod' },
} as const satisfies Record<string, Release>

export type Version = keyof typeof versions

/** The default version, on which all tests run. kubectl always has this version. */
export const USUAL: Version = '1.36'

export function isVersion(text: string): text is Version {
  return Object.hasOwn(versions, text)
}

/** The version that KUBEPASS_TEST_KUBERNETES names. */
export function chosenVersion(env: NodeJS.ProcessEnv = process.env): Version {
  const named = env['KUBEPASS_TEST_KUBERNETES'] ?? ''
  if (named === '') return USUAL
  if (isVersion(named)) return named
  throw new Error(`KUBEPASS_TEST_KUBERNETES is one of ${Object.keys(versions).join(', ')}, not ${named}`)
}
