import { expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { proxyFor } from '../../src/net/proxy-variables.ts'
import { goTool } from '../cluster/go-tool.ts'

const PROXY = 'http://proxy.example.com:3128'
const HOST = 'https://api.example.com:6443'

interface Case {
  env: Record<string, string>
  url: string
}

/** Values of NO_PROXY, valid and invalid ones. */
const ENTRIES = [
  ...['', ' ', ',', '*', '*,x', 'x,*', ' * ', '**', '*.', '.', '..', ':', ':443', '/', '/8', '10.0.0.0/', '%', '[', '[]', '[]:443'],
  ...['api.example.com', 'API.EXAMPLE.COM', 'example.com', '.example.com', '*.example.com', 'com', '.com', 'ple.com', 'api.*', '*api*'],
  ...['api.example.com:6443', 'api.example.com:443', 'example.com:6443', '.example.com:443', '*.example.com:6443', 'api.example.com:'],
  ...['https://api.example.com', 'api.example.com/', 'api.example.com.', '.api.example.com', 'api.example.com,', 'x api.example.com'],
  ...[
    'x, api.example.com',
    'x;api.example.com',
    'x,,api.example.com',
    'api.example.com:6443:1',
    'api.example.com:https',
    '\tapi.example.com\t',
  ],
  ...['10.0.0.1', '10.0.0.0/8', '10.0.0.0/08', '10.0.0.1/32', '10.0.0.1/33', '10.0.0.1/0', '0.0.0.0/0', '10.0.0.1:6443', '10.0.0.1:443'],
  ...['10.*', '10.0.0.', '.0.0.1', '0.0.1', '*.0.0.1', '010.0.0.1', '10.0.0.1/255.0.0.0', '[10.0.0.1]', '[10.0.0.1]:6443', ' 10.0.0.0/8 '],
  ...['2001:db8::1', '2001:DB8::1', '2001:db8:0:0::1', '[2001:db8::1]', '[2001:db8::1]:6443', '[2001:db8::1]:443', '2001:db8::/32', '::/0'],
  ...[
    '[2001:db8::]/32',
    '2001:db8::1/129',
    '::ffff:10.0.0.1',
    '::ffff:10.0.0.0/104',
    'fe80::1',
    'fe80::1%eth0',
    'localhost',
    '127.0.0.1',
    '::1',
  ],
  ...['bücher.example', '.bücher.example', 'xn--bcher-kva.example', 'BÜCHER.example:6443', 'api_x.example.com', 'kubernetes.default.svc'],
]
const HOSTS = [
  ...['api.example.com', 'example.com', 'notexample.com', 'a.b.example.com', 'api.example.com.', 'com', 'API.Example.COM', 'x'],
  ...['10.0.0.1', '11.0.0.1', '[2001:db8::1]', '[2001:db9::1]', '[::ffff:10.0.0.1]', 'xn--bcher-kva.example', 'kubernetes.default.svc'],
  ...['localhost', 'localhost.', 'sub.localhost', '127.0.0.1', '127.8.9.1', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '[::]', '128.0.0.1'],
]

const PROXIES: Record<string, string>[] = [
  { HTTPS_PROXY: PROXY },
  { https_proxy: PROXY },
  { HTTPS_PROXY: PROXY, https_proxy: 'http://other:1' },
  { HTTPS_PROXY: '', https_proxy: PROXY },
  { HTTP_PROXY: PROXY, http_proxy: PROXY, ALL_PROXY: PROXY, all_proxy: PROXY },
  { Https_Proxy: PROXY },
  { HTTPS_PROXY: 'proxy.example.com:3128' },
  { HTTPS_PROXY: 'proxy.example.com' },
  { HTTPS_PROXY: '10.0.0.9:3128' },
  { HTTPS_PROXY: '[2001:db8::9]:3128' },
  { HTTPS_PROXY: 'user:word@proxy.example.com:3128' },
  { HTTPS_PROXY: 'HTTP://proxy.example.com:3128' },
  { HTTPS_PROXY: 'http://proxy.example.com' },
  { HTTPS_PROXY: 'https://proxy.example.com:3129/' },
  { HTTPS_PROXY: 'http://us%40er:wo%2Frd@proxy.example.com:3128' },
  { HTTPS_PROXY: PROXY, NO_PROXY: 'api.example.com', no_proxy: 'x' },
  { HTTPS_PROXY: PROXY, NO_PROXY: 'x', no_proxy: 'api.example.com' },
  { HTTPS_PROXY: PROXY, NO_PROXY: '', no_proxy: 'api.example.com' },
  { HTTPS_PROXY: PROXY, No_Proxy: 'api.example.com' },
]

const cases: Case[] = [
  ...PROXIES.map((env) => ({ env, url: HOST })),
  ...ENTRIES.flatMap((NO_PROXY) => HOSTS.map((host) => ({ env: { HTTPS_PROXY: PROXY, NO_PROXY }, url: `https://${host}:6443` }))),
  ...['api.example.com:443', '10.0.0.1:443', '[2001:db8::1]:443', 'api.example.com:6443'].flatMap((NO_PROXY) =>
    HOSTS.map((host) => ({ env: { HTTPS_PROXY: PROXY, NO_PROXY }, url: `https://${host}` })),
  ),
]

test("proxyFor chooses the same proxy as Go's httpproxy", async () => {
  const { stdout, stderr } = spawnSync(await goTool('proxy-rules'), {
    // Normalised by URL, as proxyFor() gets it.
    input: cases.map(({ env, url }) => JSON.stringify({ env, url: new URL(url).href })).join('\n'),
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  const answers = stdout.trimEnd().split('\n')
  expect(answers).toHaveLength(cases.length)
  const asUrl = (text: string): string => (text === 'none' ? text : new URL(text).href)
  const wrong = cases.flatMap(({ env, url }, index) => {
    const [ours, theirs] = [proxyFor(new URL(url), env)?.href ?? 'none', asUrl(answers[index] ?? '')]
    return ours === theirs ? [] : [{ env, url, ours, theirs }]
  })
  expect(wrong).toEqual([])
  expect(new Set(answers).size).toBeGreaterThan(5)
})

test.each(['socks5://proxy:1080', 'socks5h://proxy:1080', 'SOCKS5://u:hunter2hunter2@proxy:1080', 'ftp://proxy:21', 'quic://proxy'])(
  'the proxy %s is an error only for a host that NO_PROXY does not name',
  (HTTPS_PROXY) => {
    expect(() => proxyFor(new URL(HOST), { HTTPS_PROXY })).toThrow(
      'HTTPS_PROXY names a proxy for "api.example.com:6443" that is neither http nor https.',
    )
    expect(proxyFor(new URL(HOST), { HTTPS_PROXY, NO_PROXY: 'example.com' })).toBeUndefined()
  },
)
