import { expect, test } from '@jest/globals'
import type { Options } from '../../src/config/options.ts'
import { Journal, type StateStore } from '../../src/lifecycle/journal.ts'
import type { RunEvent } from '../../src/state/run-events.ts'
import { newRunState, type RunState } from '../../src/state/run-state.ts'

const job = {
  platform: 'github',
  id: '1',
  attempt: '1',
  job: '',
  repository: '',
  instance: '',
  actor: 'octocat',
  commit: '6dcb09b',
  ref: 'refs/heads/main',
  event: 'push',
} as const
const options = { server: 'https://10.0.0.1', serviceAccount: { namespace: 'kubepass', name: 'scanner' }, directory: '/tmp' } as Options
const requested: RunEvent = { type: 'SecretRequested', number: 1, slot: 0, deadBy: '2026-01-01T00:00:00Z' }

/** A store that can be full. */
class MemoryStore implements StateStore {
  readonly saved: RunState[] = []
  isFull = false
  isCleared = false

  save(state: RunState): void {
    if (this.isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    this.saved.push(state)
  }

  clear(): void {
    this.isCleared = true
  }
}

function journal(): { store: MemoryStore; journal: Journal } {
  const store = new MemoryStore()
  return { store, journal: new Journal(store, newRunState(options, job)) }
}

test('an intended effect starts when the state with its event is saved', async () => {
  const { store, journal: log } = journal()
  const result = await log.intend(requested, () => Promise.resolve(store.saved.at(-1)?.credentials[0]?.phase))
  expect(result).toBe('secret-requested')
  expect(log.credential(1)?.phase).toBe('secret-requested')
})

test('an effect whose event cannot be saved does not start, and the state stays as it was', async () => {
  const { store, journal: log } = journal()
  store.isFull = true
  let started = false
  const effect = log.intend(requested, () => Promise.resolve((started = true)))
  await expect(effect).rejects.toMatchObject({ code: 'INPUT', message: expect.stringContaining('ENOSPC') as unknown })
  expect([started, log.credential(1)]).toEqual([false, undefined])
})

test('what was seen counts although it cannot be saved; one warning tells of that', () => {
  const { store, journal: log } = journal()
  store.isFull = true
  log.observe({ type: 'CleanedUp', proofLeftToPost: false })
  log.observe({ type: 'Failed', code: 'REFUSED', reason: 'no' })
  expect(log.state).toMatchObject({ cleanupAttempted: true, error: 'REFUSED', warnings: ['The run state could not be saved (ENOSPC).'] })
})

test('a cleared state is not saved again', () => {
  const { store, journal: log } = journal()
  log.clear()
  log.observe({ type: 'Warned', text: 'late' })
  expect([store.isCleared, store.saved.length, log.state.warnings]).toEqual([true, 0, ['late']])
})

test('a state that the runner keeps is saved after the end of the run too', () => {
  const saved: RunState[] = []
  const log = new Journal({ save: (state) => saved.push(state) }, newRunState(options, job))
  log.clear()
  log.observe({ type: 'Reported' })
  expect(saved).toMatchObject([{ reported: true }])
})
