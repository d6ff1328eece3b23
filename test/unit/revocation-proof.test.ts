import { expect, test } from '@jest/globals'
import { nextWait } from '../../src/kube/revocation-proof.ts'

/** The ages, in ms, at which kubepass sends the token while the API server accepts it. */
function polls(requestMs: number, until: number): number[] {
  const ages: number[] = []
  for (let age = 250, wait = 0; age < until; age += wait) {
    ages.push(age)
    age += requestMs
    wait = nextWait(wait, age)
  }
  return ages
}

test('kubepass sends a revoked token six times until the cache of the API server has expired', () => {
  expect(polls(0, 10_060)).toEqual([250, 750, 1_750, 3_750, 7_750, 10_050])
  expect(polls(20, 10_060)).toHaveLength(6)
})

test('a token that is accepted for longer is sent every 500 ms', () => {
  expect(polls(0, 12_000).slice(-4)).toEqual([10_050, 10_550, 11_050, 11_550])
})
