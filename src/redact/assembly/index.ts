// The search for secrets in bytes. It runs as WebAssembly, because vector instructions make it about three times as fast.
import { markDumped } from './dump'
import { add, afterRun, nextRun, runEnd, SHORTEST_RUN } from './runs'
import { indexOfPair, mark, nextMark, reserve, text, textEnd } from './text'

export { indexOfPair, nextMark, reserve }

/**
 * Adds the text to the texts whose runs of 16 neighbouring bytes the search finds.
 * @returns false if the text has fewer than 16 bytes
 */
export function addText(): bool {
  if (textEnd - text < SHORTEST_RUN) return false
  add(text, textEnd - text)
  return true
}

/** Marks each run that an added text contains and that ends at or after `cut`. */
export function markRuns(cut: usize): void {
  const from = text + max(cut, SHORTEST_RUN) - SHORTEST_RUN
  for (let run = nextRun(from, textEnd); run != 0; run = nextRun(afterRun(), textEnd)) mark(run, runEnd)
}

/**
 * Marks runs where the text looks dumped, and ignores the bytes that a dump puts between characters.
 * @returns how many bytes look dumped
 */
export function markDumps(cut: usize): usize {
  return markDumped(text + cut)
}
