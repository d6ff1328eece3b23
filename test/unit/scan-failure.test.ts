import { expect, test } from '@jest/globals'
import { scanFailure, unreachedProxy } from '../../src/scan/failure.ts'

test.each<[number, string | null, number[], string]>([
  [42, null, [0], 'The scan ended with exit code 42, which is not among accept_exit_codes (0).'],
  [1, null, [0, 100, 101], 'The scan ended with exit code 1, which is not among accept_exit_codes (0,100,101).'],
  [255, null, [0], 'The scan ended with exit code 255, which is not among accept_exit_codes (0).'],
  [127, null, [0], 'The scan ended with exit code 127, which is not among accept_exit_codes (0).'],
  [143, null, [0], 'The scan ended with exit code 143, as after SIGTERM, which is not among accept_exit_codes (0).'],
  [143, 'SIGTERM', [0], 'The scan was ended by SIGTERM (exit code 143), which is not among accept_exit_codes (0).'],
  [
    137,
    'SIGKILL',
    [0],
    'The scan was ended by SIGKILL (exit code 137), which is not among accept_exit_codes (0). Did the machine run out of memory?',
  ],
  [
    137,
    null,
    [0],
    'The scan ended with exit code 137, as after SIGKILL, which is not among accept_exit_codes (0). Did the machine run out of memory?',
  ],
])('the failure message names exit code %j and signal %j', (exit_code, signal, accepted, expected) => {
  const used = { started_at: '', ended_at: '', exit_code, signal, accepted: false }
  expect(scanFailure(used, accepted, 'accept_exit_codes')).toBe(expected)
})

test('the failure message of a scan that sent no request names the address of the API proxy, the causes and the remedy', () => {
  const message = unreachedProxy('https://127.0.0.1:4711', 0, '--delivery')
  expect(message).toMatch(/^The scan sent no request to the API proxy at 127\.0\.0\.1:4711\. /)
  for (const cause of ['container', 'remote Docker daemon', 'NO_PROXY']) expect(message).toContain(cause)
  expect(message).toMatch(/Set --delivery to kubeconfig, or .* --network host\.$/)
})
