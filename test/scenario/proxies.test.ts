import { expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Proxy } from '../cluster/proxy.ts'
import { within } from '../hosts/child.ts'
import type { GithubJob } from '../hosts/github.ts'
import { leaks } from '../oracle.ts'
import { Gateway, type Behaviour } from './gateway.ts'
import { allPlayed, clusters, onGithub, playOnGithub, type GithubScene } from './scenario.ts'

/** Plays, side by side, each with a proxy of its own. */
async function eachOnGithub<T>(cases: readonly T[], play: (one: T, scene: GithubScene, gateway: Gateway) => Promise<void>): Promise<void> {
  const plays = cases.map((one) =>
    playOnGithub(async (scene) => {
      using gateway = await Gateway.start()
      await play(one, scene, gateway)
    }),
  )
  await allPlayed(plays)
}

/** Only a proxy finds this host: no variable sends a loopback address to one. */
function elsewhere(url: string): string {
  return url.replace('127.0.0.1', 'kubernetes.test')
}

/** The inputs of a step whose API server is such a host. */
function serverElsewhere({ url }: Proxy): Record<string, string> {
  return { server: elsewhere(url), audience: url }
}

const idTokensElsewhere = { variables: ({ idTokens }: GithubJob) => ({ ACTIONS_ID_TOKEN_REQUEST_URL: elsewhere(idTokens.url) }) }

const PASSWORD = 'p@ss/word-of-the-proxy-4711'

/** A proxy's URL with a name and the password, written as it must be. */
function withPassword(url: string): string {
  const { host } = new URL(url)
  return `http://scanner:${encodeURIComponent(PASSWORD)}@${host}`
}

const otherCertificate = { key: readFileSync(clusters.quick.clientKey), cert: readFileSync(clusters.quick.clientCert) }

test('HTTPS_PROXY and https_proxy are used for all that goes out, but for loopback and what NO_PROXY names', async () => {
  const cases: { variables: (url: string) => Record<string, string>; server: boolean; idTokens: boolean }[] = [
    { variables: (url) => ({ HTTPS_PROXY: url }), server: true, idTokens: true },
    { variables: (url) => ({ https_proxy: url.replace('http://', '') }), server: true, idTokens: false },
    { variables: (url) => ({ https_proxy: url, NO_PROXY: 'example.com, netes.test, kubernetes.test:1' }), server: false, idTokens: true },
    { variables: (url) => ({ HTTPS_PROXY: url, https_proxy: 'http://127.0.0.1:1' }), server: false, idTokens: false },
  ]
  const plays = cases.map(({ variables, server, idTokens }) =>
    playOnGithub(
      async ({ step, proxy, job }) => {
        using gateway = await Gateway.start()
        const use = step(server ? serverElsewhere(proxy) : {}, variables(gateway.url))
        const host = (url: string): string => new URL(elsewhere(url)).host
        const wanted = [...(idTokens ? [host(job.idTokens.url)] : []), ...(server ? [host(proxy.url)] : [])]
        for (const phase of ['main', 'post'] as const) {
          gateway.targets.length = 0
          expect((await use.start(phase).done).code).toBe(0)
          expect(new Set(gateway.targets)).toEqual(new Set(wanted))
        }
        expect(gateway.authorizations.every((authorization) => authorization === undefined)).toBe(true)
      },
      idTokens ? idTokensElsewhere : {},
    ),
  )
  await allPlayed(plays)
})

test('what NO_PROXY names is not sent to the proxy, by the one or by the other', async () => {
  await eachOnGithub(['kubernetes.test', '.TEST', '*'], async (NO_PROXY, { step, proxy }, gateway) => {
    const main = await step(
      { ...serverElsewhere(proxy), deadline: '1s', command: 'echo ran' },
      { HTTPS_PROXY: gateway.url, NO_PROXY },
    ).main()
    expect(main.code).toBe(83)
    expect(main.messages.at(-1)).toMatch(/No answer from kubernetes\.test:\d+ .*(ENOTFOUND|EAI_AGAIN|no answer in time)/)
    expect(gateway.targets).toEqual([])
  })
})

test('a proxy that is neither http nor https is an error before anything is sent to the host behind it', async () => {
  await eachOnGithub(['socks5://', 'socks5h://', 'ftp://'], async (scheme, { step, proxy, job }, gateway) => {
    const HTTPS_PROXY = gateway.url.replace('http://', scheme)
    const main = await step({ ...serverElsewhere(proxy), command: 'echo ran' }, { HTTPS_PROXY }).main()
    expect(main.code).toBe(80)
    expect(main.messages).toEqual([
      expect.stringMatching(/^HTTPS_PROXY names a proxy for "kubernetes\.test:\d+" that is neither http nor https\.\n/),
    ])
    expect([proxy.exchanges, gateway.targets, job.idTokens.tokens]).toEqual([[], [], []])
    // Where no proxy is needed it does not matter.
    expect((await step({ command: 'true' }, { HTTPS_PROXY }).main()).code).toBe(0)
  })
})

test("a proxy's password reaches the proxy, and neither the log nor the scan, unless pass_env says so", async () => {
  const cases = [false, true]
  await eachOnGithub(cases, async (passed, { step, job, proxy }, gateway) => {
    const evidence = join(job.workspace, 'evidence.json')
    const HTTPS_PROXY = withPassword(gateway.url)
    // What a hash says is no text that the redactor could hide.
    const command = 'env; cat "$KUBECONFIG"; printf "%s\\n" "$HTTPS_PROXY"; printf "%s" "$HTTPS_PROXY" | sha256sum'
    const main = await step(
      { ...serverElsewhere(proxy), command, evidence, ...(passed ? { pass_env: 'HTTPS_PROXY' } : {}) },
      { HTTPS_PROXY },
    ).main()
    expect(main.code).toBe(0)
    const basic = `Basic ${Buffer.from(`scanner:${PASSWORD}`).toString('base64')}`
    expect(new Set(gateway.authorizations)).toEqual(new Set([basic]))
    const got = passed ? HTTPS_PROXY : ''
    expect(main.log).toContain(createHash('sha256').update(got).digest('hex'))
    expect(main.log.includes('http://scanner:***@')).toBe(passed)
    expect(main.log.includes('HTTPS_PROXY holds a password')).toBe(!passed)
    const texts = { ...job.texts(), evidence: readFileSync(evidence) }
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) expect(await leaks([secret], texts)).toEqual([])
  })
})

test('a proxy variable that is no URL is an error before anything is sent, and not shown', async () => {
  const wrong = [PASSWORD, `100%${PASSWORD.replace('/', '')}`, `4711/${PASSWORD}`].map((text) => `http://scanner:${text}@127.0.0.1:1`)
  await eachOnGithub(wrong, async (HTTPS_PROXY, { step, proxy, job }) => {
    const main = await step({ command: 'echo ran' }, { HTTPS_PROXY }).main()
    expect(main.code).toBe(80)
    expect(main.messages).toEqual([expect.stringMatching(/^HTTPS_PROXY .*percent-encoded/)])
    expect(await leaks([PASSWORD, PASSWORD.replace('/', '')], job.texts())).toEqual([])
    expect(proxy.exchanges).toEqual([])
    expect(job.idTokens.tokens).toEqual([])
  })
})

const BROKEN: { behaviour: Behaviour; reason: RegExp; heals: boolean }[] = [
  { behaviour: { status: 407 }, reason: /the proxy answered 407\.\n.*user:password/, heals: false },
  { behaviour: { status: 502 }, reason: /the proxy answered 502\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
  { behaviour: 'hang', reason: /no answer in time\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
  { behaviour: 'reset', reason: /ECONNRESET\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
  { behaviour: 'cut', reason: /ECONNRESET\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
]

test('a proxy that fails: nothing was sent, and that is known; once is healed', async () => {
  await eachOnGithub(BROKEN, async ({ behaviour, reason, heals }, { step, proxy }, gateway) => {
    gateway.behaviour = behaviour
    const use = step({ command: 'echo ran', proxy_url: gateway.url, deadline: '3s' })
    const phase = use.start('main')
    if (!(await within(30_000, phase.done))) phase.kill('SIGKILL')
    const main = await phase.done
    expect(main.code).toBe(83)
    expect(main.messages.at(-1)).toMatch(reason)
    expect(main.log).not.toContain('\nran\n')
    expect(proxy.exchanges).toEqual([])
    // Where no connection came about, nothing can have been created.
    expect(main.messages).toHaveLength(1)
    gateway.behaviour = 'tunnel'
    expect((await use.post()).code).toBe(0)
    if (behaviour === 'hang' || !heals) return

    gateway.behaviour = behaviour
    const again = step({ command: 'echo ran', proxy_url: gateway.url }).start('main')
    await again.seen('trying again')
    gateway.behaviour = 'tunnel'
    expect((await again.done).code).toBe(0)
  })
})

test('a proxy that ends TLS itself hears nothing, whoever it plays', async () => {
  const cases = ['the API server', 'the ID token service'] as const
  const plays = cases.map((played) =>
    playOnGithub(
      async ({ step, proxy, job }) => {
        using gateway = await Gateway.start()
        gateway.behaviour = otherCertificate
        const main =
          played === 'the API server'
            ? await step({ command: 'echo ran', proxy_url: gateway.url }).main()
            : await step({ command: 'echo ran' }, { HTTPS_PROXY: gateway.url }).main()
        expect(main.code).toBe(played === 'the API server' ? 83 : 81)
        expect(main.messages[0]).toMatch(
          played === 'the API server' ? /does not verify: give the CA .* as certificate_authority/ : /gave no ID token: INVALID_PURPOSE/,
        )
        expect(gateway.targets).toHaveLength(1)
        expect(gateway.heard).toBe('')
        expect(proxy.exchanges).toEqual([])
        expect(job.idTokens.tokens).toHaveLength(played === 'the API server' ? 1 : 0)
      },
      played === 'the API server' ? {} : idTokensElsewhere,
    ),
  )
  await allPlayed(plays)
})

onGithub('a proxy that ends TLS behind the first call: the bearer does not follow', async ({ step, proxy }) => {
  using gateway = await Gateway.start()
  proxy.on({ method: 'POST', path: /\/token$/, when: 'after', times: 1 }, ({ status, responseBody }) => {
    gateway.behaviour = otherCertificate
    return { status: status ?? 0, headers: { connection: 'close' }, body: responseBody }
  })
  const use = step({ command: 'echo ran', proxy_url: gateway.url })
  const main = await use.main()
  expect(main.code).toBe(86)
  expect(main.messages[0]).toMatch(/does not verify/)
  expect(gateway.heard).toBe('')
  gateway.behaviour = 'tunnel'
  expect((await use.post()).log).toMatch(/Credential: revoked /)
})
