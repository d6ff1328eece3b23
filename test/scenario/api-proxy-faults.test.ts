import { expect } from '@jest/globals'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Disturbance } from '../cluster/proxy.ts'
import { open, send, sendRaw, startWaitingScan } from './proxied-scan.ts'
import { inTerminal, onGithub } from './scenario.ts'

const PATH = /^\/api\/v1\/namespaces\/kubepass$/
const target = '/api/v1/namespaces/kubepass'

const FAULTS: Record<string, [fault: Disturbance, reason: RegExp]> = {
  'a reset': ['reset', /ECONNRESET|socket hang up|closed/],
  'no HTTP': [{ raw: 'SSH-2.0-OpenSSH_9.6\r\n', close: true }, /HPE_/],
  'endless headers': [{ raw: `HTTP/1.1 200 OK\r\n${`X-Filler: ${'x'.repeat(8_000)}\r\n`.repeat(40)}` }, /HPE_HEADER_OVERFLOW/],
  'a 101 that was not asked for': [
    { raw: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n' },
    /changed the protocol/,
  ],
}

onGithub('an API server that does not answer as it should gives the scan a Status, and the run ends in order', async (fixture) => {
  const evidence = join(fixture.job.workspace, 'evidence.json')
  const { access, finish } = await startWaitingScan(fixture, { evidence })
  for (const [name, [fault, reason]] of Object.entries(FAULTS)) {
    const stop = fixture.proxy.on({ path: PATH }, () => fault)
    const { status, body } = await send(access, target)
    expect({ name, status }).toEqual({ name, status: 502 })
    expect((JSON.parse(body) as { message: string }).message).toMatch(/^kubepass got no response from the API server: /)
    expect(body).toMatch(reason)
    stop()
  }
  const stop = fixture.proxy.on({ path: PATH }, () => ({ status: 200, body: 'x'.repeat(1000), sent: 'cut' }))
  await expect(send(access, target)).rejects.toThrow()
  stop()
  // The end of the run does not wait for this answer.
  fixture.proxy.on({ path: PATH }, () => 'hang')
  const hanging = send(access, target).catch((error: unknown) => String(error))
  expect((await finish()).code).toBe(0)
  expect(await hanging).toMatch(/ECONNRESET|socket hang up/)
  const statuses = { 502: Object.keys(FAULTS).length, 200: 1 }
  expect(JSON.parse(readFileSync(evidence, 'utf8'))).toMatchObject({
    api_access: { requests: 6, streams_cut: 1, uses: [{ verb: 'get', name: 'kubepass', count: 6, statuses }] },
  })
})

onGithub('a connection that the API server closed while it was idle does not fail the next request', async (fixture) => {
  const { access, finish } = await startWaitingScan(fixture)
  expect((await send(access, target)).status).toBe(200)
  fixture.proxy.on({ path: PATH, times: 1 }, () => 'reset')
  expect((await send(access, target)).status).toBe(200)
  expect((await finish()).code).toBe(0)
})

onGithub(
  'a scan that holds 600 connections, sends single bytes and never reads can neither stop the run nor other clients',
  async (fixture) => {
    const { access, finish } = await startWaitingScan(fixture)
    const silent = await Promise.all(Array.from({ length: 100 }, () => open(access)))
    for (const socket of silent) {
      socket.on('error', () => undefined)
      socket.resume()
      socket.write('G')
    }
    const unread = await open(access)
    unread.on('error', () => undefined)
    unread.pause()
    unread.write(`GET /openapi/v2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${access.credential}\r\n\r\n`)
    expect((await send(access, target)).status).toBe(200)
    const flood = Array.from({ length: 500 }, () =>
      open(access).then(
        (socket) => socket.on('error', () => undefined),
        () => undefined,
      ),
    )
    const opened = (await Promise.all(flood)).filter((socket) => socket !== undefined)
    expect(opened.length).toBeLessThan(500)
    const closed = [...silent, unread].map((socket) => once(socket, 'close'))
    expect((await finish()).code).toBe(0)
    // Only a reader sees the end.
    unread.resume()
    await Promise.all(closed)
  },
)

onGithub('an unauthenticated request is refused, and counted apart', async (fixture) => {
  const evidence = join(fixture.job.workspace, 'evidence.json')
  const { access, finish } = await startWaitingScan(fixture, { evidence })
  expect(await sendRaw(access, 'GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 401 /)
  await finish()
  expect(JSON.parse(readFileSync(evidence, 'utf8'))).toMatchObject({ api_access: { requests: 0, unauthenticated: 1, uses: [] } })
})

const UNREACHED = /The scan sent no request to the API proxy at 127\.0\.0\.1:\d+\. .*--network host\.$/m

onGithub('a scan in a network namespace of its own fails with the possible causes', async ({ step }) => {
  const main = await step({
    command: 'unshare --user --map-root-user --net kubectl get ns kubepass --request-timeout 5s',
    isolate: 'off',
  }).main()
  expect(main.code).toBe(1)
  expect(main.messages).toEqual([expect.stringMatching(UNREACHED)])
  const reached = await step({ command: 'kubectl get ns kubepass; exit 3' }).main()
  expect(reached.messages).toEqual([expect.not.stringMatching(UNREACHED)])
})

onGithub('a scan that hangs before its first request fails with the possible causes', async ({ step }) => {
  const main = await step({ command: 'sleep 600', max_scan: '1s' }).main()
  expect(main.code).toBe(124)
  expect(main.messages).toEqual([
    expect.stringMatching(/^The scan took longer than 1 s[^]*raise max_scan\. The scan sent no request to the API proxy/),
  ])
})

inTerminal('in a terminal, too, a failed scan that sent no request gets the possible causes', async ({ flags, identityOf, terminal }) => {
  const stdin = await identityOf('issuer')
  const { code, stderr } = await terminal.run(['run', ...flags, '--identity', 'token', '--token-file', '-', '--', 'sh', '-c', 'exit 4'], {
    stdin,
  })
  expect(code).toBe(4)
  expect(stderr).toMatch(UNREACHED)
})

onGithub('trailers of a request end at the proxy, and announced ones do no harm', async (fixture) => {
  const { access, finish } = await startWaitingScan(fixture)
  const head = (method: string, path: string): string =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${access.credential}\r\nConnection: close\r\nTrailer: Impersonate-User\r\n`
  expect(await sendRaw(access, `${head('GET', target)}\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
  const review = '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
  const chunks = `${review.length.toString(16)}\r\n${review}\r\n0\r\nImpersonate-User: admin\r\n\r\n`
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const answer = await sendRaw(access, `${head('POST', path)}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)
  expect(answer).toMatch(/^HTTP\/1\.1 201 [^]*system:serviceaccount:kubepass:scanner/)
  expect((await finish()).code).toBe(0)
})

onGithub('an answer that Node.js would not write itself is an answer of the proxy, or passes', async (fixture) => {
  const { access, finish } = await startWaitingScan(fixture)
  for (const [raw, expected] of [
    ['HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n', 502],
    ['HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n', 502],
    ['HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n', 502],
    ['HTTP/1.1 200 OK\r\nTrailer: X\r\nContent-Length: 2\r\n\r\nok', 200],
    ['HTTP/1.1 304 Not Modified\r\nTrailer: X\r\n\r\n', 304],
  ] as const) {
    const stop = fixture.proxy.on({ path: PATH }, () => ({ raw, close: true }))
    expect({ raw, status: (await send(access, target)).status }).toEqual({ raw, status: expected })
    stop()
  }
  expect((await finish()).code).toBe(0)
})

onGithub('one connection with 600 requests at a time gets an answer to each, and the run ends in order', async (fixture) => {
  const { access, finish } = await startWaitingScan(fixture)
  const hanging = '/api/v1/namespaces/kubepass/configmaps/hanging'
  fixture.proxy.on({ path: new RegExp(hanging) }, () => 'hang')
  const socket = await open(access)
  socket.on('error', () => undefined)
  socket.resume()
  socket.write(`GET ${hanging} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${access.credential}\r\n\r\n`.repeat(600))
  // A request is refused when as many are under way as the proxy allows.
  for (;;) if ((await send(access, target)).status === 429) break
  const closed = once(socket, 'close')
  expect((await finish()).code).toBe(0)
  await closed
})

onGithub('a failed scan whose requests lack its credential gets another hint than one that sent none', async ({ job, step }) => {
  const script = 'const { clusters } = JSON.parse(require("fs").readFileSync(process.env.KUBECONFIG)); const { cluster } = clusters[0];'
  writeFileSync(
    join(job.workspace, 'scan.js'),
    `${script} require("https").get(cluster.server, { ca: Buffer.from(cluster["certificate-authority-data"], "base64") }, (r) => process.exit(r.statusCode === 401 ? 5 : 6))`,
  )
  const main = await step({ command: 'node scan.js' }).main()
  expect(main.code).toBe(5)
  expect(main.messages).toEqual([expect.stringMatching(/The scan sent no request with its credential .*; 1 came without it\./)])
})
