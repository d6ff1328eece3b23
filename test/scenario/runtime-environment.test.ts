import { expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Proxy } from '../cluster/proxy.ts'
import type { GithubJob, JobOptions } from '../hosts/github.ts'
import {
  LOST_WITH_MAIN,
  inTerminal,
  killWhileScanning,
  ONE_SECRET,
  onGithub,
  runInTerminal,
  runOnGithub,
  runOnGitlab,
  TOKEN,
  type GithubFixture,
} from './scenario.ts'

const WAITS = 'echo started; sleep 600'

/** A script for --require that records each program that loads it. */
function spy(folder: string): { options: string; loads: () => number } {
  const [script, log] = [join(folder, 'spy.cjs'), join(folder, 'spy.log')]
  writeFileSync(script, `require('node:fs').appendFileSync(${JSON.stringify(log)}, 'x')`)
  return { options: `--max-old-space-size=256 --require ${script}`, loads: () => (existsSync(log) ? readFileSync(log, 'utf8').length : 0) }
}

test('with NODE_OPTIONS that load code or write files, main fails before any request, and post has nothing to do', async () => {
  const refused = (options: string, named: string): Promise<void> =>
    runOnGithub(async ({ step, job, proxy }) => {
      const use = step({ command: 'echo ran' }, { NODE_OPTIONS: options.replace('FOLDER', job.home) })
      const main = await use.main()
      expect(main.code).toBe(80)
      expect(main.messages).toEqual([expect.stringContaining(`NODE_OPTIONS holds "${named}".\n`)])
      expect(main.messages[0]).toContain("env: NODE_OPTIONS: ''")
      const post = await use.post()
      expect([post.code, post.messages]).toEqual([0, []])
      expect(post.log).toContain('Main requested nothing')
      expect([proxy.exchanges, job.idTokens.tokens]).toEqual([[], []])
    })
  const onGitlab = runOnGitlab(async ({ step, job, proxy }) => {
    const { options, loads } = spy(job.home)
    const use = step({ command: 'echo ran' }, { NODE_OPTIONS: options })
    const main = await use.main()
    expect(main.code).toBe(80)
    expect(main.messages).toEqual([expect.stringContaining('NODE_OPTIONS holds "--require".\n')])
    expect(proxy.exchanges).toEqual([])
    expect(loads()).toBe(1)
    const post = await use.post()
    expect([post.code, post.messages]).toEqual([0, []])
    expect(loads()).toBe(2)
  })
  await Promise.all([
    refused('--inspect=127.0.0.1:0', '--inspect'),
    refused('--tls-keylog=FOLDER/keys', '--tls-keylog'),
    // Removes WebAssembly, which the redactor uses to search outputs.
    refused('--jitless', '--jitless'),
    onGitlab,
  ])
})

test('post starts itself again without unsafe NODE_OPTIONS, once, and finishes the run', async () => {
  const onGithub = runOnGithub(async ({ step, job }) => {
    const use = step()
    expect((await use.main()).code).toBe(0)
    const { options, loads } = spy(job.home)
    job.env['NODE_OPTIONS'] = options
    const post = await use.post()
    expect([post.code, post.messages]).toEqual([0, []])
    expect(post.log).toMatch(/Credential: revoked .*, proven dead/)
    expect(loads()).toBe(1)
  })
  const inTerminal = runInTerminal(async ({ terminal, flags, identityOf, proxy }) => {
    const stdin = await identityOf('issuer')
    const { options, loads } = spy(terminal.work)
    const identified = [...flags, '--token-file', '-']
    const refused = await terminal.run(['run', ...identified, '--', 'true'], { stdin, env: { NODE_OPTIONS: options } })
    expect([refused.code, proxy.exchanges.length, readdirSync(terminal.tmp)]).toEqual([80, 0, []])
    const swept = await terminal.run(['sweep', ...identified], { stdin, env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' } })
    expect([swept.code, proxy.exchanges.length]).toEqual([80, 0])
    const state = await killedRun(terminal, identified, stdin)
    const revoked = await terminal.run(['revoke', ...identified, state], { stdin, env: { NODE_OPTIONS: options } })
    expect([revoked.code, loads()]).toEqual([0, 2])
    expect(revoked.stderr).toMatch(LOST_WITH_MAIN)
  })
  await Promise.all([onGithub, inTerminal])
})

onGithub(
  'kubepass accepts NODE_OPTIONS for memory, DNS and warnings, and ignores variables by which Node.js writes data about kubepass',
  async ({ step, job }) => {
    const coverage = join(job.home, 'coverage')
    const env = {
      NODE_OPTIONS: '--max-old-space-size=256 --dns-result-order ipv4first --no-warnings',
      NODE_V8_COVERAGE: coverage,
      NODE_COMPILE_CACHE: join(job.home, 'cache'),
      NODE_DEBUG_NATIVE: 'tls,http2',
    }
    const use = step({ command: 'env | grep ^NODE_ | sort' }, env)
    const main = await use.main()
    expect([main.code, main.messages]).toEqual([0, []])
    // The runner itself sets this variable.
    expect(main.log.match(/^NODE_.*$/gm)).toEqual([expect.stringMatching(/^NODE_EXTRA_CA_CERTS=/)])
    expect((await use.post()).code).toBe(0)
    expect(main.stderr).not.toContain('TLSWrap')
    expect(existsSync(coverage) ? readdirSync(coverage) : []).toEqual([])
  },
)

type Temp = (job: GithubJob) => string | undefined

/** Unusual values of RUNNER_TEMP, with the error of main; undefined if main works. */
const temps: Record<string, [temp: Temp, error?: RegExp]> = {
  unset: [() => undefined],
  empty: [() => ''],
  'a link': [
    (job) => {
      const link = join(job.home, 'link')
      if (!existsSync(link)) symlinkSync(job.runnerTemp, link)
      return link
    },
  ],
  'not there': [() => '/nowhere', /^directory is "\/nowhere", which cannot be used \(ENOENT\)/],
  'a file': [() => '/etc/passwd', /^directory is "\/etc\/passwd", which is no directory/],
  // Even root cannot write there.
  'where nothing can be made': [() => '/proc', /directory.* \/proc|^directory is "\/proc", which cannot be used/],
  'a link into the workspace': [
    (job) => {
      const link = join(job.home, 'link')
      if (!existsSync(link)) symlinkSync(job.workspace, link)
      return link
    },
    /^directory is ".*link", which lies in the workspace/,
  ],
  'with a colon, which ends a member of KUBECONFIG': [
    (job) => made(job, 'a:b'),
    /^directory is ".*\/a:b", with a ":": KUBECONFIG is a list/,
  ],
  'a link without a colon to a place with one': [
    (job) => linked(job, 'plain', made(job, 'with:colon')),
    /^directory is ".*\/with:colon", with a ":": KUBECONFIG is a list/,
  ],
  'a link with a colon to a place without one': [(job) => linked(job, 'in:name', job.runnerTemp)],
  'below a folder with a colon': [(job) => made(job, 'x:y/z'), /^directory is ".*\/x:y\/z", with a ":"/],
  'with a line end': [(job) => made(job, 'a\nb'), /^directory is ".*\/a\\nb", with a control character/],
  'with all else that a name can hold': [(job) => made(job, `~ ; $HOME %2F 'a' "b" * [c] ü,=&|\\`)],
}

function made({ tmp }: GithubJob, name: string): string {
  const place = join(tmp, 'temps', name)
  mkdirSync(place, { recursive: true })
  return place
}

function linked({ home }: GithubJob, name: string, to: string): string {
  const link = join(home, name)
  if (!existsSync(link)) symlinkSync(to, link)
  return link
}

test('a temporary directory with a colon is an error on GitLab and in a terminal, as in the input directory', async () => {
  const error = /with a ":": KUBECONFIG is a list/
  const onGitlab = runOnGitlab(async ({ step, job, proxy }) => {
    const place = join(job.home, 'a:b')
    mkdirSync(place)
    const main = await step({ command: 'echo ran' }, { TMPDIR: place }).main()
    expect([main.code, main.messages]).toEqual([80, [expect.stringMatching(error)]])
    expect(proxy.exchanges).toEqual([])
    const given = step({ command: 'echo ran', directory: place })
    expect((await given.main()).code).toBe(80)
    const post = await given.post()
    expect([post.code, post.messages]).toEqual([0, []])
  })
  const inTerminal = runInTerminal(async ({ terminal, flags, identityOf, proxy }) => {
    const place = join(terminal.home, 'a:b')
    mkdirSync(place)
    const words = ['run', ...flags, '--token-file', '-', '--', 'echo', 'ran']
    const stdin = await identityOf('issuer')
    for (const { code, stdout, stderr } of [
      await terminal.run(words, { stdin, env: { TMPDIR: place } }),
      await terminal.run(['run', '--directory', place, ...words.slice(1)], { stdin }),
    ]) {
      expect([code, stdout]).toEqual([80, ''])
      expect(stderr).toMatch(error)
    }
    expect([proxy.exchanges, readdirSync(place)]).toEqual([[], []])
  })
  await Promise.all([onGitlab, inTerminal])
})

test('main uses an unusual RUNNER_TEMP if possible, and otherwise fails before any request', async () => {
  const runs = Object.values(temps).map(([temp, error]) =>
    runOnGithub(
      async ({ step, proxy, job }) => {
        const use = step({ command: 'echo "at $KUBECONFIG"; kubectl get ns kubepass -o name' })
        const main = await use.main()
        if (error === undefined) {
          expect([main.code, main.messages]).toEqual([0, []])
          expect(main.log).toContain('namespace/kubepass')
          expect(main.log).not.toContain(job.workspace)
        } else {
          expect(main.code).toBe(80)
          expect(main.messages).toEqual([expect.stringMatching(error)])
          expect([proxy.exchanges, job.idTokens.tokens]).toEqual([[], []])
        }
        const post = await use.post()
        expect([post.code, post.messages]).toEqual([0, []])
        rmSync(join(job.tmp, 'temps'), { recursive: true, force: true })
      },
      { variables: (job) => ({ RUNNER_TEMP: temp(job) }) },
    ),
  )
  await Promise.all(runs)
})

onGithub(
  'kubepass recognises a workspace that is a link into the temporary directory',
  async ({ step, job }) => {
    const evidence = join(job.home, 'workspace', 'evidence.json')
    const main = await step({ command: 'kubectl get ns kubepass -o name', evidence }).main()
    expect([main.code, main.messages]).toEqual([0, []])
    expect(JSON.parse(readFileSync(join(job.tmp, 'real', 'evidence.json'), 'utf8'))).toMatchObject({ error: null })
    const inside = await step({ command: 'echo ran', directory: join(job.tmp, 'real') }).main()
    expect([inside.code, inside.messages]).toEqual([80, [expect.stringMatching(/^directory is ".*real", which lies in the workspace/)]])
    rmSync(join(job.tmp, 'real'), { recursive: true })
  },
  {
    variables: (job) => {
      const [real, link] = [join(job.tmp, 'real'), join(job.home, 'workspace')]
      mkdirSync(real, { recursive: true })
      if (!existsSync(link)) symlinkSync(real, link)
      return { GITHUB_WORKSPACE: link, RUNNER_TEMP: job.tmp }
    },
  },
)

/** Runs the program with a small file system in place of a directory, and prints the names that are left in it. */
function withTmpfs(pages: number, place: string, before = 'true'): [string, ...string[]] {
  const mount = `mount -t tmpfs -o size=${String(pages * 4)}k kubepass-test "${place}"`
  const script = `${mount} && ${before} || exit; "$0" "$@"; code=$?; ls -A "${place}" | sed 's/^/left: /'; exit $code`
  return ['unshare', '-rm', 'sh', '-c', script]
}

const mayMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'kubepass-test', '/mnt']).status === 0
if (!mayMount) console.warn('Skipped: full disks: this machine lets no ordinary user mount a tmpfs in a namespace of its own.')
const testDisks = mayMount ? test : test.skip

const onDisk = (pages: number, scenario: (fixture: GithubFixture) => Promise<void>): Promise<void> => {
  const place = (job: GithubJob): string => join(job.home, 'disk')
  const options: JobOptions = {
    wrapper: withTmpfs(pages, '$RUNNER_TEMP'),
    variables: (job) => {
      mkdirSync(place(job), { recursive: true })
      return { RUNNER_TEMP: place(job) }
    },
  }
  return runOnGithub(scenario, options)
}

testDisks('a full disk is an error before any request, or main revokes what it has requested, and no partial file is left', async () => {
  const full = onDisk(8, async ({ step, proxy, job }) => {
    const main = await step({ command: 'true' }).main()
    expect(main.code).toBe(80)
    expect(main.messages).toEqual([
      expect.stringMatching(/cannot write into the private directory .* \(ENOSPC\)\.\nIs the disk full\? .*\/dev\/shm/),
    ])
    expect([proxy.exchanges, job.idTokens.tokens]).toEqual([[], []])
    expect(main.log).not.toContain('left: ')
  })
  // Space for the token and for the first page of the kubeconfig; with the API proxy, for no page of a kubeconfig without a token.
  const filled = Object.entries({ kubeconfig: 2, auto: 0 }).map(([delivery, left]) =>
    onDisk(64, async ({ info, step, proxy, job }) => {
      proxy.on({ method: 'POST', path: TOKEN, times: 1 }, () => {
        const filler = `/proc/${String(phase.pid)}/root${join(job.home, 'disk')}/filler`
        const pages = fill(filler)
        truncateSync(filler, (pages - left) * 4096)
        return undefined
      })
      // This makes the kubeconfig larger than a page.
      const authorities = join(job.home, 'authorities')
      writeFileSync(authorities, readFileSync(info.ca, 'utf8').repeat(4))
      const phase = step({ command: 'echo ran', certificate_authority: authorities, delivery }).start('main')
      const main = await phase.done
      expect(main.code).toBe(80)
      expect(main.messages).toEqual([expect.stringMatching(/cannot write into the private directory .* \(ENOSPC\)/)])
      expect(main.log).not.toContain('\nran\n')
      expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
      expect(main.log.match(/^left: .*$/gm)).toEqual(['left: filler'])
    }),
  )
  const onTerminal = (pages: number, error: RegExp): Promise<void> => {
    const cli = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url))
    return runInTerminal(
      async ({ terminal, flags, identityOf, proxy }) => {
        const stdin = await identityOf('issuer')
        const { code, stdout, stderr } = await terminal.run(['run', ...flags, '--token-file', '-', '--', 'true'], { stdin })
        expect([code, stdout]).toEqual([80, 'left: filler\n'])
        expect(stderr).toMatch(error)
        expect(proxy.exchanges).toEqual([])
      },
      [...withTmpfs(pages, '$TMPDIR', 'echo x > "$TMPDIR/filler"'), process.execPath, cli],
    )
  }
  const state = onTerminal(1, /The run state, from which a later step finishes this run, cannot be saved \(ENOSPC\)/)
  const directory = onTerminal(8, /cannot write into the private directory .* \(ENOSPC\)/)
  await Promise.all([full, ...filled, state, directory])
})

/** @returns the number of pages that it filled */
function fill(file: string): number {
  for (let pages = 0; ; pages += 1) {
    try {
      appendFileSync(file, Buffer.alloc(4096))
    } catch {
      return pages
    }
  }
}

test('a scan cannot make kubepass write through links that it puts in place of files and of the evidence folder', async () => {
  const links = runOnGithub(async ({ step, job }) => {
    const victim = join(job.home, 'victim')
    writeFileSync(victim, 'precious')
    const command = `rm "$KUBECONFIG"; mkdir "$KUBECONFIG"; touch "$KUBECONFIG/x"
token=$(dirname "$KUBECONFIG")/token; rm "$token"; ln -s "$VICTIM" "$token"
ln -s "$VICTIM" evidence.json`
    const inputs = { command, delivery: 'kubeconfig', prove: 'post', evidence: 'evidence.json' }
    const use = step(inputs, { VICTIM: victim })
    const main = await use.main()
    expect([main.code, main.messages]).toEqual([0, []])
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    expect(JSON.parse(readFileSync(join(job.workspace, 'evidence.json'), 'utf8'))).toMatchObject({ error: null })
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(post.log).toMatch(/Credential: revoked .*, not proven/)
    expect(readFileSync(victim, 'utf8')).toBe('precious')
  })
  const proxied = runOnGithub(async ({ step, job }) => {
    const victim = join(job.home, 'victim')
    writeFileSync(victim, 'precious')
    const command = `rm "$KUBECONFIG"; ln -s "$VICTIM" "$KUBECONFIG"
ln -s "$VICTIM" "$(dirname "$KUBECONFIG")/token"; ln -s "$VICTIM" evidence.json`
    const use = step({ command, evidence: 'evidence.json' }, { VICTIM: victim })
    const main = await use.main()
    expect([main.code, main.messages]).toEqual([0, []])
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
    expect(JSON.parse(readFileSync(join(job.workspace, 'evidence.json'), 'utf8'))).toMatchObject({ error: null })
    expect((await use.post()).code).toBe(0)
    expect(readFileSync(victim, 'utf8')).toBe('precious')
  })
  const summary = runOnGithub(async ({ step, job }) => {
    const victim = join(job.home, 'victim')
    writeFileSync(victim, 'precious')
    const command = 'summary=$(ls "$RUNNER_TEMP"/_runner_file_commands/step_summary_*); rm "$summary"; ln -s "$VICTIM" "$summary"'
    const use = step({ command }, { VICTIM: victim })
    const main = await use.main()
    expect([main.code, main.messages]).toEqual([0, ['The summary could not be written (ELOOP).']])
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    const post = await use.post()
    expect([post.code, post.messages]).toEqual([0, []])
    expect(post.summary).toMatch(/^### Scan passed\. /m)
  })
  const folders = runOnGithub(async ({ step, job }) => {
    const victims = join(job.home, 'victims')
    for (const name of ['evidence.json', 'kubeconfig', 'token']) put(join(victims, name), 'precious')
    mkdirSync(join(job.workspace, 'reports'))
    const command = `rmdir reports; ln -s "$VICTIMS" reports
own=$(dirname "$KUBECONFIG"); mv "$own" "$own.moved"; ln -s "$VICTIMS" "$own"`
    const main = await step({ command, evidence: 'reports/evidence.json' }, { VICTIMS: victims }).main()
    expect(main.code).toBe(0)
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
    expect(main.messages).toEqual([
      expect.stringMatching(/^The directory .* was not removed/),
      'The evidence file could not be written (ELOOP).',
    ])
    for (const name of readdirSync(victims)) expect(readFileSync(join(victims, name), 'utf8')).toBe('precious')
    expect(readdirSync(victims)).toHaveLength(3)
    for (const name of readdirSync(job.runnerTemp))
      if (/^kubepass-[0-9a-f]{16}/.test(name)) rmSync(join(job.runnerTemp, name), { recursive: true })
  })
  const reports = runOnGitlab(async ({ step, job }) => {
    const victim = join(job.home, 'victim')
    writeFileSync(victim, 'precious')
    const command = 'for name in junit.xml annotations.json evidence.json; do ln -s "$VICTIM" kubepass-reports/$name; done'
    // The workspace itself may lie behind a link, because the scan did not make that link.
    const link = join(job.home, 'link')
    symlinkSync(job.workspace, link)
    const main = await step({ command }, { VICTIM: victim, CI_PROJECT_DIR: link }).main()
    expect([main.code, main.messages]).toEqual([0, []])
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    expect([main.reports.junit.length, main.reports.annotations.length]).toEqual([1, 1])
  })
  const folder = runOnGitlab(async ({ step, job }) => {
    const victims = join(job.home, 'victims')
    for (const name of ['junit.xml', 'annotations.json', 'evidence.json']) put(join(victims, name), 'precious')
    const main = await step({ command: 'rm -r kubepass-reports; ln -s "$VICTIMS" kubepass-reports' }, { VICTIMS: victims }).main()
    expect(main.code).toBe(0)
    expect(main.messages).toHaveLength(2)
    for (const name of readdirSync(victims)) expect(readFileSync(join(victims, name), 'utf8')).toBe('precious')
    expect(readdirSync(victims)).toHaveLength(3)
  })
  await Promise.all([links, proxied, summary, folders, reports, folder])
})

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

onGithub(
  'three steps at the same time on the same machine do not disturb each other',
  async ({ step, job, proxy }) => {
    const go = join(job.workspace, 'go')
    const long = step({ command: `echo started; while [ ! -f ${go} ]; do sleep 0.05; done; kubectl get ns kubepass -o name` })
    const phase = long.start('main')
    await phase.seen('started')
    const ends = { auto: LOST_WITH_MAIN, kubeconfig: /Credential: revoked .*, proven dead/ }
    const shorts = Object.entries(ends).map(([delivery, end]) => ({ short: step({ command: WAITS, delivery }), end }))
    for (const { short } of shorts) await killWhileScanning(short)
    for (const { short, end } of shorts) {
      const post = await short.post()
      expect(post.log).toMatch(/outlived the scan and were ended/)
      expect(post.log).toMatch(end)
    }
    writeFileSync(go, '')
    const main = await phase.done
    expect([main.code, main.messages]).toEqual([0, []])
    expect(main.log).toContain('namespace/kubepass')
    expect((await long.post()).code).toBe(0)
    expect(new Set(proxy.tokens).size).toBe(3)
  },
  // The scan keeps the output open, for which the runner waits in vain.
  { patience: { drain: 200 } },
)

type Terminal = Parameters<Parameters<typeof runInTerminal>[0]>[0]['terminal']

/** A scan whose first output comes when the run state is complete. */
const untilGiven = (go: string): string => `echo begun; until [ -f ${go} ]; do sleep 0.05; done`

/** @returns the path of the run state that is left */
async function killedRun(terminal: Terminal, flags: string[], stdin: string, before = 'true'): Promise<string> {
  const go = join(terminal.work, 'go')
  const child = terminal.start(['run', ...flags, '--', 'sh', '-c', `${untilGiven(go)}; ${before}; ${WAITS}`], {
    stdin,
  })
  await child.seen('begun')
  writeFileSync(go, '')
  await child.seen('started')
  rmSync(go)
  child.kill('SIGKILL')
  await child.exited
  return join(terminal.tmp, readdirSync(terminal.tmp).find((name) => name.endsWith('.state.json')) ?? '')
}

const statuses = (proxy: Proxy): (number | undefined)[] => proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)

inTerminal(
  'revoke finishes a run by the name of a run state file that the scan has emptied',
  async ({ terminal, flags, identityOf, proxy }) => {
    const stdin = await identityOf('issuer')
    const identified = [...flags, '--token-file', '-']
    for (const spoil of [': >', 'rm -f', 'echo garbage >']) {
      const empty = `file=$(dirname "$KUBECONFIG").state.json; ${spoil} "$file"; touch "$file"`
      const state = await killedRun(terminal, identified, stdin, empty)
      // With other flags, revoke would send its requests to another server, or to none.
      const wrong = await terminal.run(['revoke', ...identified, '--service-account', 'x', state], { stdin })
      expect([wrong.code, existsSync(state)]).toEqual([80, true])
      const { code, stderr } = await terminal.run(['revoke', ...identified, state], { stdin })
      expect([code, existsSync(state)]).toEqual([0, false])
      expect(stderr).toContain('The state file is unreadable. Using its name and your flags')
      expect(stderr).toMatch(/outlived the scan and were ended[^]*Credential: revoked /)
      // The bound Secret has the first of the three names that the run could have used.
      expect(statuses(proxy).slice(-3).toSorted()).toEqual([200, 404, 404])
    }
    // The run was killed before it sent a request.
    const state = join(terminal.tmp, 'kubepass-0123456789abcdef.state.json')
    writeFileSync(state, '')
    const { code, stderr } = await terminal.run(['revoke', ...identified, state], { stdin })
    expect([code, existsSync(state)]).toEqual([0, false])
    expect(stderr).toContain('Nothing of this job is left to revoke.')
    expect(statuses(proxy).slice(-3)).toEqual([404, 404, 404])
  },
)

inTerminal('kubepass cleans up although the scan replaces the run state file by a folder', async ({ terminal, flags, identityOf }) => {
  const spoil = 'file=$(dirname "$KUBECONFIG").state.json; rm "$file"; mkdir "$file" "$file.next"; touch "$file.next/x"'
  const go = join(terminal.work, 'go')
  const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', `${untilGiven(go)}; ${spoil}`], {
    stdin: await identityOf('issuer'),
  })
  await child.seen('begun')
  writeFileSync(go, '')
  const { code, stderr } = await child.ended
  expect(code).toBe(0)
  expect(stderr).toMatch(/Credential: revoked .*, proven dead/)
})
