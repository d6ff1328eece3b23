export type IdentityKind = 'token' | 'github-oidc' | 'gitlab-oidc' | 'kubeconfig' | 'in-cluster'

/** Where the API server is, and by what it is known. */
export interface ClusterAccess {
  /** Its URL, without a slash at the end. Empty in the options while it has yet to come with the identity. */
  readonly server: string
  readonly certificateAuthority: string
  readonly proxyUrl: URL | undefined
  readonly tlsServerName: string | undefined
}

export interface KubeconfigInput {
  /** A function, so that nothing shows the text by accident; its secrets are sealed when it is parsed. */
  readonly text: () => string
  /** The files that it names: where relative paths start, or why it may name none. */
  readonly files: { readonly folder: string } | { readonly refused: string }
  /** Its own current-context when undefined. */
  readonly context: string | undefined
  readonly allowExec: boolean
  /** The public CAs of the system, if `certificate_authority` is system. */
  readonly systemRoots: string | undefined
}
