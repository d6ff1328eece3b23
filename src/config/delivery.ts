import type { Command } from './command.ts'
import type { Choice } from './inputs.ts'

/** Whether the scan is to reach the API server through the API proxy, so that it never gets the token. */
export function wantsProxy({ command, delivery }: { command: Command | undefined; delivery: Choice<'delivery'> }): boolean {
  return delivery === 'proxy' || (delivery === 'auto' && command !== undefined)
}
