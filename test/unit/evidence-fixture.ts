import type { Options } from '../../src/config/options.ts'
import { toEvidence, type Evidence } from '../../src/state/evidence.ts'
import { outcomeOf } from '../../src/state/outcome.ts'
import { newRunState } from '../../src/state/run-state.ts'

const job = {
  platform: 'github',
  id: '7',
  attempt: '1',
  job: 'scan',
  repository: 'octo/repo',
  instance: 'https://github.com',
  actor: '',
  commit: '',
  ref: '',
  event: '',
} as const
const options = {
  server: 'https://k8s.example.com:6443',
  serviceAccount: { namespace: 'kubepass', name: 'scanner' },
  directory: '/tmp',
  duration: 900,
  tokenAudiences: [] as readonly string[],
} as Options

export const granted = {
  credential_id: 'JTI=abc',
  issued_at: '2026-01-01T00:00:00Z',
  expires_at: '2026-01-01T00:15:00Z',
  bound_to: 'kubepass-7-1-0123456789abcdef',
}
export const ended = { started_at: '2026-01-01T00:00:01Z', ended_at: '2026-01-01T00:00:40Z', exit_code: 0, signal: null, accepted: true }

/** A scan that passed, and a credential that is revoked and proven dead. */
export const whole: Partial<Evidence> = {
  identity: { kind: 'github-oidc', why: 'the job may request ID tokens' },
  granted,
  verified: { username: 'system:serviceaccount:kubepass:scanner', at: '2026-01-01T00:00:00Z' },
  used: ended,
  isolation: { isolated: true, why_not: null, as_root: false },
  revoked: { at: '2026-01-01T00:00:41.234Z' },
  proven: { dead_at: '2026-01-01T00:00:51Z', samples: 3, seconds_after_revocation: 9.8 },
  dead_by: '2026-01-01T00:16:10Z',
  finished: true,
}

export function evidenceOf(change: Partial<Evidence>): Evidence {
  const evidence = { ...toEvidence(newRunState(options, job)), ...change }
  return { ...evidence, outcome: outcomeOf(evidence) }
}
