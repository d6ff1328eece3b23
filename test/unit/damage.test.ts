import { describe, expect, test } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { damageOfKubeconfig } from '../../src/config/damage.ts'
import { exampleOf, inputIds, inputs } from '../../src/config/inputs.ts'
import { Redactor } from '../../src/redact/redactor.ts'
import { parseCertificate, parseCertificateAuthority } from '../../src/config/certificates.ts'
import { sealKey, sealToken } from '../../src/config/seal-credentials.ts'
import { InvalidValue } from '../../src/config/invalid-value.ts'
import { CERTIFICATE } from './certificate.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const JWT = `${part({ alg: 'RS256', kid: 'hunter2hunter2' })}.${part({ sub: 'hunter2hunter2hunter2' })}.aHVudGVyMmh1bnRlcjJodW50ZXIy`
const OPENSHIFT = 'sha256~hunter2hunter2hunter2hunter2hunter2abc'
const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const KUBECONFIG = stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'a', cluster: { server: 'https://a.example.com' } }],
  users: [{ name: 'b', user: { token: JWT } }],
  contexts: [{ name: 'c', context: { cluster: 'a', user: 'b' } }],
  'current-context': 'c',
})

/** The message of the InvalidValue that a function throws; empty if it throws none. */
function problemOf(read: () => unknown): string {
  try {
    read()
    return ''
  } catch (error) {
    if (error instanceof InvalidValue) return error.message
    throw error
  }
}

/** The message for a token. Also checks that the redactor changes nothing in it, and that no part of the token is in it. */
function problemOfToken(text: string): string {
  const redactor = new Redactor(inputIds.map(exampleOf))
  const message = `token ${problemOf(() => sealToken(text, redactor.seal))}; ${exampleOf('token')}`
  expect(redactor.redact(message)).toBe(message)
  expect(message).not.toMatch(/hunter2|aHVudGVyM/)
  return message
}

const PLACEHOLDERS: [string, RegExp][] = [
  ['REDACTED', /is REDACTED, which kubectl config view shows.*kubectl config view --raw --flatten --minify/],
  ['"REDACTED"', /is REDACTED/],
  ['DATA+OMITTED', /is DATA\+OMITTED, which kubectl config view shows/],
  ['***', /is the mask that a log shows/],
  ['[MASKED]', /is the mask that a log shows/],
  ['null', /is null, which a program prints/],
  ['<no value>', /which a program prints/],
  ['${{ secrets.KUBE_TOKEN }}', /expression that GitHub Actions evaluates/],
  ['${{ github.token }}', /expression that GitHub Actions evaluates/],
  ['$KUBE_TOKEN', /is the name of a variable/],
  ['${KUBE_TOKEN}', /is the name of a variable/],
  [inputs.token.example, /is the example of the documentation/],
  [inputs.token_file.example, /is the example of the documentation/],
]

describe('a token', () => {
  test.each<[string, RegExp]>([
    [`"${JWT}"`, /is in quotes\. Store it as it is: printf %s 'TOKEN' \| gh secret set NAME \(GitLab: glab variable set NAME\)/],
    [`'${JWT}'`, /is in quotes/],
    [`\\"${JWT}\\"`, /is in quotes/],
    [`"${OPENSHIFT}"`, /is in quotes/],
    [`Bearer ${JWT}`, /begins with a word of the HTTP header, such as Bearer/],
    [`bearer  ${OPENSHIFT}`, /such as Bearer/],
    [`Authorization: Bearer ${JWT}`, /such as Bearer/],
    [`Bearer%20${JWT}`, /such as Bearer/],
    [base64(JWT), /is the base64 of a token.*kubectl get secret NAME -o jsonpath=.* \| base64 -d/],
    [base64(`${JWT}\n`), /is the base64 of a token/],
    [base64(JWT).replaceAll(/.{76}/g, '$&\n'), /is the base64 of a token/],
    [`"${base64(JWT)}"`, /is in quotes/],
    [base64(base64(JWT)), /is the base64 of a token/],
    [base64(OPENSHIFT), /is the base64 of a token/],
    [`${JWT}\\n`, /ends with a line end that is written out, such as \\n/],
    [`${JWT}\\r\\n`, /ends with a line end/],
    [`${OPENSHIFT}\\n`, /ends with a line end/],
    [`${JWT}%0A`, /ends with a line end/],
    [JWT.replace('.', '.\n'), /is broken into parts/],
    [`${JWT.slice(0, 40)} ${JWT.slice(40)}`, /is broken into parts/],
    [`token: ${JWT}`, /begins with the name of a variable or a field|a word of the HTTP header/],
    [`KUBE_TOKEN=${JWT}`, /begins with the name of a variable/],
    [`export KUBE_TOKEN=${JWT}`, /begins with the name of a variable/],
    [JSON.stringify({ kind: 'TokenRequest', status: { token: JWT } }), /is a JSON document.*jq -r \.status\.token/],
    [CERTIFICATE, /is a certificate or a key/],
    [KUBECONFIG, /is a kubeconfig, not a token: give it as kubeconfig/],
    [Buffer.from(`\ufeff${JWT}\r\n`, 'utf16le').toString(), /is UTF-16.*Out-File/],
    ...PLACEHOLDERS,
  ])('the damage is named: %j', (text, says) => {
    expect(problemOfToken(text)).toMatch(says)
  })

  test.each([
    JWT,
    `${JWT}\n`,
    ` ${JWT}\r\n`,
    `\ufeff${JWT}`,
    OPENSHIFT,
    'abcdef.0123456789abcdef',
    'kubeconfig-user-abc:hunter2hunter2',
    'glpat-hunter2hunter2',
    base64('somebody:hunter2hunter2'),
    part({ opaque: 'hunter2hunter2' }),
    'wJalrhunter2/K7MDENG+bPxRfiCYhunter2KEY==',
    'k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20',
    'token-hunter2hunter2hunter2',
    'bearer-hunter2hunter2',
    'null-hunter2hunter2',
  ])('no damage is found: %j', (token) => {
    expect(problemOf(() => sealToken(token, new Redactor().seal))).toBe('')
  })

  test('the redactor learns a damaged token, and the token inside it', () => {
    for (const text of [`"${JWT}"`, `Bearer ${JWT}`, base64(JWT), JWT.replace('.', '.\n')]) {
      const redactor = new Redactor()
      problemOf(() => sealToken(text, redactor.seal))
      expect(redactor.redact(`<${JWT.slice(JWT.indexOf('.') + 1)}>`)).toBe('<***>')
      if (!text.includes('\n')) expect(redactor.redact(`<${text}>`)).not.toContain(text.slice(0, 40))
    }
  })
})

describe('PEM', () => {
  const lines = (pem: string): string[] => pem.trim().split('\n')
  const damages = (pem: string): [string, string, RegExp][] => [
    [
      '\\n as text',
      lines(pem).join('\\n'),
      /has \\n as text in place of its line ends\. .*gh secret set NAME < FILE \(GitLab: glab variable set NAME < FILE\); or on one line: base64 -w0 FILE/,
    ],
    ['\\\\n as text', lines(pem).join('\\\\n'), /has \\n as text/],
    ['%0A as text', lines(pem).join('%0A'), /has %0A as text/],
    ['blanks for line ends', lines(pem).join(' '), /has blanks in place of its line ends/],
    ['no line ends', lines(pem).join(''), /has lost its line ends/],
    ['its end cut off', pem.slice(0, 60), /lacks its line -----END: it was cut off/],
    ['its first line only', lines(pem)[0] ?? '', /it was cut off/],
    ['base64 twice over', base64(base64(pem)), /is base64 twice over/],
    ['the base64 of a damaged PEM', base64(lines(pem).join('\\n')), /has \\n as text/],
    ['UTF-16', Buffer.from(pem, 'utf16le').toString(), /is UTF-16/],
    ['DATA+OMITTED', 'DATA+OMITTED', /is DATA\+OMITTED, which kubectl config view shows.*--raw --flatten/],
    ['REDACTED', 'REDACTED', /is REDACTED/],
  ]
  const shown = (message: string, pem: string): void => {
    for (const line of lines(pem).slice(1, -1)) expect(message).not.toContain(line.slice(0, 16))
  }

  test.each(damages(CERTIFICATE))('the damage of a certificate is named: %s', (_, text, says) => {
    const message = problemOf(() => parseCertificate(text))
    expect(message).toMatch(says)
    shown(message, CERTIFICATE)
  })

  test.each(damages(CERTIFICATE).filter(([name]) => name !== 'REDACTED'))(
    'the damage of certificate_authority is named: %s',
    (_, text, says) => {
      expect(problemOf(() => parseCertificateAuthority(text))).toMatch(says)
    },
  )

  test('the damage is named for a certificate without BEGIN and END lines, and for a damaged file', () => {
    const bare = lines(CERTIFICATE).slice(1, -1).join('')
    expect(problemOf(() => parseCertificateAuthority(bare))).toMatch(/lacks the lines -----BEGIN CERTIFICATE-----/)
    const folder = mkdtempSync(join(tmpdir(), 'damage-test-'))
    writeFileSync(join(folder, 'ca.crt'), lines(CERTIFICATE).join('\\n'))
    expect(problemOf(() => parseCertificateAuthority(join(folder, 'ca.crt')))).toMatch(/has \\n as text/)
    rmSync(folder, { recursive: true })
  })

  test.each(damages(KEY))('the damage of a private key is named: %s', (_, text, says) => {
    const message = problemOf(() => sealKey(text, new Redactor().seal))
    expect(message).toMatch(says)
    shown(message, KEY)
  })

  test('a key in place of a certificate is named, and a certificate in place of a key', () => {
    expect(problemOf(() => parseCertificate(KEY))).toBe('holds no certificate that can be read, but a private key')
    expect(problemOf(() => sealKey(CERTIFICATE, new Redactor().seal))).toBe('holds no private key that can be read, but a certificate')
  })
})

describe('a kubeconfig', () => {
  const oneLine = KUBECONFIG.trim().split('\n')
  test.each<[string, string, RegExp]>([
    [
      'on one line',
      oneLine.join(' '),
      /is on one line: its line ends are lost\. .*kubectl config view --raw --flatten --minify \| base64 -w0/,
    ],
    ['without line ends', oneLine.join(''), /is on one line/],
    ['\\n as text', oneLine.join('\\n'), /has \\n as text/],
    ['without its blanks', oneLine.map((line) => line.trim()).join('\n'), /has lost the blanks at the beginning of its lines/],
    ['base64 twice over', base64(base64(KUBECONFIG)), /is base64 twice over/],
    ['base64 in a file', base64(KUBECONFIG), /is base64, and must be decoded where a file holds it/],
    ['the base64 of one line', base64(oneLine.join(' ')), /is on one line/],
    ['quotes', `"${KUBECONFIG}"`, /is in quotes/],
    ['quotes around its base64', `'${base64(KUBECONFIG)}'`, /is in quotes/],
    ['UTF-16', Buffer.from(KUBECONFIG, 'utf16le').toString(), /is UTF-16/],
    ['an expression', '${{ secrets.KUBECONFIG }}', /expression that GitHub Actions evaluates/],
  ])('the damage is named: %s', (_, text, says) => {
    const message = damageOfKubeconfig(text) ?? ''
    expect(message).toMatch(says)
    expect(message).not.toContain('hunter2')
  })

  test.each([KUBECONFIG, KUBECONFIG.replaceAll('\n', '\r\n'), JSON.stringify({ clusters: [], contexts: [] }), 'clusters: x', ''])(
    'no damage is found: %j',
    (text) => {
      expect(damageOfKubeconfig(text)).toBeUndefined()
    },
  )
})
