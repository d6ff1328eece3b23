import { expect, test } from '@jest/globals'
import { serverOf } from '../../src/system/pod.ts'

test.each<[string | undefined, string | undefined, string | undefined]>([
  ['10.0.0.1', '443', 'https://10.0.0.1'],
  ['10.0.0.1', '6443', 'https://10.0.0.1:6443'],
  ['fd00::1', '6443', 'https://[fd00::1]:6443'],
  ['kubernetes.default.svc', '443', 'https://kubernetes.default.svc'],
  ['10.0.0.1@evil.example.com/', '443', undefined],
  ['10.0.0.1', undefined, undefined],
  ['', '443', undefined],
  ['10.0.0.1', 'x', undefined],
])('KUBERNETES_SERVICE_HOST %j and KUBERNETES_SERVICE_PORT %j give the server %j', (host, port, server) => {
  expect(serverOf({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port })).toBe(server)
})
