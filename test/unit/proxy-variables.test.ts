import { expect, test } from '@jest/globals'
import { problemOfProxy, proxyPassword, sealProxyPasswords } from '../../src/net/proxy-variables.ts'
import { Redactor } from '../../src/redact/redactor.ts'

test.each([
  ['http://user:word@host:3128', 'word'],
  ['http://:word@host', 'word'],
  ['user:word@host:3128', 'word'],
  ['http://user:w/o:r@d@host:3128', 'w/o:r@d'],
  ['http://user@host:3128', undefined],
  ['http://host:3128', undefined],
  ['http://host:3128/', undefined],
  ['', undefined],
])('the password in the proxy variable %j is %j', (value, password) => {
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'http_proxy', 'ALL_PROXY']) expect(proxyPassword(name, value)).toBe(password)
  expect(proxyPassword('NO_PROXY', value)).toBeUndefined()
})

test('the password of a proxy is masked as written and decoded, unless it is shorter than 8 characters', () => {
  const redactor = new Redactor()
  sealProxyPasswords({ HTTPS_PROXY: 'http://u:long%40enough@host', http_proxy: 'http://u:usr@host', PATH: '/usr/bin' }, redactor.seal)
  expect(redactor.redact('long%40enough long@enough /usr/bin')).toBe('*** *** /usr/bin')
})

test.each([
  [{ HTTPS_PROXY: 'http://user:word@host:3128' }, true],
  [{ https_proxy: 'https://host' }, true],
  [{}, true],
  [{ HTTPS_PROXY: 'host:3128' }, true],
  // Valid here, because only proxyFor() knows whether the host uses the proxy.
  [{ HTTPS_PROXY: 'socks5://host' }, true],
  [{ HTTPS_PROXY: 'http://host', https_proxy: 'http://[' }, true],
  [{ https_proxy: 'http://host', HTTPS_PROXY: 'http://[' }, false],
  [{ HTTPS_PROXY: 'http://' }, false],
  [{ HTTPS_PROXY: '//host:3128' }, false],
  [{ HTTPS_PROXY: ' http://host' }, false],
  [{ HTTPS_PROXY: '::1' }, false],
  [{ HTTPS_PROXY: 'http://user:wo/rd@host:3128' }, false],
  [{ HTTPS_PROXY: 'http://user:12/rd@host:3128' }, false],
  [{ HTTPS_PROXY: 'http://user:100%@host:3128' }, false],
  [{ HTTPS_PROXY: 'http://host\n' }, false],
])('problemOfProxy accepts %j: %j', (env, good) => {
  const problem = problemOfProxy(env)
  expect(problem === undefined).toBe(good)
  if (!good) expect(problem).toMatch(/^HTTPS_PROXY is no URL that can be used; for example: http:/)
})
