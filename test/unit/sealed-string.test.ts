import { expect, test } from '@jest/globals'
import { format, inspect } from 'node:util'
import { serialize } from 'node:v8'
import { Redactor } from '../../src/redact/redactor.ts'

const VALUE = 'a-value-that-nobody-may-see'
const secret = new Redactor().seal(VALUE)

const ways: Record<string, () => unknown> = {
  String: () => String(secret),
  template: () => `<${secret as unknown as string}>`,
  sum: () => (secret as unknown as string) + '!',
  JSON: () => JSON.stringify({ secret }),
  inspect: () => inspect({ secret }),
  'inspect without custom': () => inspect(secret, { customInspect: false, showHidden: true }),
  '%s': () => format('%s', secret),
  '%o': () => format('%o', secret),
  '%j': () => format('%j', secret),
  spread: () => JSON.stringify({ ...(secret as object) }),
  entries: () => JSON.stringify(Object.entries(secret)),
  clone: () => inspect(structuredClone(secret)),
  v8: () => serialize(secret).toString('latin1'),
  'error cause': () => inspect(new Error('x', { cause: secret })),
  'error property': () => inspect(Object.assign(new Error('x'), { secret })),
}

test.each(Object.entries(ways))('%s does not show the value of a sealed string', (_name, way) => {
  expect(String(way())).not.toContain(VALUE)
})

test('reveal() returns the value of a sealed string', () => {
  expect(secret.reveal()).toBe(VALUE)
})
