import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Evidence } from '../../src/state/evidence.ts'
import { boundSecretNames, type RunState } from '../../src/state/run-state.ts'
import { admin } from '../cluster/admin.ts'
import { claimsOf } from '../cluster/token.ts'
import { GitlabJob } from '../hosts/gitlab.ts'
import type { Executor } from '../hosts/gitlab-executor.ts'
import {
  LOST_WITH_MAIN,
  clusters,
  type GitlabFixture,
  killWhileScanning,
  ONE_SECRET,
  onGitlab,
  SECRETS,
  status,
  WHOAMI,
} from './scenario.ts'
import { requestBoundaries } from './request-boundaries.ts'

const dist = resolve(import.meta.dirname, '../../dist')

onGitlab(
  'gitlab-oidc: script issues, uses, revokes and proves the credential, and after_script has nothing left to do',
  async ({ audience, step, job }) => {
    const scan = step({ command: 'kubectl get namespaces -o name', namespace: 'default' })
    const main = await scan.main()
    expect(main.code).toBe(0)
    expect(main.log).toContain('namespace/kubepass\n')
    expect(main.log).toContain('Identity: gitlab-oidc, because the job has an ID token.')
    expect(main.log).toMatch(/Credential: revoked .*, proven dead .*\(3 refusals/)
    // It would print the token.
    expect(main.log).not.toMatch(/add-mask|stop-commands/)
    expect(main.messages).toEqual([])
    for (const section of ['scan', 'evidence']) {
      expect(main.log).toMatch(new RegExp(`\\u001b\\[0Ksection_start:\\d{10}:kubepass_${section}(\\[collapsed=true\\])?\\r\\u001b\\[0K\\w`))
      expect(main.log).toMatch(new RegExp(`\\u001b\\[0Ksection_end:\\d{10}:kubepass_${section}\\r\\u001b\\[0K`))
    }
    expect(claimsOf(job.secrets[0] ?? '')['aud']).toBe(audience)

    const evidence = JSON.parse(readFileSync(join(job.workspace, 'kubepass-reports/evidence.json'), 'utf8')) as Evidence
    expect(evidence).toMatchObject({
      run: { platform: 'gitlab', id: scan.jobId, attempt: '1', repository: 'group/project' },
      identity: { kind: 'gitlab-oidc' },
      verified: { username: 'system:serviceaccount:kubepass:scanner' },
      proven: { samples: 3 },
      error: null,
    })
    expect(main.artifacts.toSorted()).toEqual(['annotations.json', 'evidence.json', 'junit.xml'].map((name) => `kubepass-reports/${name}`))
    expect(main.reports.junit).toEqual([expect.stringContaining('tests="5" failures="0" skipped="0"')])
    expect(main.reports.annotations).toEqual([
      expect.stringContaining(evidence.granted?.credential_id ?? 'a credential of kubepass/scanner'),
    ])

    const post = await scan.post()
    expect(post.code).toBe(0)
    expect(post.log).toContain('proven dead')
    expect(post.messages).toEqual([])
    expect(post.reports).toEqual(main.reports)
  },
)

onGitlab(
  "all requests of a GitLab job carry the job's name in the User-Agent, and all names derive from the job",
  async ({ proxy, step, job }) => {
    const scan = step({ command: 'dirname "$KUBECONFIG"' })
    const main = await scan.main()
    const key = createHash('sha256').update(`https://gitlab.com ${scan.jobId}`).digest('hex').slice(0, 16)
    expect(main.log).toContain(`\n${job.tmp}/kubepass-${key}\n`)
    const [boundSecret] = proxy
      .seen('POST', SECRETS)
      .map(({ responseBody }) => JSON.parse(responseBody) as { metadata: { name: string; labels: object; annotations: object } })
    expect(boundSecret?.metadata).toMatchObject({
      name: `kubepass-${scan.jobId}-1-${key}`,
      labels: { 'kubepass.dev/platform': 'gitlab', 'kubepass.dev/run': scan.jobId, 'kubepass.dev/attempt': '1' },
      annotations: { 'kubepass.dev/repository': 'group/project', 'kubepass.dev/job': 'kubepass' },
    })
    for (const { userAgent } of proxy.exchanges.filter(({ userAgent: agent }) => !agent.startsWith('kubectl')))
      expect(userAgent).toMatch(new RegExp(`^kubepass/\\S+ \\(gitlab; run ${scan.jobId}/1; group/project\\)$`))
  },
)

onGitlab(
  'without GITLAB_ENV after_script derives the names, and prints nothing about what is in order',
  async ({ step, proxy }) => {
    const scan = step({ command: 'true' })
    expect((await scan.main()).code).toBe(0)
    const post = await scan.post()
    expect(post.code).toBe(0)
    expect(post.log).toContain('Nothing of this job is left to revoke.')
    expect(post.messages).toEqual([])
    // Without a run state it tries all three names that a bound Secret of this job can have.
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404, 404, 404])
  },
  { gitlabEnv: false },
)

/** The message about killed processes of the scan does not count as an alarm. */
const isAlarm = (message: string): boolean => !message.includes('outlived the scan and were ended')

const stubborn = 'kubectl get ns -o name; trap "" TERM; echo started; sleep 600 & wait; sleep 600'

for (const executor of ['shell', 'docker', 'kubernetes'] as const satisfies Executor[]) {
  for (const [event, stop] of [
    ['cancelled', 'cancel'],
    ['script_timeout', 'scriptTimeout'],
  ] as const) {
    for (const gitlabEnv of [true, false]) {
      onGitlab(
        `${event}, executor ${executor}${gitlabEnv ? '' : ', without GITLAB_ENV'}: script or after_script removes everything`,
        async ({ step }) => {
          // A container's runner waits seconds for each process, so only one test below uses a scan that ignores SIGTERM there.
          const scan = step({ command: executor === 'docker' ? 'echo started; sleep 600' : stubborn })
          const phase = scan.start('main')
          await phase.seen('started')
          const ended = phase[stop]()
          // The Kubernetes executor does not wait for the script.
          if (executor !== 'kubernetes') await ended
          const post = await scan.post()
          const main = await ended
          expect(main.code).not.toBe(0)
          // The shell has waited for the program. A container's runner ends the scan first, and sometimes only the scan.
          if (executor !== 'docker') expect(main.log).toContain('Stopped by SIGTERM.')
          expect([post.code, post.messages.filter(isAlarm)]).toEqual([0, []])
          expect(main.log + post.log).toMatch(/Credential: revoked /)
        },
        { executor, gitlabEnv },
      )
    }
  }
}

onGitlab(
  'a cancelled GitLab job revokes and removes its files in time, although the API server still accepts the token',
  async ({ step, proxy }) => {
    const scan = step({ command: stubborn })
    const phase = scan.start('main')
    await phase.seen('started')
    const main = await phase.cancel()
    expect(main.log).toMatch(/Credential: revoked /)
    const post = await scan.post()
    expect(post.code).toBe(0)
    expect(post.log).toMatch(/(Credential|The script's token): revoked .*, (not proven; dead by|proven dead)/)
    expect(proxy.tokens).toHaveLength(1)
  },
  { cluster: 'real' },
)

onGitlab('script_timeout makes the runner stop the script and run after_script', async ({ step }) => {
  const scan = step({ command: 'echo started; sleep 600', script_timeout: '6s', after_script_timeout: '1m' })
  const main = await scan.main()
  expect(main.status).toBe('timedout')
  const post = await scan.post()
  expect(main.log + post.log).toMatch(/Credential: revoked /)
  expect(() => step({ command: 'true', script_timeout: '25 minutes' })).toThrow(/script_timeout/)
})

onGitlab(
  'when after_script runs beside the script, and each has downloaded the program, both write complete evidence',
  async ({ step, job }) => {
    const { url, sha256 } = packed(job.home)
    const scan = step({ command: stubborn, program_url: url, program_sha256: sha256 })
    const phase = scan.start('main')
    await phase.seen('started')
    const ended = phase.cancel()
    const post = await scan.post()
    const main = await ended
    expect([post.code, post.messages.filter(isAlarm)]).toEqual([0, []])
    expect(main.messages.filter(isAlarm)).toEqual([expect.stringContaining('Stopped by SIGTERM.')])
    expect(main.reports.junit).toHaveLength(1)
  },
  { executor: 'kubernetes', cluster: 'real', gitlabEnv: false },
)

onGitlab(
  "after_script without an identity does not overwrite the script's evidence",
  async ({ step, proxy }) => {
    const scan = step({ command: 'true' })
    const main = await scan.main()
    proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => status(403, 'Forbidden', 'no more'))
    const post = await scan.post()
    expect(post.code).toBe(86)
    expect(post.messages).toEqual([expect.stringMatching(/^The credential lives until 20.* at the latest, unless main has revoked it\./)])
    expect(post.reports).toEqual(main.reports)
    expect(post.log).not.toContain('NOT REVOKED')
  },
  { gitlabEnv: false },
)

onGitlab(
  'after wrong inputs and without GITLAB_ENV, after_script reports no false alarm',
  async ({ step, proxy }) => {
    const scan = step({ command: 'true', duration: '5m' })
    expect((await scan.main()).code).toBe(80)
    const post = await scan.post()
    expect(post.code).toBe(0)
    expect(post.messages).toEqual([expect.stringMatching(/^No request could be sent\. If main had the same problem, it issued no token\./)])
    expect(proxy.exchanges).toEqual([])
  },
  { gitlabEnv: false },
)

onGitlab('main replaces the private directory of an earlier attempt, and rejects one of another user', async ({ step, job, proxy }) => {
  for (const [uid, code] of [
    [0, 0],
    [12345, 80],
  ] as const) {
    // Only root can change the owner.
    if (process.getuid?.() !== 0) return
    const scan = step({ command: 'true' })
    const key = createHash('sha256').update(`https://gitlab.com ${scan.jobId}`).digest('hex').slice(0, 16)
    const directory = join(job.tmp, `kubepass-${key}`)
    mkdirSync(directory)
    writeFileSync(join(directory, 'token'), 'left')
    chownSync(directory, uid, uid)
    const before = proxy.exchanges.length
    const main = await scan.main()
    expect(main.code).toBe(code)
    if (code === 0) continue
    expect(main.messages[0]).toMatch(/could not be made \(EEXIST\)[^]*Set directory/)
    expect(proxy.exchanges).toHaveLength(before)
    rmSync(directory, { recursive: true })
  }
})

onGitlab('the check of the JUnit report that failed is the one that ended the run', async ({ step, proxy }) => {
  proxy.on({ method: 'POST', path: WHOAMI, times: 20 }, () => ({ status: 500, body: '{}' }))
  const main = await step({ command: 'true', deadline: '5s' }).main()
  expect(main.code).toBe(83)
  expect(main.reports.junit).toEqual([expect.stringContaining('failures="1"')])
})

onGitlab(
  'after_script and the clean-up of the script can run at the same time',
  async ({ step, proxy }) => {
    const scan = step({ command: 'echo started; sleep 600' })
    let post: ReturnType<typeof scan.post> | undefined
    const deleted = (): (number | undefined)[] => proxy.seen('DELETE', ONE_SECRET).flatMap(({ status }) => status ?? [])
    // The proxy holds the script's DELETE until after_script has finished.
    proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, async () => {
      post = scan.post()
      while (deleted().length < 3) await delay(10)
      return undefined
    })
    const phase = scan.start('main')
    await phase.seen('started')
    const main = await phase.cancel()
    expect((await post)?.log).toMatch(/Credential: revoked /)
    expect(main.messages).toEqual([expect.stringContaining('Stopped by SIGTERM.')])
    expect(deleted().toSorted()).toEqual([200, 404, 404, 404])
  },
  { executor: 'kubernetes' },
)

for (const [delivery, end] of Object.entries({ auto: LOST_WITH_MAIN, kubeconfig: /Credential: revoked .*, proven dead/ }))
  onGitlab(
    `with delivery: ${delivery}, when after_script finishes before the script gets its signal, the script reports what it did correctly`,
    async ({ step }) => {
      const scan = step({ command: 'echo started; sleep 600', delivery })
      const phase = scan.start('main')
      await phase.seen('started')
      phase.kill('SIGSTOP')
      const ended = phase.cancel()
      expect((await scan.post()).log).toMatch(end)
      phase.kill('SIGCONT')
      const main = await ended
      expect([main.code, main.messages]).toEqual([143, [expect.stringContaining('Stopped by SIGTERM.')]])
    },
    { executor: 'kubernetes' },
  )

/** The end of a credential whose Secret a killed script had deleted. */
const absences = {
  auto: /Nothing of this job is left to revoke[^]* had no Secret left to delete; kubepass could not prove .*: the token was only in the memory of main/,
  kubeconfig: /its Secret did not exist, proven dead/,
}

for (const [boundary, matcher] of Object.entries(requestBoundaries)) {
  for (const [gitlabEnv, delivery] of [
    [true, 'auto'],
    [false, 'auto'],
    [true, 'kubeconfig'],
    [false, 'kubeconfig'],
  ] as const) {
    onGitlab(
      `with delivery: ${delivery}, after_script removes everything after a SIGKILL ${boundary}${gitlabEnv ? '' : ', without GITLAB_ENV'}`,
      async ({ step, proxy }: GitlabFixture) => {
        const scan = step({ command: 'true', delivery })
        proxy.on({ ...matcher, times: 1 }, async () => {
          phase.kill('SIGKILL')
          await phase.done
          return undefined
        })
        const phase = scan.start('main')
        expect((await phase.done).code).toBe(137)
        const post = await scan.post()
        expect(post.code).toBe(0)
        expect(post.messages).toEqual([])
        if (boundary === 'before the bound Secret' || boundary === 'after the bound Secret') {
          const deleted = boundary === 'after the bound Secret' ? 'Credential: revoked ' : 'Nothing of this job is left to revoke.'
          expect(post.log).toContain(gitlabEnv ? 'Credential: none was issued' : deleted)
        } else if (boundary === 'after the revocation')
          expect(post.log).toMatch(!gitlabEnv ? /Nothing of this job is left to revoke/ : absences[delivery])
        else expect(post.log).toMatch(/Credential: revoked /)
      },
      { gitlabEnv },
    )
  }
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  onGitlab(
    `${signal} to the program only gives its exit code, and after_script, run twice, finds nothing left to do`,
    async ({ step, proxy }) => {
      const scan = step({ command: 'echo started; sleep 600' })
      const phase = scan.start('main')
      await phase.seen('started')
      phase.kill(signal)
      const main = await phase.done
      expect(main.code).toBe(code)
      expect(main.log).toMatch(/Credential: revoked /)
      for (let times = 0; times < 3; times += 1) {
        const post = await scan.post()
        expect([post.code, post.messages]).toEqual([0, []])
      }
      expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, ...Array<number>(9).fill(404)])
    },
  )
}

onGitlab(
  'two GitLab jobs at the same time on the same machine do not disturb each other',
  async ({ step, proxy }) => {
    const command = 'dirname "$KUBECONFIG"; kubectl get ns kubepass -o name; sleep 0.5'
    const jobs = [step({ command }), step({ command })]
    const results = await Promise.all(jobs.map((job) => job.main()))
    for (const { code, log } of results) expect([code, log]).toEqual([0, expect.stringMatching(/namespace\/kubepass[^]*proven dead/)])
    const directories = results.map(({ log }) => /^\/\S+\/kubepass-[0-9a-f]{16}$/m.exec(log)?.[0])
    expect(new Set(directories).size).toBe(2)
    expect(new Set(proxy.tokens).size).toBe(2)
    for (const job of jobs) expect((await job.post()).messages).toEqual([])
  },
  // A runner gives each job its own $GITLAB_ENV and build folder. The jobs share the user and the temporary directory.
  { executor: 'shell', gitlabEnv: false },
)

onGitlab("hostile names in the job's variables appear quoted in log and reports", async ({ step }) => {
  const names = { CI_JOB_NAME: 'x"\n\u001b[0Ksection_start:1:forged\rx', CI_PROJECT_PATH: '`x`|<evil>&' }
  const main = await step({ command: 'true' }, names).main()
  expect(main.code).toBe(0)
  expect(main.log).not.toMatch(/\u001b\[0Ksection_start:1:forged/)
  expect(main.log).toContain(String.raw`\n\u001b[0Ksection_start:1:forged\rx`)
  expect(main.reports.junit.join()).not.toContain('<evil')
})

for (const [gitlabEnv, delivery, does, end] of [
  [true, 'auto', ', revokes, and says that the token was only in the memory of the script', LOST_WITH_MAIN],
  [true, 'kubeconfig', ', revokes and proves', /proven dead/],
  [false, 'auto', ' by its derived tracking id, and revokes', /Credential: revoked .*, not proven/],
  [false, 'kubeconfig', ' by its derived tracking id, and revokes', /Credential: revoked .*, not proven/],
] as const) {
  onGitlab(
    `with delivery: ${delivery} and the shell executor, SIGKILL while the scan runs: after_script ends the scan${does}`,
    async ({ step }) => {
      const scan = step({ command: 'echo started; exec >/dev/null 2>&1; sleep 600', delivery })
      await killWhileScanning(scan)
      const post = await scan.post()
      expect(post.code).toBe(0)
      expect(post.messages).toEqual([expect.stringMatching(/outlived the scan and were ended/)])
      expect(post.log).toMatch(end)
    },
    { executor: 'shell', gitlabEnv },
  )
}

onGitlab('after_script trusts the run state in GITLAB_ENV only where it agrees with the derived names', async ({ step, job, proxy }) => {
  const scan = step({ command: 'true' })
  proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, async () => {
    phase.kill('SIGKILL')
    await phase.done
    return undefined
  })
  const phase = scan.start('main')
  await phase.done
  const last = readFileSync(job.gitlabEnv, 'utf8').trimEnd().split('\n').at(-1) ?? ''
  const state = JSON.parse(last.slice(last.indexOf('=') + 1)) as RunState
  const [credential] = state.credentials
  const withFirst = (change: object): object => ({ ...state, credentials: [{ ...credential, ...change }] })
  for (const forged of [
    { ...state, requested: { ...state.requested, namespace: 'kube-system' } },
    { ...state, server: 'https://127.0.0.1:1' },
    { ...state, directory: job.home },
    withFirst({ slot: 'database-password' }),
    withFirst({ slot: 'unbound' }),
    withFirst({ phase: 'planned' }),
    withFirst({ phase: 'revoked', last: credential, at: new Date().toISOString() }),
    { ...state, credentials: [] },
    // No other run can use this name, so the DELETE needs no uid precondition.
    withFirst({ uid: '00000000-0000-0000-0000-000000000000' }),
    { ...state, credentials: [{ number: 1, slot: 0, deadBy: credential?.deadBy, phase: 'secret-requested', uid: 'forged' }] },
    { ...state, credentials: [{ number: 1, slot: 0, deadBy: credential?.deadBy, phase: 'planned', last: null }] },
    'none',
  ]) {
    writeFileSync(job.gitlabEnv, `KUBEPASS_RUN_STATE=${forged === 'none' ? forged : JSON.stringify(forged)}\n`)
    const before = proxy.exchanges.length
    expect((await scan.post()).code).toBe(0)
    expect(proxy.exchanges.slice(before).map(({ method, path }) => `${method} ${path}`)[0]).toBe(
      `DELETE /api/v1/namespaces/kubepass/secrets/${boundSecretNames(state)[0]}`,
    )
  }
})

onGitlab(
  'after the timeout of the whole job the runner starts no after_script, and the token lives until it expires',
  async ({ info, step, proxy, allowLeftover }) => {
    const scan = step({ command: 'echo started; sleep 600' })
    const phase = scan.start('main')
    await phase.seen('started')
    await phase.jobTimeout()
    expect(() => scan.start('post')).toThrow('a job that timed out runs no after_script')
    allowLeftover(/is left$/)
    const [{ metadata } = { metadata: { name: '' } }] = proxy
      .seen('POST', SECRETS)
      .map(({ responseBody }) => JSON.parse(responseBody) as { metadata: { name: string } })
    expect((await admin(info).delete(`/api/v1/namespaces/kubepass/secrets/${metadata.name}`)).status).toBe(200)
  },
)

onGitlab(
  'variables of pipeline and project cannot change which server gets the identity, but can change the command',
  async ({ step, proxy }) => {
    const main = await step(
      { command: 'echo by the input' },
      {
        KUBEPASS_SERVER: 'https://127.0.0.1:1',
        KUBEPASS_CERTIFICATE_AUTHORITY: '/nowhere',
        KUBEPASS_SERVICE_ACCOUNT: 'kube-system/admin',
        KUBEPASS_AUDIENCE: 'https://127.0.0.1:1',
        KUBEPASS_IDENTITY: 'token',
        KUBEPASS_TLS_SERVER_NAME: 'evil.example.com',
        KUBEPASS_ALLOW_DEBUG_TRACE: 'true',
        KUBEPASS_COMMAND: 'echo by the variable',
      },
    ).main()
    expect(main.code).toBe(0)
    expect(main.log).toContain('\nby the variable\n')
    expect(proxy.tokens).toHaveLength(1)
  },
)

onGitlab('the template does not run input values as shell code', async ({ step, job }) => {
  const command = `printf '%s\\n' '$HOME' "$(echo "it's")" '$CI_JOB_TOKEN' '%0A'`
  const main = await step({ command, pass_env: 'A,B' }).main()
  expect(main.log).toContain(`\n$HOME\nit's\n$CI_JOB_TOKEN\n%0A\n`)
  expect(() => step({ command: 'true', server: "https://x'; touch pwned; '" })).toThrow(/server/)
  expect(readdirSync(job.workspace)).toEqual(['kubepass-reports'])
})

onGitlab('CI_DEBUG_TRACE, which prints the ID token, is an error unless an input allows it', async ({ step, proxy, allowLeftover }) => {
  // The runner's own trace prints the token.
  allowLeftover(/^a token can be read in stderr of main/)
  const main = await step({ command: 'true' }, { CI_DEBUG_TRACE: 'true' }).main()
  expect(main.code).toBe(80)
  expect(main.messages[0]).toMatch(/CI_DEBUG_TRACE is true: the log shows every variable/)
  expect(proxy.exchanges).toEqual([])
  expect((await step({ command: 'true' }, { CI_DEBUG_TRACE: '1' }).main()).code).toBe(80)
  expect((await step({ command: 'true', allow_debug_trace: 'true' }, { CI_DEBUG_TRACE: 'true' }).main()).code).toBe(0)
})

onGitlab('no variable makes the template run as on GitHub, whose mask command would print the token', async ({ step, proxy, job }) => {
  const github = { GITHUB_ACTIONS: 'true', GITHUB_STATE: join(job.home, 'state'), INPUT_COMMAND: 'true', INPUT_SERVER: proxy.url }
  for (const variables of [github, { ...github, GITLAB_CI: 'false' }]) {
    const main = await step({ command: 'true' }, variables).main()
    expect(main.code).toBe(80)
    expect(main.log).toContain('GITHUB_ACTIONS is true in a GitLab job')
  }
  expect(proxy.exchanges).toEqual([])
  const main = await step({ command: 'true' }, { GITLAB_CI: 'false' }).main()
  expect([main.code, main.log]).toEqual([0, expect.stringContaining('Identity: gitlab-oidc')])
})

onGitlab('certificate_authority can be PEM text in a GitLab job', async ({ info, step }) => {
  const main = await step({ command: 'kubectl get ns kubepass -o name', certificate_authority: readFileSync(info.ca, 'utf8') }).main()
  expect([main.code, main.log]).toEqual([0, expect.stringContaining('namespace/kubepass')])
})

onGitlab('reports of an earlier job do not appear as reports of this job', async ({ step, job }) => {
  mkdirSync(join(job.workspace, 'kubepass-reports'))
  writeFileSync(join(job.workspace, 'kubepass-reports/junit.xml'), 'forged')
  const main = await step({ command: 'true', duration: '5m' }).main()
  expect(main.code).toBe(80)
  expect(main.reports.junit).toEqual([])
})

onGitlab(
  'the error about a missing ID token has the lines to add to .gitlab-ci.yml',
  async ({ step, proxy }) => {
    for (const inputs of [{}, { identity: 'gitlab-oidc' }]) {
      const main = await step({ command: 'true', ...inputs }).main()
      expect(main.code).toBe(81)
      expect(main.messages[0]).toMatch(/id_tokens:\n {4}KUBEPASS_ID_TOKEN:\n {6}aud: https:/)
    }
    expect(proxy.exchanges).toEqual([])
  },
  { idToken: false },
)

onGitlab('kubepass does not send an ID token that has other audiences than this cluster', async ({ step, proxy, job, audience }) => {
  for (const aud of [[audience, 'https://elsewhere.example.com'], 'https://elsewhere.example.com', undefined]) {
    Object.assign(job.options, { claims: { aud } })
    const main = await step({ command: 'true' }).main()
    expect(main.code).toBe(81)
    expect(main.messages[0]).toMatch(/The ID token's audience is .*, not "https:\/\/127.* alone/)
  }
  expect(proxy.exchanges).toEqual([])
  Object.assign(job.options, { claims: { aud: [audience] } })
  expect((await step({ command: 'true' }).main()).code).toBe(0)
})

onGitlab(
  'the error about an expired ID token names the setting to raise',
  async ({ step, proxy }) => {
    const main = await step({ command: 'true' }).main()
    expect(main.code).toBe(81)
    expect(main.messages[0]).toMatch(/The ID token expired [\d,]+ days ago\. Its times:\n[^]*exp: 2023-11-14T22:13:20Z[^]*raise timeout/)
    expect(proxy.exchanges).toEqual([])
  },
  { claims: { exp: 1_700_000_000 } },
)

onGitlab(
  'the error about an ID token that the API server rejects shows its claims, quoted',
  async ({ step }) => {
    const main = await step({ command: 'true' }).main()
    expect(main.code).toBe(82)
    for (const line of ['iss: "https://gitlab.com"', 'project_path: "group/project"', 'project_id: "21"', 'ref_protected: "true"'])
      expect(main.messages[0]).toContain(line)
    expect(main.messages[0]).toContain(String.raw`ref: "x\n\u001b[0Ksection_start"`)
    expect(main.reports.junit).toEqual([expect.stringContaining('failures="1" skipped="4"')])
  },
  { needs: 'claim-rules', claims: { project_id: '21', ref: 'x\n\u001b[0Ksection_start' } },
)

const wrongInputs: Record<string, Record<string, string>> = {
  'a server by http': { server: 'http://127.0.0.1:1' },
  'a password in the server': { server: 'https://user:hunter2@127.0.0.1' },
  'no certificate': { certificate_authority: 'not a certificate' },
  'no ServiceAccount': { service_account: 'scanner' },
  'under ten minutes': { duration: '5m' },
  'over the limit': { duration: '61m' },
  'an unknown choice': { prove: 'perhaps' },
  'a proof that nothing would wait for': { prove: 'post' },
  'an output that nobody could read': { delivery: 'output' },
  'a token with a line end in it': { token: 'hunter2hunter2hunter2\nX-Evil: 1' },
  'the workspace as directory': { directory: '.' },
  'no command': { command: ' ' },
}

for (const [problem, inputs] of Object.entries(wrongInputs)) {
  onGitlab(`wrong inputs of a GitLab job are an error before any request: ${problem}`, async ({ step, proxy }) => {
    const [name = ''] = Object.keys(inputs)
    let scan: ReturnType<typeof step>
    try {
      scan = step({ command: 'echo ran', ...inputs })
    } catch (error) {
      // GitLab itself rejects such a pipeline.
      expect(String(error)).toContain(`\`${name}\` input`)
      return
    }
    const main = await scan.main()
    expect(main.code).toBe(80)
    expect(main.messages).toHaveLength(1)
    expect(main.messages[0]).toContain(name === 'token' ? 'KUBEPASS_TOKEN' : name)
    expect(main.log).not.toMatch(/X-Evil: 1\n|\nran\n/)
    const post = await scan.post()
    expect([post.code, post.messages]).toEqual([0, []])
    // after_script ignores the inputs that only main needs, and sends its requests.
    expect(proxy.seen('POST', /./)).toEqual([])
  })
}

onGitlab('core dumps are off for kubepass itself', async ({ step }) => {
  const main = await step({ command: 'grep "Max core file size" "/proc/$PPID/limits"; cat "/proc/$PPID/comm"', isolate: 'off' }).main()
  expect(main.log).toMatch(/Max core file size +0 +0 /)
})

/** The program as one .tgz, as in a release. */
function packed(folder: string): { url: string; sha256: string } {
  const url = join(folder, 'kubepass.tgz')
  execFileSync('tar', ['-czf', url, '--transform', 's,^dist,package/dist,', '-C', resolve(dist, '..'), 'dist'])
  return { url, sha256: createHash('sha256').update(readFileSync(url)).digest('hex') }
}

onGitlab('the template checks the digest of the .tgz before script and again before after_script', async ({ step, job }) => {
  const { url, sha256 } = packed(job.home)
  const program = { program_url: url, program_sha256: sha256 }
  const wrongDigest = step({ command: 'true', ...program, program_sha256: sha256.replaceAll(/./g, '0') })
  expect(await wrongDigest.main()).toMatchObject({
    code: 79,
    log: expect.stringContaining('does not have the digest program_sha256') as unknown,
  })
  await wrongDigest.post()
  const noDigest = step({ command: 'true', program_url: url })
  expect(await noDigest.main()).toMatchObject({ code: 79, log: expect.stringContaining('program_url needs program_sha256') as unknown })

  // If a careless scan damages the file, the template downloads it again.
  const spoil = `for file in "$TMPDIR"/kubepass-program-*/program.tgz; do echo spoiled > "$file"; done; kubectl get ns kubepass -o name`
  const scan = step({ command: spoil, ...program })
  const main = await scan.main()
  expect(main.code).toBe(0)
  expect(main.log).toContain('namespace/kubepass')
  expect(main.log).not.toContain('could not be fetched')
  const post = await scan.post()
  expect(post.code).toBe(0)
  expect(post.log).toContain('proven dead')
})

onGitlab('the template downloads the program with curl and checks its digest, in script and after_script', async ({ info, step, job }) => {
  const { url, sha256 } = packed(job.home)
  const paths: string[] = []
  const server = createServer({ key: readFileSync(info.serverKey), cert: readFileSync(info.serverCert) }, (request, response) => {
    paths.push(request.url ?? '')
    response.end(readFileSync(url))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const inputs = { command: 'true', program_url: `https://127.0.0.1:${port}/kubepass.tgz`, program_sha256: sha256 }
  const scan = step(inputs, { CURL_CA_BUNDLE: info.ca, SSL_CERT_FILE: info.ca })
  const main = await scan.main()
  expect([main.code, main.log]).toEqual([0, expect.stringContaining('proven dead')])
  expect((await scan.post()).log).toContain('proven dead')
  // An undamaged file is not downloaded again.
  expect(paths).toEqual(['/kubepass.tgz'])
  server.close()
})

test('the template prints why it cannot run the program', async () => {
  await using job = new GitlabJob(clusters.quick)
  /** A PATH that contains only these programs. */
  const tools = (...names: string[]): string => {
    const folder = mkdtempSync(join(job.home, 'bin-'))
    for (const name of ['touch', 'uname', 'rm', ...names]) symlinkSync(join('/usr/bin', name), join(folder, name))
    return folder
  }
  const inputs = {
    server: 'https://127.0.0.1:1',
    audience: 'https://127.0.0.1:1',
    certificate_authority: 'x',
    service_account: 'a/b',
    command: 'true',
  }
  for (const [program, env, error] of [
    [{ program_url: '' }, {}, 'this template does not belong to a release: give program_url and program_sha256'],
    [{ program_url: '/nowhere' }, {}, 'there is no main/index.js in /nowhere'],
    [{ program: 'standalone', program_url: '/nowhere' }, {}, 'there is no program /nowhere'],
    [{}, { PATH: tools() }, 'there is no node in the image'],
    [{ program: 'standalone', program_url: '/etc/hostname' }, {}, '/etc/hostname does not run here: it needs glibc 2.28'],
    [{ program_url: '/x.tgz', program_sha256: '0'.repeat(64) }, { PATH: tools('mktemp') }, 'there is no sha256sum in the image'],
    [{ program_url: '/x.tgz', program_sha256: '0'.repeat(64) }, { PATH: tools('mktemp', 'sha256sum') }, 'there is no tar in'],
    [
      { program_url: 'https://127.0.0.1:1/kubepass.tgz', program_sha256: '0'.repeat(64) },
      {},
      'https://127.0.0.1:1/kubepass.tgz could not be fetched',
    ],
  ] as const) {
    const main = await job.step({ ...inputs, ...program }, env).main()
    expect([main.code, main.log]).toEqual([79, expect.stringContaining(error)])
    await nextTurn()
  }
})
