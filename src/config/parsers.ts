import { isIP } from 'node:net'
import { quote } from '../base/quote.ts'
import { InvalidValue } from './invalid-value.ts'

export function parseServiceAccount(text: string): { namespace: string; name: string } {
  const [namespace = '', name = '', ...more] = text.split('/')
  if (more.length > 0 || !isLabel(namespace) || !isSubdomain(name)) throw new InvalidValue(`is ${quote(text)}, not NAMESPACE/NAME`)
  return { namespace, name }
}

export function parseNamespace(text: string): string {
  if (!isLabel(text)) throw new InvalidValue(`is ${quote(text)}, not the name of a namespace`)
  return text
}

/** The allowed characters are few, because clients print the name, use it in file names and take it as an argument. */
export function parseContextName(text: string): string {
  if (text.length > 253 || !/^[A-Za-z0-9[][A-Za-z0-9.:@_/[\]-]*$/.test(text))
    throw new InvalidValue(`is ${quote(text)}, not a name of letters, digits and . : @ _ / [ ] -, of at most 253 characters`)
  return text
}

export function parseDuration(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,7})(s|m|h|)$/.exec(text) ?? []
  if (number === '') throw new InvalidValue(`is ${quote(text)}, not a duration`)
  return Number(number) * { s: 1, m: 60, h: 3600, '': 1 }[unit as 's' | 'm' | 'h' | '']
}

export function parseDeadline(text: string): number {
  const seconds = parseDuration(text)
  if (seconds < 1 || seconds > 600) throw new InvalidValue(`is ${quote(text)}, not from 1s to 10m`)
  return seconds
}

export function parseGrace(text: string): number {
  const seconds = parseDuration(text)
  // https://github.com/kubernetes/kubernetes/blob/v1.36.2/staging/src/k8s.io/client-go/transport/token_source.go
  if (seconds < 60)
    throw new InvalidValue(`is ${quote(text)}: Go programs re-read a token once a minute, so that a shorter time cuts them off`)
  return seconds
}

export function parseMaxScan(text: string): number {
  const seconds = parseDuration(text)
  if (seconds < 1 || seconds > 24 * 3600) throw new InvalidValue(`is ${quote(text)}, not from 1s to 24h`)
  return seconds
}

export function parseLife(text: string, longest: number, nameOfLongest: string): number {
  const seconds = parseDuration(text)
  if (seconds < 600) throw new InvalidValue(`is ${quote(text)}: the API server issues no token for less than 10 minutes`)
  if (seconds > longest) throw new InvalidValue(`is ${quote(text)}, over the limit of ${longest} s; to allow it, raise ${nameOfLongest}`)
  return seconds
}

export function parseExitCodes(text: string): number[] {
  return splitList(text).map((word) => {
    const code = Number(word)
    if (!Number.isInteger(code) || code < 0 || code > 255) throw new InvalidValue(`holds ${quote(word)}, not a number from 0 to 255`)
    return code
  })
}

export function parseSamples(text: string): number {
  const samples = Number(text)
  if (!Number.isInteger(samples) || samples < 1 || samples > 20) throw new InvalidValue(`is ${quote(text)}, not a number from 1 to 20`)
  return samples
}

export function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}

/** @returns the text, which is one of the allowed words */
export function parseChoice(text: string, allowed: readonly string[]): string {
  if (!allowed.includes(text)) throw new InvalidValue(`is ${quote(text)}, not one of ${allowed.join(', ')}`)
  return text
}

export function parseAudience(text: string): string {
  if (/[\s\p{Cc}]/u.test(text)) throw new InvalidValue('holds white space or control characters')
  return text
}

export function parseVariableNames(text: string): string[] {
  const names = splitList(text)
  const wrong = names.find((name) => !isVariableName(name))
  if (wrong !== undefined) throw new InvalidValue(`holds ${quote(wrong)}, not the name of a variable`)
  return names
}

export function parseTokenVariable(text: string): string {
  if (!isVariableName(text) || /^(PATH|HOME|NODE_OPTIONS|KUBECONFIG|KUBE_CONFIG_PATH|GITHUB_.*|RUNNER_.*|KUBEPASS_.*|LD_.*)$/.test(text)) {
    throw new InvalidValue(`is ${quote(text)}, not a name that a token may have`)
  }
  return text
}

function isVariableName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)
}

export function parseServer(text: string): string {
  const url = parseUrl(text)
  if (url.username !== '' || url.password !== '') throw new InvalidValue('holds a user name or password')
  if (url.protocol !== 'https:') throw new InvalidValue(`is ${quote(text)}: only https carries a token`)
  if (url.search !== '' || url.hash !== '') throw new InvalidValue('holds a query or fragment')
  return url.href.replace(/\/$/, '')
}

export function parseProxy(text: string): URL {
  const url = parseUrl(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new InvalidValue('is neither http nor https')
  if (url.username !== '' || url.password !== '')
    throw new InvalidValue('holds a user name or password, which the kubeconfig would show to the scan')
  return url
}

function parseUrl(text: string): URL {
  if (/[\s\p{Cc}]/u.test(text)) throw new InvalidValue('holds white space or control characters')
  const url = URL.parse(text)
  // The message does not quote the text, because it may contain a password.
  if (url === null) throw new InvalidValue('is not a URL (such as https://10.0.0.1:6443)')
  return url
}

// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
export function isLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)
}

export function isSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((part) => part !== '' && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(part))
}

export function parseServerName(text: string): string {
  if (!isSubdomain(text.toLowerCase()) && isIP(text) === 0)
    throw new InvalidValue(`is ${quote(text)}, neither a host name nor an IP address`)
  return text
}
