import { randomInt } from 'node:crypto'

/** The seed of a randomised test: a new one each time, or a given one, to reproduce a failure. */
export function newSeed(): number {
  const given = process.env['KUBEPASS_TEST_SEED']
  return given === undefined ? randomInt(2 ** 31 - 1) : Number(given)
}

/** Runs the task for each item, `atOnce` at a time, and reports all failures, with the seed that reproduces them. */
export async function runEach<T>(items: readonly T[], atOnce: number, task: (item: T) => Promise<void>, seed?: number): Promise<void> {
  const failures: string[] = []
  const left = items.values()
  const work = async (): Promise<void> => {
    for (const item of left) {
      try {
        await task(item)
      } catch (error) {
        failures.push(`${JSON.stringify(item).slice(0, 300)}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  if (failures.length > 0)
    throw new Error([...(seed === undefined ? [] : [`KUBEPASS_TEST_SEED=${String(seed)}`]), ...failures].join('\n\n'))
}
