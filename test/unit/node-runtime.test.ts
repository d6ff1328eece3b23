import { expect, test } from '@jest/globals'
import { describe } from '../../src/base/errors.ts'
import { rejectUnsafeNodeOptions } from '../../src/system/node-runtime.ts'

const namesIn = (options: string): string => {
  try {
    rejectUnsafeNodeOptions({ NODE_OPTIONS: options })
    return ''
  } catch (error) {
    return describe(error).split('\n')[0] ?? ''
  }
}

test.each([
  '',
  '   ',
  '--max-old-space-size=4096',
  '  --max_old_space_size=4096   --dns-result-order ipv4first --use-openssl-ca  ',
  '--no-network-family-autoselection --network-family-autoselection-attempt-timeout=500',
  '--no-warnings --disable-warning=MODULE_TYPELESS_PACKAGE_JSON --disable-warning DEP0040 --trace-deprecation --no-node-snapshot',
  '--use-system-ca --use-bundled-ca --tls-min-v1.3 --enable-source-maps --openssl-legacy-provider',
])('NODE_OPTIONS %j is accepted', (options) => {
  expect(namesIn(options)).toBe('')
})

test.each([
  ['--require ./x.cjs', '"--require"'],
  ['-r ./x.cjs', '"-r"'],
  ['--max-old-space-size=512 --import=data:text/javascript,secret --inspect', '"--import", "--inspect"'],
  ['--tls-keylog=/tmp/keys', '"--tls-keylog"'],
  ['--tls-min-v1.0', '"--tls-min-v1.0"'],
  ['--tls_cipher_list NULL', '"--tls_cipher_list"'],
  ['"--require" x', '""'],
  ['--use-openssl-ca --"inspect"', '"--"'],
  ['--use-openssl-ca\t--inspect', '"--use-openssl-ca"'],
  ['--dns-result-order=ipv4first\n::error::x', '"--dns-result-order"'],
  ['--disable-warning x --inspect', '"--inspect"'],
  ['--report-directory /tmp', '"--report-directory"'],
  ['/tmp/x', '"/tmp/x"'],
])('NODE_OPTIONS %j is refused, and the message names %s', (options, named) => {
  expect(namesIn(options)).toBe(`NODE_OPTIONS holds ${named}.`)
})

test('of all options that Node.js allows in NODE_OPTIONS, only the listed ones are accepted', () => {
  const values = ['', '=1', '=x', ' 1', ' x']
  const passes = (flag: string): boolean => values.some((value) => namesIn(`${flag}${value}`) === '')
  const flags = [...process.allowedNodeEnvironmentFlags].filter((flag) => !flag.startsWith('--no-') && passes(flag))
  expect(flags.toSorted()).toEqual([
    '--deprecation',
    '--disable-sigusr1',
    '--disable-warning',
    '--dns-result-order',
    '--enable-network-family-autoselection',
    '--enable-source-maps',
    '--experimental-vm-modules',
    '--max-heap-size',
    '--max-http-header-size',
    '--max-old-space-size',
    '--max-old-space-size-percentage',
    '--max-semi-space-size',
    '--network-family-autoselection',
    '--network-family-autoselection-attempt-timeout',
    '--openssl-legacy-provider',
    '--tls-min-v1.2',
    '--tls-min-v1.3',
    '--trace-deprecation',
    '--trace-warnings',
    '--use-bundled-ca',
    '--use-openssl-ca',
    '--use-system-ca',
    '--v8-pool-size',
    '--warnings',
  ])
})
