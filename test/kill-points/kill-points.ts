import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

/** What the preloaded module is to do. */
export interface Plan {
  /** Where it writes the names of the boundaries, a line each. */
  log: string
  /** The one, counted from 1, at which the process ends; none when undefined. */
  killAt: number | undefined
}

// Stripped once, and not by each program that is played.
const preload = stripTypeScriptTypes(readFileSync(new URL('preload.ts', import.meta.url), 'utf8'))

/** For node, before the program. */
export const PRELOADED = ['--import', `data:text/javascript;base64,${Buffer.from(preload).toString('base64')}`]

/** Kills the programs of one job at a boundary, and tells which boundaries they came to. */
export class KillPoints {
  readonly env: Record<string, string>
  readonly #plan: string
  readonly #log: string

  /** @param folder in which everything is looked through for tokens */
  constructor(folder: string) {
    this.#plan = join(folder, 'kill-points.json')
    this.#log = join(folder, 'kill-points.log')
    this.env = { KILL_POINTS: this.#plan }
  }

  /**
   * @param run runs a program, and ends with it
   * @param killAt the boundary at which it is killed
   * @returns the boundaries that it came to
   */
  async during<T>(run: () => Promise<T>, killAt?: number): Promise<{ points: string[]; ended: T }> {
    const plan: Plan = { log: this.#log, killAt }
    rmSync(this.#log, { force: true })
    writeFileSync(this.#plan, JSON.stringify(plan))
    const ended = await run()
    rmSync(this.#plan)
    return { points: existsSync(this.#log) ? readFileSync(this.#log, 'utf8').trimEnd().split('\n') : [], ended }
  }
}
