import { errnoOf, KubepassError } from '../base/errors.ts'
import type { CredentialState } from '../state/credential-state.ts'
import { reduce, type RunEvent } from '../state/run-events.ts'
import { toSavedForm } from '../state/run-state-codec.ts'
import type { RunState } from '../state/run-state.ts'

/** Where the run state is saved for the post step or for `kubepass revoke`. */
export interface StateStore {
  save(state: RunState): void
  /** Undefined where the state stays until the runner removes it. */
  readonly clear?: () => void
}

/** The run state in memory. All changes go through `intend` and `observe`. */
export class Journal {
  #state: RunState
  readonly #store: StateStore
  #isCleared = false

  constructor(store: StateStore, state: RunState) {
    this.#store = store
    this.#state = state
  }

  get state(): RunState {
    return this.#state
  }

  /** Undefined for a credential that was forgotten. */
  credential(number: number): CredentialState | undefined {
    return this.#state.credentials.find((each) => each.number === number)
  }

  /**
   * Saves the first state.
   * @throws INPUT when it cannot be saved
   */
  begin(): void {
    saveOrThrow(() => this.#store.save(toSavedForm(this.#state)))
  }

  /**
   * Saves the event, then starts the effect: a later process must know of everything that can exist.
   * @throws INPUT when the state cannot be saved; then the effect does not start
   */
  async intend<T>(event: RunEvent, effect: () => Promise<T>): Promise<T> {
    const next = reduce(this.#state, event)
    saveOrThrow(() => this.#store.save(toSavedForm(next)))
    this.#state = next
    return effect()
  }

  /** Saves what this process saw. A failure to save becomes a warning, because the work under way must go on. */
  observe(event: RunEvent): void {
    this.#state = reduce(this.#state, event)
    if (this.#isCleared) return
    try {
      this.#store.save(toSavedForm(this.#state))
    } catch (error) {
      const text = `The run state could not be saved (${errnoOf(error) || 'unknown reason'}).`
      this.#state = reduce(this.#state, { type: 'Warned', text })
    }
  }

  /** Removes the saved state: no later process needs it. */
  clear(): void {
    if (this.#store.clear === undefined) return
    this.#isCleared = true
    this.#store.clear()
  }
}

/** @throws INPUT when the state cannot be saved: no later process could finish the run */
export function saveOrThrow(save: () => void): void {
  try {
    save()
  } catch (cause) {
    throw new KubepassError('INPUT', `The run state, from which a later step finishes this run, cannot be saved (${errnoOf(cause)}).`, {
      hint: 'Is the disk full or read-only? A CI runner keeps the run state; in a terminal it is a file in TMPDIR or in directory.',
    })
  }
}
