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
  const network = parseNetwork(entry)
  if (network !== undefined) return isIn(host, network)
  const [name, entryPort] = splitPort(entry)
  if (name === '' || (entryPort !== '' && entryPort !== port)) return false
  return familyOf(name) === 0 ? isInDomain(host, name) : isIn(host, { address: name, prefix: bitsOf(name) })
}

/** The IP addresses that share the first `prefix` bits of `address`. */
interface Network {
  readonly address: string
  readonly prefix: number
}

/** Reads ADDRESS/PREFIX; undefined for any other text. */
function parseNetwork(entry: string): Network | undefined {
  const [, address = '', prefix = ''] = /^([^/]+)\/(\d+)$/.exec(entry) ?? []
  const isValid = familyOf(address) !== 0 && Number(prefix) <= bitsOf(address)
  return isValid ? { address, prefix: Number(prefix) } : undefined
}

/** Whether the host is the domain or lies below it. An IP address is in no domain. */
function isInDomain(host: string, name: string): boolean {
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
  return isIn(host, { address: '127.0.0.0', prefix: 8 }) || isIn(host, { address: '::1', prefix: 128 })
}

function isIn(host: string, network: Network): boolean {
  return familyOf(host) !== 0 && isIPv4(host) === isIPv4(network.address) && isWithin(host, network)
}

/** Counts an IPv4 address in the form of IPv6 as IPv4, as Go does. */
function isIPv4(address: string): boolean {
  return familyOf(address) === 4 || isWithin(address, { address: '::ffff:0:0', prefix: 96 })
}

function isWithin(address: string, network: Network): boolean {
  const nameOf = (text: string): 'ipv4' | 'ipv6' => (familyOf(text) === 4 ? 'ipv4' : 'ipv6')
  const list = new BlockList()
  list.addSubnet(network.address, network.prefix, nameOf(network.address))
  return list.check(address, nameOf(address))
}

/** The length of an IP address, in bits. */
function bitsOf(address: string): number {
  return familyOf(address) === 4 ? 32 : 128
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
