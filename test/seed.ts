import { randomInt } from 'node:crypto'

/** What a test that draws lots begins with: another one each time, or the one that is given to see a failure again. */
export function newSeed(): number {
  const given = process.env['KUBEPASS_TEST_SEED']
  return given === undefined ? randomInt(2 ** 31 - 1) : Number(given)
}

/** Plays each, so many at a time, and tells of all that fail; by a seed it tells how to see them again. */
export async function playEach<T>(items: readonly T[], atOnce: number, play: (item: T) => Promise<void>, seed?: number): Promise<void> {
  const failures: string[] = []
  const left = items.values()
  const work = async (): Promise<void> => {
    for (const item of left) {
      try {
        await play(item)
      } catch (error) {
        failures.push(`${JSON.stringify(item).slice(0, 300)}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  if (failures.length > 0)
    throw new Error([...(seed === undefined ? [] : [`KUBEPASS_TEST_SEED=${String(seed)}`]), ...failures].join('\n\n'))
}
