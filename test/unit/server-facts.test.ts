import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deadlineAfter } from '../../src/base/deadline.ts'
import { KubeClient } from '../../src/kube/client.ts'
import { reviewIssuer } from '../../src/kube/self-subject-review.ts'
import { serverVersion } from '../../src/kube/server-version.ts'
import { Http } from '../../src/net/http.ts'
import { Redactor } from '../../src/redact/redactor.ts'

const folder = mkdtempSync(join(tmpdir(), 'server-facts-test-'))
const file = (name: string): string => readFileSync(join(folder, name), 'utf8')
const auth = { bearer: new Redactor().seal('a-token') }
let server: Server
let answer: (request: IncomingMessage, response: ServerResponse) => void
const seen: string[] = []

beforeAll(async () => {
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', 'key', '-out', 'crt'], { cwd: folder, stdio: 'pipe' })
  server = createServer({ key: file('key'), cert: file('crt') }, (request, response) => {
    seen.push(`${request.method ?? ''} ${request.url ?? ''} ${request.headers.authorization ?? ''}`)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

/** Calls the server once, which answers as given. */
async function asked<T>(
  call: (client: KubeClient, signal: AbortSignal) => Promise<T>,
  how: typeof answer,
  milliseconds = 5_000,
): Promise<T> {
  answer = how
  seen.length = 0
  const url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  const http = new Http({ ca: file('crt'), serverName: undefined, proxyUrl: undefined })
  const info = (text: string): void => {
    throw new Error(`must not be printed: ${text}`)
  }
  const client = new KubeClient({ http, server: url, userAgent: 'test', info, isNewHost: true })
  try {
    return await call(client, deadlineAfter(milliseconds))
  } finally {
    client.close()
  }
}

function json(status: number, body: unknown): typeof answer {
  return (_request, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const failures: [string, typeof answer][] = [
  ['403', json(403, { kind: 'Status', apiVersion: 'v1', code: 403, reason: 'Forbidden' })],
  ['429 with Retry-After', (_, response) => response.writeHead(429, { 'retry-after': '1' }).end()],
  ['503', json(503, {})],
  ['HTML', (_, response) => response.writeHead(201, { 'content-type': 'text/html' }).end('<html>')],
  ['null', json(201, null)],
  ['a list', json(200, [])],
  ['a closed connection', (request) => request.socket.destroy()],
]

describe('reviewIssuer', () => {
  const review = (userInfo: unknown): typeof answer => json(201, { kind: 'SelfSubjectReview', status: { userInfo } })
  const extra = (id: unknown): object => ({ 'authentication.kubernetes.io/credential-id': id })
  const ask = (client: KubeClient, signal: AbortSignal): Promise<unknown> => reviewIssuer(client, auth, signal)

  test.each<[string, unknown, string | null]>([
    ['a credential id', extra(['JTI=a-b']), 'JTI=a-b'],
    ["a certificate's id", extra([`X509SHA256=${'0'.repeat(64)}`]), `X509SHA256=${'0'.repeat(64)}`],
    ['no extra facts', undefined, null],
    ['no id', extra([]), null],
    ['an id of another form', extra(['a\n::error::forged']), null],
    ['a text for the list', extra('JTI=a'), 'JTI=a'],
    ['a number for the id', extra([7]), null],
    ['null for the list', extra(null), null],
  ])('reads the user with %s', async (_what, facts, id) => {
    const issuer = await asked(ask, review({ username: 'ci:octo/repo', extra: facts }))
    expect(issuer).toEqual({ username: 'ci:octo/repo', credential_id: id })
    expect(seen).toEqual(['POST /apis/authentication.k8s.io/v1/selfsubjectreviews Bearer a-token'])
  })

  test.each([
    ...failures,
    ['200', json(200, { status: { userInfo: { username: 'x' } } })] as const,
    ['no user', json(201, { status: {} })] as const,
    ['a user without a name', review({})] as const,
    ['a name that is too long', review({ username: 'x'.repeat(1001) })] as const,
    ['a command in the name', review({ username: 'x\n::error::forged' })] as const,
  ])('takes the answer %s for none, and does not try again', async (_what, how) => {
    expect(await asked(ask, how)).toBeUndefined()
    expect(seen).toHaveLength(1)
  })

  test('gives up at its deadline, and sends nothing after it', async () => {
    expect(await asked(ask, () => undefined, 50)).toBeUndefined()
    expect(
      await asked(
        (client) => reviewIssuer(client, auth, AbortSignal.abort()),
        () => undefined,
      ),
    ).toBeUndefined()
    expect(seen).toEqual([])
  })
})

describe('serverVersion', () => {
  const ask = (client: KubeClient, signal: AbortSignal): Promise<unknown> => serverVersion(client, auth, signal)

  test.each(['v1.28.0', 'v1.36.0-gke.1234', 'v1.36.0+k3s1'])('reads %s', async (gitVersion) => {
    expect(await asked(ask, json(200, { major: '1', gitVersion }))).toBe(gitVersion)
    expect(seen).toEqual(['GET /version Bearer a-token'])
  })

  test.each([
    ...failures,
    ['201', json(201, { gitVersion: 'v1.36.0' })] as const,
    ['a number', json(200, { gitVersion: 1 })] as const,
    ['a version that is too long', json(200, { gitVersion: `v1.${'0'.repeat(100)}` })] as const,
    ['a command in the version', json(200, { gitVersion: 'v1.36.0\n::error::forged' })] as const,
  ])('takes the answer %s for none, and does not try again', async (_what, how) => {
    expect(await asked(ask, how)).toBeUndefined()
    expect(seen).toHaveLength(1)
  })
})
