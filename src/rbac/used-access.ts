/** One distinct request of a scan, as RBAC judges it. Times are ISO 8601. */
export interface UsedAccess {
  readonly verb: string
  readonly group: string | null
  readonly resource: string | null
  readonly subresource: string | null
  readonly namespace: string | null
  readonly name: string | null
  /** Set for a request that names no resource. */
  readonly path: string | null
  readonly refused_by: 'api-server' | 'kubepass' | null
  readonly count: number
  /** How often each HTTP status was the answer. */
  readonly statuses: Readonly<Record<string, number>>
  readonly first_at: string
  readonly last_at: string
}

/** The field `api_access` of the evidence. It is null if the scan had the token. */
export interface ApiAccess {
  /** When the API proxy was closed; null if main was killed before that. */
  readonly ended_at: string | null
  readonly streams_cut: number
  /** Requests with the credential of the run; null if main was killed, because it alone counted them. */
  readonly requests: number | null
  /** Requests without it, which were refused. */
  readonly unauthenticated: number
  readonly uses: readonly UsedAccess[]
  /** Requests that `uses` does not list. */
  readonly not_listed: number
}
