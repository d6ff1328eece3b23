// The search for secrets in bytes, as WebAssembly: vectors make it about three times as fast as JavaScript.
import { markDumped } from './dump'
import { add, afterRun, nextRun, runEnd, SHORTEST_RUN } from './runs'
import { indexOfPair, mark, nextMark, reserve, text, textEnd } from './text'

export { indexOfPair, nextMark, reserve }

/**
 * Adds the text to those of which each 16 neighbouring bytes are found.
 * @returns whether it has so many
 */
export function addText(): bool {
  if (textEnd - text < SHORTEST_RUN) return false
  add(text, textEnd - text)
  return true
}

/** Marks each run that stands in an added text and ends behind `cut`, or there. */
export function markRuns(cut: usize): void {
  const from = text + max(cut, SHORTEST_RUN) - SHORTEST_RUN
  for (let run = nextRun(from, textEnd); run != 0; run = nextRun(afterRun(), textEnd)) mark(run, runEnd)
}

/**
 * Marks such runs where the text looks dumped, across what a dump puts between characters.
 * @returns how many bytes look dumped
 */
export function markDumps(cut: usize): usize {
  return markDumped(text + cut)
}
