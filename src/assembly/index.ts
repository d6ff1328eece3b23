// The search for secrets in bytes, as WebAssembly: vectors make it several times as fast as JavaScript.
import { markDumped } from './dump'
import { add, afterRun, nextRun, runEnd } from './runs'
import { indexOfPair, mark, nextMark, reserve, text, textEnd } from './text'

export { indexOfPair, nextMark, reserve }

/** Adds the text to those of which each 16 neighbouring bytes are found. */
export function addText(): void {
  add(text, textEnd - text)
}

/** Marks each run of the text from an index on that stands in an added text. */
export function markRuns(index: usize): void {
  const start = text + index
  for (let run = nextRun(start, start, textEnd); run != 0; run = nextRun(start, afterRun(), textEnd)) mark(run, runEnd)
}

/**
 * Marks such runs where the text looks dumped, across what a dump puts between characters.
 * @returns how many bytes look dumped
 */
export function markDumps(cut: usize): usize {
  return markDumped(text + cut)
}
