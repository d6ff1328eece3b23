import { BlockList, isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/**
 * Whether kubepass connects to a URL without a proxy. The rules are those of Go's httpproxy, which kubectl follows: loopback
 * addresses and localhost always, and each host that an entry of NO_PROXY matches.
 * https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 */
export function isExcepted(target: URL, noProxy: string): boolean {
  const host = target.hostname.replace(/^\[|\]$/g, '')
  const port = target.port || (target.protocol === 'https:' ? '443' : '80')
  if (host === 'localhost' || isLoopbackAddress(host)) return true
  return noProxy.split(',').some((entry) => matches(entry.trim().toLowerCase(), host, port))
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  const [, network = '', prefix = ''] = /^([^/]+)\/(\d+)$/.exec(entry) ?? []
  const family = familyOf(network)
  if (family !== 0 && Number(prefix) <= (family === 4 ? 32 : 128)) return isIn(host, network, Number(prefix))
  const [name, entryPort] = splitPort(entry)
  if (name === '' || (entryPort !== '' && entryPort !== port)) return false
  if (familyOf(name) !== 0) return isIn(host, name, familyOf(name) === 4 ? 32 : 128)
  // An entry that is a domain never matches an IP address.
  if (familyOf(host) !== 0) return false
  const domain = inAscii(name.startsWith('*.') ? name.slice(1) : name)
  return host.endsWith(domain.startsWith('.') ? domain : `.${domain}`) || host === domain
}

/** Splits HOST:PORT or [IPV6]:PORT as Go does. Any other text is a host without a port. */
function splitPort(entry: string): [host: string, port: string] {
  const [, bracketed, plain, port = ''] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(entry) ?? []
  const host = bracketed ?? plain
  return host === undefined ? [entry, ''] : [host, port]
}

function isLoopbackAddress(host: string): boolean {
  return isIn(host, '127.0.0.0', 8) || isIn(host, '::1', 128)
}

function isIn(host: string, network: string, prefix: number): boolean {
  return familyOf(host) !== 0 && isIPv4(host) === isIPv4(network) && isWithin(host, network, prefix)
}

/** Counts an IPv4 address in the form of IPv6 as IPv4, as Go does. */
function isIPv4(address: string): boolean {
  return familyOf(address) === 4 || isWithin(address, '::ffff:0:0', 96)
}

function isWithin(address: string, network: string, prefix: number): boolean {
  const nameOf = (text: string): 'ipv4' | 'ipv6' => (familyOf(text) === 4 ? 'ipv4' : 'ipv6')
  const list = new BlockList()
  list.addSubnet(network, prefix, nameOf(network))
  return list.check(address, nameOf(address))
}

/** 4 or 6; 0 for no IP address. As in Go, an address with a zone is no IP address. */
function familyOf(text: string): number {
  return text.includes('%') ? 0 : isIP(text)
}

function inAscii(name: string): string {
  if (/^[\x20-\x7e]*$/.test(name)) return name
  const [, dot = '', rest = ''] = /^(\.?)(.*)$/.exec(name) ?? []
  return dot + (domainToASCII(rest) || rest)
}
