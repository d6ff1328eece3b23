import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { answerWith, type Disturbance, type OtherAnswer } from '../cluster/proxy.ts'
import { signIdToken, type Claims } from '../cluster/token.ts'

export interface IdTokenEndpoint {
  readonly url: string
  readonly bearer: string
  /** Every issued ID token. */
  readonly tokens: string[]
  /** Every requested audience; undefined for a request without one. */
  readonly audiences: (string | undefined)[]
  /** A test sets this function to replace the answers. If it returns undefined, the service sends the ordinary answer. */
  instead?: (answer: () => OtherAnswer) => Disturbance | Promise<Disturbance>
  close(): Promise<void>
}

/** Starts a simulated service from which a job requests ID tokens. */
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
  const ordinary = (audience: string | undefined, authorization: string | undefined): OtherAnswer => {
    if (authorization !== `Bearer ${endpoint.bearer}`) return { status: 401, body: '{"message":"not the token of this job"}' }
    const value = idToken(info, claims(audience))
    endpoint.tokens.push(value)
    return { status: 200, body: JSON.stringify({ count: value.length, value }) }
  }
  const handle = async ({ headers, socket, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const audience = new URL(url, endpoint.url).searchParams.get('audience') ?? undefined
    endpoint.audiences.push(audience)
    const answer = (): OtherAnswer => ordinary(audience, headers.authorization)
    await answerWith((await endpoint.instead?.(answer)) ?? answer(), response, () => socket.destroy())
  }
  server.on('request', (request, response) => void handle(request, response))
  return endpoint
}

function idToken(info: ClusterInfo, claims: Claims): string {
  const iat = Math.floor(Date.now() / 1000)
  const issued = { iss: 'https://token.actions.githubusercontent.com', jti: randomUUID(), iat, nbf: iat - 600, exp: iat + 300 }
  return signIdToken(info, { ...issued, ...claims })
}
