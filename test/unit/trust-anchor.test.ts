import { afterAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deadlineAfter } from '../../src/base/deadline.ts'
import { Http } from '../../src/net/http.ts'
import { documented } from '../documented.ts'

const folder = mkdtempSync(join(tmpdir(), 'trust-anchor-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Makes certificates with new keys. NAME=ISSUER is signed by the issuer, NAME~OTHER=ISSUER has the key and the subject of OTHER. */
const SCRIPT = `
set -e
make() {
  [ -e "$3.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$3.key"
  openssl req -new -key "$3.key" -subj "/CN=$3" -out "$1.csr"
  if [ "$1" = server ]; then printf 'subjectAltName=IP:127.0.0.1\\n'; else printf 'basicConstraints=critical,CA:TRUE\\n'; fi > "$1.ext"
  if [ "$2" = "$1" ]; then set -- "$@" -signkey "$2.key"; else set -- "$@" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial; fi
  name=$1; shift 3
  openssl x509 -req -in "$name.csr" -extfile "$name.ext" -days 2 -out "$name.crt" "$@" 2>/dev/null
}
make root root root
make other other other
make crossed other root
make middle root middle
make server middle server
`
execFileSync('sh', ['-c', SCRIPT], { cwd: folder })
const pem = (...names: string[]): string => names.map((name) => readFileSync(join(folder, `${name}.crt`), 'utf8')).join('')

/** The digest that the documented command prints. */
function digestOf(name: string): string {
  const command = documented('ca_sha256', 'openssl x509 -in ca.crt -outform DER | sha256sum').replace('ca.crt', `${name}.crt`)
  return execFileSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' }).split(' ', 1)[0] ?? ''
}

/** Connects to a server that sends these certificates, and returns the digest of the CA at which the chain ends. */
async function caSha256(sent: string[], trusted: string[]): Promise<string | undefined> {
  const server = createServer({ key: readFileSync(join(folder, 'server.key')), cert: pem(...sent) }, (_request, response) => response.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const http = new Http({ ca: pem(...trusted), serverName: undefined, proxyUrl: undefined })
  try {
    expect(http.caSha256()).toBeUndefined()
    const url = new URL(`https://127.0.0.1:${String((server.address() as AddressInfo).port)}/`)
    const { status } = await http.exchange({ url, method: 'GET', headers: {}, signal: deadlineAfter(10_000) })
    expect(status).toBe(200)
    return http.caSha256()
  } finally {
    http.close()
    server.close()
  }
}

test.each<[sent: string[], trusted: string[], anchor: string]>([
  [['server', 'middle'], ['root'], 'root'],
  [['server', 'middle', 'root'], ['root'], 'root'],
  [['server', 'middle'], ['other', 'root'], 'root'],
  [['server'], ['middle'], 'middle'],
  [['server', 'middle', 'root'], ['middle'], 'middle'],
  [['server'], ['middle', 'root'], 'root'],
  [['server'], ['server'], 'server'],
  // The server sends a cross-signed certificate of the root; each of both CAs can end the chain.
  [['server', 'middle', 'crossed'], ['root'], 'root'],
  [['server', 'middle', 'crossed'], ['other'], 'other'],
  // The server also sends a trusted CA that has issued nothing.
  [['server', 'middle', 'other'], ['root', 'other'], 'root'],
])('if a server sends %j and the client trusts %j, the chain ends at %s', async (sent, trusted, anchor) => {
  expect(await caSha256(sent, trusted)).toBe(digestOf(anchor))
})

test('the digest has the digits of the fingerprint that openssl prints', () => {
  const printed = execFileSync('openssl', ['x509', '-in', 'root.crt', '-noout', '-fingerprint', '-sha256'], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect(printed.trim().split('=')[1]?.replaceAll(':', '').toLowerCase()).toBe(digestOf('root'))
})
