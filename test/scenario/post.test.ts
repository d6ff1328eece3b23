import { expect } from '@jest/globals'
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { CredentialState } from '../../src/state/credential-state.ts'
import type { RunState } from '../../src/state/run-state.ts'
import { admin } from '../cluster/admin.ts'
import { resign } from '../cluster/token.ts'
import { clusters, type GithubFixture, killWhileScanning, ONE_SECRET, onEachCi, onGithub, TOKEN, WHOAMI } from './scenario.ts'

type Use = ReturnType<GithubFixture['step']>

function stateOf(use: Use): RunState {
  return JSON.parse(use.state['run_state'] ?? '') as RunState
}

async function withForged(use: Use, change: Partial<Record<keyof RunState, unknown>>): Promise<Awaited<ReturnType<Use['post']>>> {
  const right = use.state['run_state'] ?? ''
  use.state['run_state'] = JSON.stringify({ ...stateOf(use), ...change })
  const post = await use.post()
  use.state['run_state'] = right
  return post
}

/** The first credential is changed, or a changed copy follows the first one. */
function withCredential(use: Use, at: 0 | 1, change: object): unknown[] {
  const { credentials } = stateOf(use)
  return credentials.toSpliced(at, at === 0 ? 1 : 0, { ...credentials[0], ...change } as CredentialState)
}

onEachCi(
  'post recognises a token without an id, as before Kubernetes 1.30, by its bound Secret, revokes and proves',
  async ({ info, step, proxy }) => {
    proxy.on({ method: 'POST', path: TOKEN, when: 'after' }, ({ responseBody }) => {
      const answer = JSON.parse(responseBody) as { status: { token: string } }
      answer.status.token = resign(answer.status.token, (claims) => ({ ...claims, jti: undefined }), info.serviceAccountKey)
      proxy.tokens.push(answer.status.token)
      return { status: 201, body: JSON.stringify(answer) }
    })
    const use = step({ command: 'echo started; sleep 600', delivery: 'kubeconfig' })
    await killWhileScanning(use)
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(post.log).toMatch(/Credential: revoked .*, proven dead/)
  },
  // The scan keeps the output open, for which the runner waits in vain.
  { github: { patience: { drain: 200 } }, gitlab: { patience: { drain: 200 } } },
)

onGithub('post does not act on a forged run state', async ({ info, step, proxy, job }) => {
  const use = step()
  await use.main()
  const victim = join(job.home, 'kubepass-0123456789abcdef')
  mkdirSync(victim)
  writeFileSync(join(victim, 'precious'), '')
  const before = proxy.exchanges.length
  const foreign = ['database-password', `kubepass-${Number(job.runId) + 1}-1-0123456789abcdef`, 3]
  const forgeries: Partial<Record<keyof RunState, unknown>>[] = [
    { server: clusters.real.server },
    { requested: { ...stateOf(use).requested, namespace: 'kube-system' } },
    ...foreign.flatMap((slot) => ([0, 1] as const).map((at) => ({ credentials: withCredential(use, at, { slot }) }))),
    { directory: job.home },
    { credentials: withCredential(use, 0, { deadBy: 'x\n::error::forged' }) },
    { credentials: withCredential(use, 0, { slot: 'unbound' }) },
  ]
  for (const forgery of forgeries) {
    const post = await withForged(use, forgery)
    expect([JSON.stringify(forgery), post.code]).toEqual([JSON.stringify(forgery), 86])
    expect(post.log).not.toContain('::error::forged')
    expect(post.annotations).toHaveLength(1)
  }
  expect(proxy.exchanges.length).toBe(before)
  expect(job.idTokens.tokens).toHaveLength(1)

  // With the right names and another directory, post revokes, but does not remove the directory.
  const post = await withForged(use, { directory: victim })
  expect(post.code).toBe(0)
  rmSync(join(victim, 'precious'))
  // The API server's cache sees a deletion a moment later.
  while ((await admin(info).whoami(proxy.tokens[0] ?? '')).status !== 401) await delay(20)
  await use.post()
})

onGithub('post does not follow a link in place of the private directory', async ({ step, job }) => {
  const use = step({ prove: 'off' })
  await use.main()
  const { directory } = stateOf(use)
  rmSync(directory, { recursive: true })
  symlinkSync(job.home, directory)
  writeFileSync(join(job.home, 'precious'), '')
  const post = await use.post()
  expect(post.code).toBe(0)
  rmSync(join(job.home, 'precious'))
  rmSync(directory)
})

onGithub('post without the saved token proves nothing, and says so', async ({ step }) => {
  const use = step()
  await use.main()
  rmSync(join(stateOf(use).directory, 'token'))
  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.log).toMatch(/Credential: revoked 20.*Z, not proven; dead by 20/)
})

onGithub('post does not use the token of another run for the proof', async ({ step, proxy }) => {
  const [one, two] = [step(), step()]
  await one.main()
  await two.main()
  writeFileSync(join(stateOf(one).directory, 'token'), proxy.tokens[1] ?? '')
  const post = await one.post()
  expect(post.code).toBe(0)
  expect(post.log).toMatch(/Credential: revoked .*, not proven/)
  expect((await two.post()).log).toContain('proven dead')
})

onGithub('with prove: post main leaves only the proof to post', async ({ step, proxy, job }) => {
  const use = step({ command: 'true', delivery: 'kubeconfig', prove: 'post', proof_samples: '5' })
  const main = await use.main()
  expect(main.code).toBe(0)
  expect(main.log).toMatch(/Credential: revoked .*, not proven/)
  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.log).toMatch(/proven dead .*\(5 refusals/)
  expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404])
  expect(job.phases).toHaveLength(2)
})

onEachCi('with prove: off kubepass reports no proof', async ({ step }) => {
  const main = await step({ command: 'true', prove: 'off' }).main()
  expect(main.log).toMatch(/Credential: revoked .*, not proven/)
})

onEachCi(
  'the proof waits up to 10 s until the cache of the API server has forgotten the token',
  async ({ step, proxy }) => {
    const main = await step({ command: 'kubectl get ns kubepass -o name' }).main()
    expect(main.code).toBe(0)
    const [, seconds = ''] = /proven dead .*\(3 refusals, the last (\S+) s after\)/.exec(main.log) ?? []
    expect(Number(seconds)).toBeGreaterThan(5)
    expect(Number(seconds)).toBeLessThan(15)
    expect(proxy.tokens).toHaveLength(1)
  },
  { cluster: 'real' },
)

onGithub('post requests a new ID token', async ({ step, job }) => {
  const use = step()
  await use.main()
  await use.post()
  expect(job.idTokens.tokens).toHaveLength(2)
})

onGithub('post succeeds without the CA file if main has revoked', async ({ info, step, job }) => {
  const ca = join(job.workspace, 'ca.crt')
  const { readFileSync } = await import('node:fs')
  writeFileSync(ca, readFileSync(info.ca))
  const use = step({ command: 'true', certificate_authority: ca })
  await use.main()
  rmSync(ca)
  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.annotations[0]?.message).toMatch(/The credential was revoked 20.*could not confirm that/)
})

onEachCi("a gateway's 401 does not count as a proof, and the count of refusals starts again", async ({ step, proxy }) => {
  let reviews = 0
  // The first review is the verification, the third is the second sample of the proof.
  proxy.on({ method: 'POST', path: WHOAMI }, () => {
    reviews += 1
    return reviews === 3 ? { status: 401, headers: { 'content-type': 'text/html' }, body: 'log in' } : undefined
  })
  const main = await step({ command: 'true' }).main()
  expect(main.log).toMatch(/proven dead .*\(3 refusals/)
  expect(reviews).toBe(6)
})

onGithub('post ignores wrong values of inputs that only main needs', async ({ step, job }) => {
  const folder = join(job.workspace, 'reports')
  mkdirSync(folder)
  const use = step({ evidence: join(folder, 'evidence.json') })
  await use.main()
  rmSync(folder, { recursive: true })
  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.log).toContain('proven dead')
  expect(post.annotations).toMatchObject([{ message: expect.stringContaining('evidence file could not be written') as unknown }])
})

onGithub('post does not read a token file that is a link or belongs to another user', async ({ step, proxy, job }) => {
  for (const spoil of [
    (file: string) => (renameSync(file, join(job.home, 'token')), symlinkSync(join(job.home, 'token'), file)),
    // Only root can change the owner of a file.
    (file: string) => (process.getuid?.() === 0 ? chownSync(file, 1, 1) : rmSync(file)),
  ]) {
    const use = step()
    await use.main()
    spoil(join(stateOf(use).directory, 'token'))
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(post.log).toMatch(/Credential: revoked .*, not proven/)
  }
  rmSync(join(job.home, 'token'))
  expect(proxy.tokens).toHaveLength(2)
})

onGithub('post rejects a run state with another server, and removes its files all the same', async ({ step, proxy }) => {
  const use = step()
  await use.main()
  const before = proxy.exchanges.length
  const post = await withForged(use, { server: 'https://elsewhere.example.com/' })
  expect(post.code).toBe(86)
  expect(existsSync(stateOf(use).directory)).toBe(false)
  expect(proxy.exchanges).toHaveLength(before)
  expect((await use.post()).log).toMatch(/Credential: revoked .*, not proven/)
})
