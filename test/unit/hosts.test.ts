import { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { parseCommandFile } from '../hosts/command-file.ts'
import { startJob, type GithubJob, type JobOptions } from '../hosts/github.ts'
import { JobLog, type JobLogOptions } from '../hosts/job-log.ts'
import { Masker } from '../hosts/masker.ts'
import { Terminal } from '../hosts/terminal.ts'

const info = { kubectl: '/nowhere/kubectl', ca: '' } as ClusterInfo
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A job without a cluster, whose action is two scripts of the test's own. */
function jobOf(
  { main = '', post = '', yaml }: { main?: string; post?: string; yaml?: string },
  options: JobOptions = {},
): Promise<GithubJob> {
  const action = mkdtempSync(join(tmpdir(), 'kubepass-action-'))
  folders.push(action)
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(action, path)), { recursive: true })
    writeFileSync(join(action, path), text)
  }
  write('dist/main/index.js', `import fs from 'node:fs'\nimport { spawn } from 'node:child_process'\n${main}`)
  write('dist/post/index.js', post)
  if (yaml !== undefined) write('action.yml', yaml)
  return startJob(info, { idToken: false, action, ...options })
}

function logOf(writes: ['stdout' | 'stderr', string][], options: JobLogOptions = {}): JobLog {
  const log = new JobLog(new Masker(), options)
  for (const [stream, text] of writes) log.write(stream, Buffer.from(text))
  log.end()
  return log
}

const commandsOf = (text: string): string[] => logOf([['stdout', text]]).commands.map(({ name, data }) => `${name} ${data}`)

describe('the masker', () => {
  const masked = (secret: string, text: string): string => {
    const masker = new Masker()
    masker.add(secret)
    return masker.mask(text)
  }
  const secret = 'se"cr\'et<&+>value€'
  const bytes = Buffer.from(secret)

  test.each([
    ['as it is', secret],
    ['in base64', bytes.toString('base64')],
    ['in base64 without its first byte', bytes.subarray(1).toString('base64')],
    ['in base64 without its first two bytes', bytes.subarray(2).toString('base64')],
    ['as an argument', 'se\\"cr\'et<&+>value€'],
    ['as an expression', "se\"cr''et<&+>value€"],
    ['in a URI', 'se%22cr%27et%3C%26%2B%3Evalue%E2%82%AC'],
    ['in XML', 'se&quot;cr&apos;et&lt;&amp;+&gt;value€'],
    ['as PowerShell shows it first', 'se"cr\'et<&+'],
    ['as PowerShell shows it then', 'value€'],
  ])('knows a secret %s', (_, spelling) => {
    expect(masked(secret, `[${spelling}]`)).toBe('[***]')
  })

  test('knows it in JSON, and without its quotes', () => {
    expect(masked('two\nlines', JSON.stringify({ a: 'two\nlines' }))).toBe('{"a":"***"}')
    expect(masked('"a quoted one"', 'a quoted one')).toBe('***')
  })

  test.each(['base64url', 'hex'] as const)('does not know it in %s', (encoding) => {
    const text = Buffer.from('ÿ>?ÿ>?ÿ>?').toString(encoding)
    expect(masked('ÿ>?ÿ>?ÿ>?', text)).toBe(text)
  })

  test('makes one mask of hits that overlap or touch', () => {
    const masker = new Masker()
    for (const each of ['abcd', 'cdef', 'gh']) masker.add(each)
    expect(masker.mask('1abcdefgh2abcd')).toBe('1***2***')
  })
})

describe('workflow commands', () => {
  test('start a line, after white space', () => {
    expect(commandsOf('  ::debug::one\nx ::debug::two\n::debug a=b,c=d::three')).toEqual(['debug one', 'debug three'])
  })

  test('of the older kind stand anywhere', () => {
    expect(commandsOf('anything ##[debug]one\n##[unknown]two')).toEqual(['debug one'])
  })

  test('are read from stderr, too', () => {
    expect(logOf([['stderr', '::set-output name=a::b\n']]).outputs).toEqual({ a: 'b' })
  })

  test('may follow a bare CR, and need no last newline', () => {
    expect(commandsOf('progress\r::debug::one\r\n::debug::two')).toEqual(['debug one', 'debug two'])
  })

  test('are found across any split of writes', () => {
    const text = Buffer.from('::debug::é\r\n::debug::€')
    for (let cut = 0; cut <= text.length; cut += 1) {
      const log = new JobLog(new Masker())
      log.write('stdout', text.subarray(0, cut))
      log.write('stdout', text.subarray(cut))
      log.end()
      expect(log.commands.map(({ data }) => data)).toEqual(['é', '€'])
    }
  })

  test('are unescaped, each kind in its way', () => {
    const [first, second] = logOf([['stdout', '::error title=a%3Ab%2Cc::1%0A2%253A\n##[error title=a%3Bb]1%5D2']]).annotations
    expect(first).toEqual({ level: 'error', message: '1\n2%3A', properties: { title: 'a:b,c' } })
    expect(second).toEqual({ level: 'error', message: '1]2', properties: { title: 'a;b' } })
  })

  test('are off between stop-commands and its word', () => {
    const log = logOf([
      [
        'stdout',
        '::stop-commands::w0rd\n::add-mask::secret\nx ##[set-output name=a]b\n::other::\nsecret\n::W0rd::\n::set-output name=c::d\n',
      ],
    ])
    expect(log.lines).toEqual([
      '::stop-commands::w0rd',
      '::add-mask::secret',
      'x ##[set-output name=a]b',
      '::other::',
      'secret',
      '::W0rd::',
    ])
    expect(log.commands.map(({ name }) => name)).toEqual(['stop-commands', 'w0rd', 'set-output'])
    expect(log.outputs).toEqual({ c: 'd' })
  })

  test('that set the environment are refused, and that fails the step', () => {
    const log = logOf([['stdout', '::set-env name=a::b\n']])
    expect(log.failed).toBe(true)
    expect(log.annotations).toHaveLength(1)
  })

  test('annotate ten times a level at most', () => {
    const log = logOf([['stdout', `${'::warning::w\n'.repeat(12)}::notice::n\n`]])
    expect(log.annotations.map(({ level }) => level)).toEqual([...Array<string>(10).fill('warning'), 'notice'])
    expect(log.lines).toHaveLength(13)
  })
})

describe('a mask', () => {
  test('holds for the whole value and each of its lines, from then on', () => {
    const log = logOf([['stdout', 'alpha\n::add-mask::alpha%0A  beta%0D%0A\nalpha beta gamma\n']])
    expect(log.lines).toEqual(['alpha', '*** *** gamma'])
    expect(log.masks).toEqual(['alpha\n  beta\r\n'])
  })

  test('of nothing is refused', () => {
    expect(logOf([['stdout', '::add-mask:: \n']]).annotations).toMatchObject([{ level: 'warning' }])
  })

  test('holds in annotations, and not in outputs', () => {
    const log = logOf([['stdout', '::add-mask::secret\n::error::a secret\n::set-output name=a::secret\n']])
    expect(log.annotations).toMatchObject([{ message: 'a ***' }])
    expect(log.outputs).toEqual({ a: 'secret' })
  })

  test('on stdout is late for a secret that stands on stderr', () => {
    const batch = logOf([
      ['stdout', '::add-mask::secret\n'],
      ['stderr', 'secret\n'],
    ])
    expect(batch.lines).toEqual(['secret'])
  })

  test('is in time when its batch has been worked off', async () => {
    const writes = async (options: JobLogOptions): Promise<string[]> => {
      const log = new JobLog(new Masker(), options)
      log.write('stdout', Buffer.from('::add-mask::secret\n'))
      await new Promise(setImmediate)
      log.write('stderr', Buffer.from('secret\n'))
      log.end()
      return log.lines
    }
    expect(await writes({})).toEqual(['***'])
    expect(await writes({ hostileOrder: true })).toEqual(['secret'])
  })
})

describe('a command file', () => {
  test('holds values on a line and between words; the last one counts', () => {
    expect([...parseCommandFile('a=1\n\nb<<END\nx\n\ny=z\nEND\nc=1<<2\na=3')]).toEqual([
      ['a', '3'],
      ['b', 'x\n\ny=z'],
      ['c', '1<<2'],
    ])
    expect([...parseCommandFile('a<<END\nEND\nb=')]).toEqual([
      ['a', ''],
      ['b', ''],
    ])
    expect([...parseCommandFile('a=1\r\n')]).toEqual([['a', '1\r']])
  })

  test.each([
    ['a line that says nothing', 'abc\n', 'Invalid format'],
    ['no name', '=b\n', 'must not be empty'],
    ['no word', 'a<<\n', 'must not be empty'],
    ['no end', 'a<<END\nb\n', 'delimiter not found'],
    ['no last newline', 'a<<END\nb', 'missing new line'],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseCommandFile(text)).toThrow(message)
  })
})

describe('a job', () => {
  test('carries state to post, and nothing else of the step', async () => {
    const main = `
      fs.appendFileSync(process.env.GITHUB_STATE, 'name=first\\nlong<<X\\n1\\n2\\nX\\nname=last\\n')
      console.log('::save-state name=spoken::yes')
      fs.appendFileSync(process.env.GITHUB_OUTPUT, 'out=put\\n')
      fs.appendFileSync(process.env.GITHUB_STEP_SUMMARY, '# Done')
      process.exitCode = 7`
    const post = `console.log(JSON.stringify([process.env.STATE_name, process.env.STATE_long, process.env.STATE_spoken, process.env.STATE_out]))`
    await using job = await jobOf({ main, post })
    const step = job.step()
    expect(await step.main()).toMatchObject({
      code: 7,
      conclusion: 'failure',
      outputs: { out: 'put' },
      summary: '# Done',
      state: { name: 'last', long: '1\n2', spoken: 'yes' },
    })
    const { stdout, conclusion, state } = await step.post()
    expect(JSON.parse(stdout)).toEqual(['last', '1\n2', 'yes', null])
    expect(conclusion).toBe('success')
    expect(state).toEqual({ name: 'last', long: '1\n2', spoken: 'yes' })
  })

  test('fails a step whose files cannot be read', async () => {
    await using job = await jobOf({ main: `fs.appendFileSync(process.env.GITHUB_STATE, 'a<<END\\n')` })
    const { code, conclusion, annotations, state } = await job.step().main()
    expect({ code, conclusion, state, count: annotations.length }).toEqual({ code: 0, conclusion: 'failure', state: {}, count: 1 })
  })

  test('hands the environment of a step to the next, but not what the runner keeps for itself', async () => {
    const main = `
      console.log(JSON.stringify(process.env))
      fs.appendFileSync(process.env.GITHUB_ENV, 'PLAIN=value\\nINPUT_SERVER=other\\nGITHUB_RUN_ID=0\\nNODE_OPTIONS=--inspect\\n')
      fs.appendFileSync(process.env.GITHUB_PATH, '/first\\n/second\\n')`
    await using job = await jobOf({ main, yaml: 'inputs: {server: {}, duration: {default: 15m}}\nruns: {main: dist/main/index.js}' })
    await job.step({ server: 'mine' }).main()
    const env = JSON.parse((await job.step({ server: 'mine', 'two words-1': 'x' }).main()).stdout) as Record<string, string>
    expect(env).toMatchObject({
      PLAIN: 'value',
      INPUT_SERVER: 'mine',
      INPUT_DURATION: '15m',
      'INPUT_TWO_WORDS-1': 'x',
      GITHUB_RUN_ID: job.runId,
      RUNNER_TEMP: job.runnerTemp,
    })
    expect(env['PATH']).toMatch(/^\/second:\/first:\/nowhere:/)
    expect(env).not.toHaveProperty('NODE_OPTIONS')
    expect(env).not.toHaveProperty('ACTIONS_ID_TOKEN_REQUEST_URL')
  })

  test('begins with an environment of its own', async () => {
    process.env['OF_THE_TEST'] = 'x'
    await using job = await jobOf({ main: 'console.log(JSON.stringify([process.env.OF_THE_TEST, process.env.HOME, process.cwd()]))' })
    const { stdout } = await job.step().main()
    delete process.env['OF_THE_TEST']
    expect(JSON.parse(stdout)).toEqual([null, job.home, job.workspace])
  })

  test('keeps its masks for all of its steps', async () => {
    await using job = await jobOf({ main: `console.log('::add-mask::hidden')`, post: `console.log('hidden'); console.error('hidden')` })
    const step = job.step()
    expect(await step.main()).toMatchObject({ log: '', stdout: '::add-mask::hidden\n', masks: ['hidden'] })
    expect(await step.post()).toMatchObject({ log: '***\n***\n', stdout: 'hidden\n', stderr: 'hidden\n' })
    expect(job.texts()).toMatchObject({ 'stdout of main (phase 1)': '\n', 'stdout of post (phase 2)': 'hidden\n' })
  })

  test('tells when something has been written, and when it never will be', async () => {
    await using job = await jobOf({ main: `console.log('ready'); process.stdin.on('end', () => console.error('bye')).resume()` })
    const phase = job.step().start('main')
    await phase.seen('ready')
    await phase.seen(/by./)
    await expect(phase.seen('more')).rejects.toThrow('ended before it wrote more')
  })
})

describe('a cancelled phase', () => {
  const patience = { interrupt: 300, terminate: 200, drain: 200 }
  const stubborn = `
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log(signal))
    setInterval(() => {}, 1000)
    console.log('ready')`

  test('gets SIGINT, SIGTERM and SIGKILL, each in its time', async () => {
    await using job = await jobOf({ main: stubborn }, { patience })
    const phase = job.step().start('main')
    await phase.seen('ready')
    // When each is sent: when it arrives is the machine's affair.
    const sent: { name: unknown; at: number }[] = []
    const kill = Object.getOwnPropertyDescriptor(ChildProcess.prototype, 'kill')?.value as ChildProcess['kill']
    ChildProcess.prototype.kill = function (name) {
      sent.push({ name, at: performance.now() })
      return kill.call(this, name)
    }
    const { signal, conclusion } = await phase.cancel().finally(() => (ChildProcess.prototype.kill = kill))
    expect(sent.map(({ name }) => name)).toEqual(['SIGINT', 'SIGTERM', 'SIGKILL'])
    const [interrupted = NaN, terminated = NaN, killed = NaN] = sent.map(({ at }) => at)
    expect(terminated - interrupted).toBeGreaterThan(295)
    expect(killed - terminated).toBeGreaterThan(195)
    expect({ signal, conclusion }).toEqual({ signal: 'SIGKILL', conclusion: 'cancelled' })
  })

  test('is not signalled again when it has ended', async () => {
    await using job = await jobOf(
      { main: `${stubborn}\nprocess.on('SIGINT', () => process.exit(130))` },
      { patience: { ...patience, interrupt: 60_000 } },
    )
    const phase = job.step().start('main')
    await phase.seen('ready')
    expect(await phase.cancel()).toMatchObject({ code: 130, signal: null, conclusion: 'cancelled' })
  })

  test('leaves its children alone, until the job ends', async () => {
    const main = `
      const child = spawn('sleep', ['600'], { detached: true, stdio: 'inherit' })
      child.unref()
      console.log('ready')`
    await using job = await jobOf({ main }, { patience })
    // The sleeper holds stdout: the step is over all the same.
    expect(await job.step().main()).toMatchObject({ code: 0, stdout: 'ready\n' })
    expect(await job.cleanUpOrphans()).toBe(1)
    expect(await job.cleanUpOrphans()).toBe(0)
  })
})

test('a terminal gives a command its words, its input and little else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-cli-'))
  folders.push(folder)
  const script = join(folder, 'index.js')
  writeFileSync(
    script,
    `console.log(process.argv.slice(2).join(), process.env.HOME, process.env.MORE); process.stdin.pipe(process.stderr); process.exitCode = 3`,
  )
  await using terminal = new Terminal(info, [process.execPath, script])
  const ended = await terminal.run(['a', 'b'], { stdin: 'input', env: { MORE: 'more' } })
  expect(ended).toEqual({ code: 3, signal: null, stdout: `a,b ${terminal.home} more\n`, stderr: 'input' })
  expect(terminal.texts()).toEqual({ 'stdout of command 1': ended.stdout, 'stderr of command 1': 'input' })
})
