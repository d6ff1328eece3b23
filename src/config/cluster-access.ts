export type IdentityKind = 'token' | 'github-oidc' | 'gitlab-oidc' | 'kubeconfig' | 'in-cluster'

/** How to reach the API server, and how to verify its certificate. */
export interface ClusterAccess {
  /** The URL, without a slash at the end. In the options it is empty if the identity provides it. */
  readonly server: string
  readonly certificateAuthority: string
  readonly proxyUrl: URL | undefined
  readonly tlsServerName: string | undefined
}

export interface KubeconfigInput {
  /** A function, so that no code prints the text by accident. Its secrets are sealed only when it is parsed. */
  readonly text: () => string
  /** The base of relative paths in the kubeconfig, or the reason why it may name no file. */
  readonly files: { readonly folder: string } | { readonly refused: string }
  /** undefined for the current-context. */
  readonly context: string | undefined
  readonly allowExec: boolean
  /** The public CAs of the system as PEM, if `certificate_authority` is `system`. */
  readonly systemRoots: string | undefined
}
