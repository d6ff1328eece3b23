import { expect, test } from '@jest/globals'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { pemBlocks } from '../../src/config/pem.ts'
import { Redactor } from '../../src/redact/redactor.ts'
import { parseCertificate } from '../../src/config/certificates.ts'
import { sealKey } from '../../src/config/seal-credentials.ts'
import { textIn } from '../../src/config/small-file.ts'
import { CERTIFICATE } from './certificate.ts'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey

function pemOf(key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'sec1', label?: string): string {
  const pem = key.export({ type, format: 'pem' }).toString()
  return label === undefined ? pem : pem.replaceAll(/(BEGIN|END) [A-Z ]*PRIVATE KEY/g, `$1 ${label}`)
}

test('pemBlocks takes linear time for a text with many BEGIN lines and no END line', () => {
  const text = '-----BEGIN CERTIFICATE-----\n'.repeat(30_000)
  expect(pemBlocks(text)).toEqual([])
  expect(pemBlocks(`${text}${CERTIFICATE}`)).toHaveLength(1)
})

test.each([
  ['line ends of Windows', CERTIFICATE.replaceAll('\n', '\r\n')],
  ['other text around it', `a comment - of --- dashes\n${CERTIFICATE}\nthe end`],
  ['an unreadable certificate before it', `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${CERTIFICATE}`],
  ['a certificate with headers before it', `-----BEGIN CERTIFICATE-----\nA: b\n\nAAAA\n-----END CERTIFICATE-----\n${CERTIFICATE}`],
  ['a key before it', `${pemOf(ec, 'pkcs8')}${CERTIFICATE}`],
  [
    'its base64, broken into lines',
    Buffer.from(CERTIFICATE)
      .toString('base64')
      .replaceAll(/(.{64})/g, '$1\n'),
  ],
])('parseCertificate reads a certificate with %s', (_, text) => {
  expect(parseCertificate(text).trim()).toBe(CERTIFICATE)
})

test.each([
  ['another label', CERTIFICATE.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')],
  ['a certificate that is cut off', CERTIFICATE.replace(/\n.*\n(?=-----END)/, '\n')],
  ['no characters', ''],
])('parseCertificate finds no certificate in a text with %s', (_, text) => {
  expect(() => parseCertificate(text)).toThrow('holds no certificate that can be read')
})

test.each([
  ['different labels', CERTIFICATE.replace('END CERTIFICATE', 'END X')],
  ['no end', CERTIFICATE.replace(/-----END.*/, '')],
])('parseCertificate reports a certificate as cut off: %s', (_, text) => {
  expect(() => parseCertificate(text)).toThrow('lacks its line -----END')
})

test.each<[string, KeyObject, string]>([
  ['SEC 1', ec, pemOf(ec, 'sec1')],
  ['SEC 1 as PRIVATE KEY', ec, pemOf(ec, 'sec1', 'PRIVATE KEY')],
  ['SEC 1 as RSA PRIVATE KEY', ec, pemOf(ec, 'sec1', 'RSA PRIVATE KEY')],
  ['PKCS#8 as EC PRIVATE KEY', ec, pemOf(ec, 'pkcs8', 'EC PRIVATE KEY')],
  ['PKCS#8 as RSA PRIVATE KEY', rsa, pemOf(rsa, 'pkcs8', 'RSA PRIVATE KEY')],
  ['PKCS#1', rsa, pemOf(rsa, 'pkcs1')],
  ['PKCS#1 as PRIVATE KEY', rsa, pemOf(rsa, 'pkcs1', 'PRIVATE KEY')],
  ['Ed25519', ed25519, pemOf(ed25519, 'pkcs8')],
  ['a certificate before it', ec, `${CERTIFICATE}\n${pemOf(ec, 'sec1')}`],
  ['parameters before it', ec, `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${pemOf(ec, 'sec1')}`],
  ['the first of two', ec, `${pemOf(ec, 'pkcs8')}${pemOf(rsa, 'pkcs8')}`],
  ['its base64', ec, Buffer.from(pemOf(ec, 'sec1')).toString('base64')],
])('sealKey reads and seals a private key: %s', (_, key, text) => {
  const redactor = new Redactor()
  expect(sealKey(text, redactor.seal).reveal()).toBe(pemOf(key, 'pkcs8'))
  // The redactor must know both the given form and the form for Node.js.
  for (const shown of [text, pemOf(key, 'pkcs8')])
    for (const line of redactor.redact(shown).split('\n'))
      expect(line.startsWith('-----') || line.length < 16 || CERTIFICATE.includes(line) || !text.includes(line)).toBe(true)
})

test.each([
  [
    'encrypted, PKCS#8',
    ec.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
    /is encrypted, and kubepass cannot ask for its password/,
  ],
  [
    'encrypted, with headers',
    ec.export({ type: 'sec1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
    /is encrypted/,
  ],
  ['a public key', pemOf(ec, 'pkcs8', 'PUBLIC KEY'), /no private key/],
  ['no end', pemOf(ec, 'pkcs8').replace(/-----END.*/, ''), /lacks its line -----END/],
])('sealKey refuses a key: %s', (_, text, why) => {
  expect(() => sealKey(text, new Redactor().seal)).toThrow(why)
})

test('textIn reads UTF-8 and, after a byte order mark, UTF-16', () => {
  const utf16 = Buffer.from('\ufeffaß', 'utf16le')
  for (const bytes of [Buffer.from('aß'), Buffer.from('\ufeffaß'), utf16, Buffer.from(utf16).swap16()]) expect(textIn(bytes)).toBe('aß')
})
