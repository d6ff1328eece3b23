import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { signToken, type Claims } from '../cluster/token.ts'

export interface IdTokenAnswer {
  status: number
  headers?: OutgoingHttpHeaders
  body?: string
}

export interface IdTokenEndpoint {
  readonly url: string
  readonly bearer: string
  /** Every ID token given out. */
  readonly tokens: string[]
  /** Every audience asked for; undefined where none was named. */
  readonly audiences: (string | undefined)[]
  /** Set by a test that wants another answer, for as long as this returns one. */
  instead?: () => IdTokenAnswer | undefined | Promise<IdTokenAnswer | undefined>
  close(): Promise<void>
}

/** Stands for the service that gives a job its ID tokens. */
export async function serveIdTokens(info: ClusterInfo, claims: (audience?: string) => Claims): Promise<IdTokenEndpoint> {
  const server = createServer({ key: readFileSync(info.serverKey), cert: readFileSync(info.serverCert) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint: IdTokenEndpoint = {
    url: `https://127.0.0.1:${String((server.address() as AddressInfo).port)}/token?api-version=2.0`,
    bearer: `played-${randomUUID()}`,
    tokens: [],
    audiences: [],
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  const answer = async (url: string, authorization: string | undefined): Promise<IdTokenAnswer> => {
    const audience = new URL(url, endpoint.url).searchParams.get('audience') ?? undefined
    endpoint.audiences.push(audience)
    const other = await endpoint.instead?.()
    if (other !== undefined) return other
    if (authorization !== `Bearer ${endpoint.bearer}`) return { status: 401, body: '{"message":"not the token of this job"}' }
    const value = idToken(info, claims(audience))
    endpoint.tokens.push(value)
    return { status: 200, body: JSON.stringify({ count: value.length, value }) }
  }
  server.on('request', (request, response) => {
    void answer(request.url ?? '', request.headers.authorization).then(({ status, headers, body = '' }) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body),
    )
  })
  return endpoint
}

function idToken(info: ClusterInfo, claims: Claims): string {
  const iat = Math.floor(Date.now() / 1000)
  const issued = { iss: 'https://token.actions.githubusercontent.com', jti: randomUUID(), iat, nbf: iat - 600, exp: iat + 300 }
  return signToken({ ...issued, ...claims }, { typ: 'JWT', alg: 'RS256', kid: 'test' }, info.issuerKey)
}
