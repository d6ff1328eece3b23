import { expect, test } from '@jest/globals'
import { UsedRequests } from '../../src/api-proxy/used-requests.ts'
import { requestAttributes } from '../../src/rbac/request-attributes.ts'

const pods = (name: string): ReturnType<typeof requestAttributes> => requestAttributes('GET', `/api/v1/namespaces/a/pods/${name}`)

test('a flood of refused requests does not push out what passed, and is counted', () => {
  const used = new UsedRequests()
  for (let index = 0; index < 1_500; index += 1) used.addRefused(pods(`refused-${String(index)}`), 403)
  used.begin(pods('exec'))(101)
  const list = used.list()
  expect(list.filter(({ refused_by }) => refused_by === 'kubepass')).toHaveLength(1_000)
  expect(list).toContainEqual(expect.objectContaining({ name: 'exec', refused_by: null, statuses: { 101: 1 } }))
  expect([used.total, used.notListed]).toEqual([1_501, 500])
})

test('a request that began before a flood is listed, although it ends after the flood', () => {
  const used = new UsedRequests()
  const end = used.begin(pods('first'))
  for (let index = 0; index < 5_000; index += 1) used.begin(pods(`other-${String(index)}`))(404)
  end(200)
  expect(used.list()).toContainEqual(expect.objectContaining({ name: 'first', count: 1, statuses: { 200: 1 } }))
  expect(used.list().length).toBeLessThanOrEqual(10_000)
  expect(used.notListed).toBe(501)
})

test('answers of the API server that allow and that refuse the same request are two entries; no answer has no status', () => {
  const used = new UsedRequests()
  for (const status of [200, 403, 200, undefined]) used.begin(pods('a'))(status)
  expect(used.list()).toMatchObject([
    { refused_by: null, count: 3, statuses: { 200: 2 } },
    { refused_by: 'api-server', count: 1, statuses: { 403: 1 } },
  ])
})

test('names that hold line ends are no other request', () => {
  const used = new UsedRequests()
  const list = (name: string): ReturnType<typeof requestAttributes> =>
    requestAttributes('GET', `/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3D${name}`)
  used.begin(list('a%0A'))(200)
  used.begin(list('a'))(200)
  expect(used.list()).toHaveLength(2)
})
