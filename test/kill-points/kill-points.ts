import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

/** The plan for the preloaded module. */
export interface Plan {
  /** The file to which it writes the names of the boundaries, one a line. */
  log: string
  /** The number of the boundary, from 1, at which it kills the process; undefined to kill at none. */
  killAt: number | undefined
}

// Types are stripped once here, not again by each program.
const preload = stripTypeScriptTypes(readFileSync(new URL('preload.ts', import.meta.url), 'utf8'))

/** The arguments of node, before the program. */
export const PRELOADED = ['--import', `data:text/javascript;base64,${Buffer.from(preload).toString('base64')}`]

/** Kills the programs of one job at a boundary, and records the boundaries that they reach. */
export class KillPoints {
  readonly env: Record<string, string>
  readonly #plan: string
  readonly #log: string

  /** @param folder the folder that findLeftovers() searches for tokens */
  constructor(folder: string) {
    this.#plan = join(folder, 'kill-points.json')
    this.#log = join(folder, 'kill-points.log')
    this.env = { KILL_POINTS: this.#plan }
  }

  /**
   * @param run runs a program, and ends with it
   * @param killAt the boundary at which it is killed
   * @returns the boundaries that the program reached
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
