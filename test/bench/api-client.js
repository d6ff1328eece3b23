// The scan of the section "proxy": measures requests to the API server of its kubeconfig, and prints the figures as JSON.
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { performance } from 'node:perf_hooks'

const { clusters, users } = JSON.parse(readFileSync(process.env.KUBECONFIG, 'utf8'))
const { server, 'certificate-authority-data': ca } = clusters[0].cluster
const url = new URL(server)
const tls = { host: url.hostname, port: url.port, ca: Buffer.from(ca, 'base64') }
const headers = { authorization: `Bearer ${users[0].user.token}`, accept: 'application/json' }
const NAMESPACE = '/api/v1/namespaces/bench'

/** Resolves with the number of bytes of the response. */
function call(agent, path, { method = 'GET', body, more = {} } = {}) {
  return new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const outgoing = request({ ...tls, agent, path, method, headers: { ...headers, ...type, ...more } }, (incoming) => {
      let size = 0
      incoming.on('data', (piece) => (size += piece.length))
      incoming.on('end', () => (incoming.statusCode < 300 ? resolve(size) : reject(new Error(`${path}: ${incoming.statusCode}`))))
      incoming.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function timed(work) {
  const from = performance.now()
  await work()
  return performance.now() - from
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}

async function inFlight(count, width, agent, path) {
  let left = count
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (left-- > 0) await call(agent, path)
    }),
  )
}

/** Changes the watched object straight at the API server, as another client would, with the certificate of the administrator. */
function change(index) {
  const { server: direct, ca: authority, cert, key } = JSON.parse(process.env.BENCH_ADMIN)
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'watched' }, data: { index: String(index) } })
  const options = { ca: readFileSync(authority), cert: readFileSync(cert), key: readFileSync(key), agent: administrator, method: 'PUT' }
  return new Promise((resolve, reject) => {
    const more = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const outgoing = request(`${direct}${NAMESPACE}/configmaps/watched`, { ...options, headers: more }, (incoming) =>
      incoming.resume().on('end', resolve),
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** The time from the change of an object to its event in an open watch, the median in ms. */
async function watchEvents(count) {
  const delays = []
  let arrived = () => undefined
  const path = `${NAMESPACE}/configmaps?watch=true&fieldSelector=metadata.name=watched`
  const watching = await new Promise((resolve, reject) => {
    const outgoing = request({ ...tls, agent: false, path, headers }, resolve)
    outgoing.on('error', reject)
    outgoing.end()
  })
  watching.on('data', () => arrived())
  for (let index = 0; index < count; index += 1) {
    const event = new Promise((resolve) => (arrived = resolve))
    const from = performance.now()
    const changed = change(index)
    await event
    delays.push(performance.now() - from)
    await changed
  }
  watching.destroy()
  return median(delays)
}

const administrator = new Agent({ keepAlive: true, maxSockets: 1 })
const one = new Agent({ keepAlive: true, maxSockets: 1 })
const many = new Agent({ keepAlive: true, maxSockets: 16 })
const small = `${NAMESPACE}/configmaps/small`
const figures = {}
const loud = process.argv.includes('loud') ? setInterval(() => process.stderr.write('x'.repeat(60_000) + '\n'), 1) : undefined
await inFlight(50, 1, one, small)
const serial = []
for (let index = 0; index < 500; index += 1) serial.push(await timed(() => call(one, small)))
figures.serialMs = median(serial)
figures.perSecond = 2000 / ((await timed(() => inFlight(2000, 16, many, small))) / 1000)
const large = `${NAMESPACE}/configmaps?labelSelector=size=large`
for (const [figure, more] of Object.entries({ listMs: {}, zippedListMs: { 'accept-encoding': 'gzip' } })) {
  const lists = []
  for (let index = 0; index < 5; index += 1) lists.push(await timed(() => call(one, large, { more })))
  figures[figure] = median(lists)
}
figures.watchMs = await watchEvents(60)
figures.burstMs = await timed(() => Promise.all(Array.from({ length: 64 }, () => call(new Agent(), small))))
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process.ppid}/status`, 'utf8'))?.[1]) / 1024
const extra = Number(process.argv[2] ?? 0)
// The heap of Node.js reaches its size only after some garbage.
if (extra > 0) await inFlight(20_000, 16, many, small)
figures.rssMiB = rss()
if (extra > 0) {
  await inFlight(extra, 16, many, small)
  figures.rssAfterMiB = rss()
}
clearInterval(loud)
console.log(JSON.stringify(figures))
one.destroy()
many.destroy()
administrator.destroy()
