import { expect } from '@jest/globals'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Evidence } from '../../src/state/evidence.ts'
import { inTerminal, ONE_SECRET, onEachCi, onGithub, onGitlab } from './scenario.ts'

const NAMES = `kubectl config get-clusters; kubectl config get-users; kubectl config get-contexts -o name; kubectl config current-context`

onEachCi("the kubeconfig's cluster, context and user have the name of the server's host", async ({ proxy, step }) => {
  const main = await step({ command: NAMES }).main()
  expect(main.code).toBe(0)
  const name = new URL(proxy.url).host
  expect(main.log).toMatch(new RegExp(`NAME\\n${name}\\nNAME\\n${name}\\n${name}\\n${name}\\n`))
})

onEachCi('context_name sets the name of the cluster, context and user in the kubeconfig', async ({ step }) => {
  const main = await step({ command: NAMES, context_name: 'production' }).main()
  expect(main.code).toBe(0)
  expect(main.log).toContain('NAME\nproduction\nNAME\nproduction\nproduction\nproduction\n')
})

/** Without a request, the error of a scan that fails goes on with the reasons why the API proxy got none. */
const ASKS = 'kubectl get --raw /version >/dev/null'
const DIRECT = { delivery: 'kubeconfig' }

/** The scan's behaviour, the accepted exit codes, and the last error of the job's log. */
const scans: [string, Record<string, string>, RegExp | undefined][] = [
  ['fails', { command: `${ASKS}; exit 42` }, /^The scan ended with exit code 42, which is not among accept_exit_codes \(0\)\.$/],
  ['fails with the token', { command: 'exit 42', ...DIRECT }, /^The scan ended with exit code 42, which .* accept_exit_codes \(0\)\.$/],
  [
    'fails without a request',
    { command: 'exit 42' },
    /^The scan ended with exit code 42, which is not among accept_exit_codes \(0\)\. The scan sent no request to the API proxy at 127\.0\.0\.1:\d+\. .* Set (delivery|KUBEPASS_DELIVERY) to kubeconfig, or [^.]*\.$/,
  ],
  [
    'fails after a request without a credential',
    { command: `curl -sk "$(sed -n 's/.*"server": "\\(.*\\)".*/\\1/p' "$KUBECONFIG")/version"; exit 42` },
    /^The scan ended with exit code 42, .* The scan sent no request with its credential to the API proxy at .*; 1 came without it\./,
  ],
  [
    'has a code that is not accepted',
    { command: `${ASKS}; exit 1`, accept_exit_codes: '0,100,101' },
    /^The scan ended with exit code 1, which is not among accept_exit_codes \(0,100,101\)\.$/,
  ],
  [
    'kills itself',
    { command: `${ASKS}; kill -9 $$` },
    /^The scan .*SIGKILL.*accept_exit_codes \(0\)\. Did the machine run out of memory\?$/,
  ],
  ['kills itself, not isolated', { command: 'kill -9 $$', isolate: 'off' }, /^The scan was ended by SIGKILL \(exit code 137\)/],
  [
    'is a shell whose program was killed',
    { command: "sh -c 'kill -9 $$' || exit $?" },
    /^The scan ended with exit code 137, as after SIGKILL/,
  ],
  ['is no program', { command: 'no-such-program' }, /^The scan ended with exit code 127/],
  ['has a code that is accepted', { command: 'exit 100', accept_exit_codes: '0,100,101' }, undefined],
  ['succeeds', { command: 'true' }, undefined],
  ['takes longer than max_scan', { command: 'sleep 600', max_scan: '1s' }, /^The scan took longer than 1 s, so kubepass ended it\./],
]

for (const [behaviour, inputs, error] of scans) {
  onEachCi(
    `the log of a scan that ${behaviour} has ${error === undefined ? 'no error' : 'one error, at its end, with the reason'}`,
    async ({ ci, step }) => {
      const main = await step(inputs).main()
      expect(main.messages).toEqual(error === undefined ? [] : [expect.stringMatching(error)])
      if (error === undefined) return
      const [last = ''] = main.log
        .trimEnd()
        .split('\n')
        .slice(error.source.includes('longer') ? -2 : -1)
      expect(last).toMatch(ci === 'github' ? /^##\[error\]The scan / : /kubepass: error: The scan /)
    },
  )
}

onGithub('when the scan fails and the revocation fails, the only error is about the revocation', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => ({ status: 401, body: '' }))
  const use = step({ command: 'exit 42' })
  const main = await use.main()
  expect(main.annotations.filter(({ level }) => level === 'error')).toMatchObject([
    { message: expect.stringMatching(/^The credential could not be revoked\./) as unknown },
  ])
  stop()
  expect((await use.post()).code).toBe(0)
})

inTerminal("in a terminal kubepass prints no error about the command's exit code", async ({ terminal, flags, identityOf }) => {
  const { code, stderr } = await terminal.run(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'exit 42'], {
    stdin: await identityOf('issuer'),
  })
  expect(code).toBe(42)
  expect(stderr).not.toMatch(/accept_exit_codes|error/)
  expect(stderr).toMatch(/^kubepass: warning: The scan sent no request to the API proxy at .* Set --delivery to kubeconfig, /m)
})

/** The log lines about the end of the credential. */
const endings = (log: string): string[] => log.split('\n').filter((line) => /\bCredential\b(?! id)/.test(line))

onGithub('the log of a GitHub job has one line about the end of the credential', async ({ step }) => {
  const use = step({ command: 'true' })
  const main = await use.main()
  expect(endings(main.log)).toEqual([expect.stringMatching(/^Credential: revoked .*, proven dead .*\.$/)])
  expect(main.summary).toMatch(/^\| Credential \| `revoked .*, proven dead /m)
  expect(endings((await use.post()).log)).toHaveLength(1)
})

onGithub('without a command, main logs that the credential is in use, and post logs how it ended', async ({ step }) => {
  const use = step()
  expect(endings((await use.main()).log)).toEqual([expect.stringMatching(/^ {2}Credential +in use; dead by .* at the latest$/)])
  expect(endings((await use.post()).log)).toEqual([expect.stringMatching(/^Credential: revoked .*, proven dead .*\.$/)])
})

for (const gitlabEnv of [true, false]) {
  onGitlab(
    `the log of script and after_script has one line about the end of the credential${gitlabEnv ? '' : ', without GITLAB_ENV'}`,
    async ({ step }) => {
      const use = step({ command: 'true' })
      const main = await use.main()
      const post = await use.post()
      expect(endings(main.log + post.log)).toEqual([expect.stringMatching(/^Credential: revoked .*, proven dead .*\.$/)])
      expect(post.log).toContain('Nothing of this job is left to revoke.')
    },
    { gitlabEnv },
  )
}

inTerminal('in a terminal kubepass prints one line about the end of the credential', async ({ terminal, flags, identityOf }) => {
  const { stderr } = await terminal.run(['run', ...flags, '--token-file', '-', '--', 'true'], { stdin: await identityOf('issuer') })
  expect(endings(stderr)).toEqual([expect.stringMatching(/^kubepass: Credential: revoked .*, proven dead .*\.$/)])
})

/** How often the log announces a renewal. */
const renewalAnnouncements = (log: string): number => [...log.matchAll(/From \S+ on the credential is renewed\./g)].length

onEachCi('kubepass announces no renewal if the scan ends before it', async ({ step }) => {
  const inputs = { command: 'true', delivery: 'kubeconfig' }
  expect(renewalAnnouncements((await step(inputs).main()).log)).toBe(0)
  expect(renewalAnnouncements((await step({ ...inputs, max_scan: '5m' }).main()).log)).toBe(0)
})

onEachCi('kubepass announces no renewal to a scan that uses the API proxy, because no client notices it', async ({ step, proxy }) => {
  proxy.shortTokens(16)
  expect(renewalAnnouncements((await step({ command: 'true', max_scan: '30m' }).main()).log)).toBe(0)
})

onGithub('kubepass announces the renewal once, before a scan that may outlive the credential', async ({ step }) => {
  const main = await step({ command: 'echo scanning', delivery: 'kubeconfig', max_scan: '30m' }).main()
  expect(renewalAnnouncements(main.log)).toBe(1)
  expect(main.log.indexOf('credential is renewed')).toBeLessThan(main.log.indexOf('\nscanning'))
})

onGithub('kubepass announces a renewal that is near once', async ({ step, proxy }) => {
  proxy.shortTokens(16)
  const main = await step({ command: 'true', delivery: 'kubeconfig' }).main()
  expect(renewalAnnouncements(main.log)).toBe(1)
})

onEachCi('kubepass creates the folder of the evidence file in a CI job', async ({ step, job }) => {
  const main = await step({ command: 'true', evidence: 'out/of/e.json' }).main()
  expect([main.code, main.messages]).toEqual([0, []])
  expect(JSON.parse(readFileSync(join(job.workspace, 'out/of/e.json'), 'utf8'))).toMatchObject({ error: null, proven: { samples: 3 } })
})

onEachCi('evidence: - is an error in a CI job, where standard output is the log', async ({ step, proxy }) => {
  const main = await step({ command: 'true', evidence: '-' }).main()
  expect(main.code).toBe(80)
  expect(main.messages[0]).toContain("evidence is -, but a job's standard output is its log: name a file")
  expect(proxy.exchanges).toEqual([])
})

inTerminal("--evidence - prints the evidence on standard output after the scan's output", async ({ terminal, flags, identityOf }) => {
  const { code, stdout, stderr } = await terminal.run(
    ['run', ...flags, '--token-file', '-', '--evidence', '-', '--', 'sh', '-c', 'echo scanned; exit 3'],
    { stdin: await identityOf('issuer') },
  )
  expect(code).toBe(3)
  expect(stdout.startsWith('scanned\n{')).toBe(true)
  expect(JSON.parse(stdout.slice('scanned\n'.length)) as Evidence).toMatchObject({ used: { exit_code: 3 }, proven: { samples: 3 } })
  expect(stderr).not.toContain('could not be written')
  expect(readdirSync(terminal.work)).toEqual([])
})

inTerminal('--evidence - with a closed standard output gives a warning', async ({ terminal, flags, identityOf }) => {
  const file = join(terminal.home, 'identity')
  writeFileSync(file, await identityOf('issuer'))
  const { stderr } = await terminal.shell('"$0" "$@" | true', [...['run', ...flags, '--token-file', file, '--evidence', '-', '--', 'true']])
  writeFileSync(file, '')
  expect(stderr).toMatch(/The evidence file could not be written \(E\w+\)/)
})

inTerminal('kubepass creates the folder of the evidence file in a terminal', async ({ terminal, flags, identityOf }) => {
  await terminal.run(['run', ...flags, '--token-file', '-', '--evidence', 'out/e.json', '--', 'true'], {
    stdin: await identityOf('issuer'),
  })
  expect(existsSync(join(terminal.work, 'out/e.json'))).toBe(true)
})
