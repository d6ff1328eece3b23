import { generateKeyPairSync, verify } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { claimsOf } from '../cluster/token.ts'
import { goDuration, jobTimeout } from '../hosts/gitlab-duration.ts'
import type { Executor } from '../hosts/gitlab-executor.ts'
import { GitlabMasker } from '../hosts/gitlab-masker.ts'
import { Component, type InputValue } from '../hosts/gitlab-template.ts'
import { expandAll, outrank } from '../hosts/gitlab-variables.ts'
import type { JobSection } from '../hosts/gitlab-job-section.ts'
import { GitlabJob, type GitlabOptions } from '../hosts/gitlab.ts'
import { processesWith } from '../hosts/orphans.ts'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-component-'))
  folders.push(folder)
  return folder
}

const info = { kubectl: '/nowhere/kubectl', ca: '' } as ClusterInfo
const EXECUTORS: Executor[] = ['shell', 'docker', 'kubernetes']
/** The command by which a script calls the program; `PROGRAM` is the folder of its two scripts. */
const CALL = `
  script:
    - node "$PROGRAM/main/index.js"
  after_script:
    - node "$PROGRAM/post/index.js"
`

interface Parts {
  inputs?: string
  /** The keys of the job, in YAML. */
  job: string
  main?: string
  post?: string
}

/** A job of a component that belongs to the test. */
function jobOf({ inputs = '{}', job, main = '', post = '' }: Parts, options: GitlabOptions = {}): GitlabJob {
  const folder = newFolder()
  for (const [name, text] of [
    ['main', main],
    ['post', post],
  ] as const) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'index.js'), text)
  }
  const component = join(folder, 'scan.yml')
  writeFileSync(component, `spec:\n  inputs: ${inputs}\n---\nscan:\n${job.replace(/^\n/, '')}`)
  return new GitlabJob(info, { component, ...options, variables: { PROGRAM: folder, ...options.variables } })
}

/** The output of the commands, without their echo. */
function said(stdout: string): string[] {
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('\u001b'))
}

describe('a simulated GitLab component', () => {
  const read = (inputs: string, given: Record<string, InputValue> = {}, job = 'scan: {script: [x]}'): unknown =>
    new Component(`spec:\n  inputs:\n${inputs.replaceAll(/^/gm, '    ')}\n---\n${job}\n`).job(given)

  test.each<[string, string, Record<string, InputValue>, string]>([
    ['without what has no default', 'a: {}', {}, '`a` input: required value has not been provided'],
    ['with an input it does not know', 'a: {default: x}', { b: 'x' }, 'unknown input arguments: b'],
    ['with a number for a string', 'a:', { a: 5 }, 'is not a string'],
    ['with a string for a number', 'a: {type: number}', { a: '5' }, 'is not a number'],
    ['with a string for a boolean', 'a: {type: boolean}', { a: 'true' }, 'is not a boolean'],
    ['with a string for an array', 'a: {type: array}', { a: '[]' }, 'is not a array'],
    ['with none of the options', 'a: {options: [x, y]}', { a: 'z' }, 'not in the list of allowed options'],
    ['with what does not match', 'a: {regex: "^[a-z]+$"}', { a: 'x y' }, 'does not match required RegEx pattern'],
  ])('is an error %s', (_, inputs, given, message) => {
    expect(() => read(inputs, given)).toThrow(message)
  })

  test.each([
    ['a default that is not one of its options', 'a: {options: [x], default: z}', 'allowed options'],
    ['a default that does not match', 'a: {regex: "^x$", default: z}', 'RegEx'],
    ['a default of another type', 'a: {default: off}', 'not a string'],
    ['an unknown type', 'a: {type: integer}', 'unknown type'],
    ['an unknown key', 'a: {required: true}', 'unknown keys: required'],
  ])('cannot have an input with %s, even if unused', (_, inputs, message) => {
    expect(() => read(inputs, { a: 'x' })).toThrow(message)
  })

  test('accepts an input that contains a match of a regex without anchors', () => {
    expect(read('a: {regex: "[a-z]"}', { a: '$(x)' })).toBeDefined()
  })

  test('replaces inputs in keys and values, and keeps the type of a value that is only an input', () => {
    const component = new Component(`
spec:
  inputs:
    name:
    number: {type: number, default: 5}
    list: {type: array, default: [a, b]}
---
.audiences: &audiences "$[[ inputs.list ]]"
"$[[inputs.name]] job":
  variables: &variables {COUNT: "$[[ inputs.number ]]", EMBEDDED: "<$[[ inputs.number ]]> $[[ inputs.name ]]"}
  id_tokens: {TOKEN: {aud: *audiences}}
  script:
    - echo $NOT [[ inputs.name ]]
    - [one, [two]]
`)
    expect(component.job({ name: '$[[ inputs.number ]] "q": {' })).toMatchObject({
      name: '$[[ inputs.number ]] "q": { job',
      variables: { COUNT: '5', EMBEDDED: '<5> $[[ inputs.number ]] "q": {' },
      idTokens: { TOKEN: ['a', 'b'] },
      script: ['echo $NOT [[ inputs.name ]]', 'one', 'two'],
    })
  })

  test.each([
    ['an interpolation of what is no input', 'scan: {script: ["$[[ inputs.b ]]"]}', 'unknown interpolation key'],
    ['a function in an interpolation', 'scan: {script: ["$[[ inputs.a | posix_escape ]]"]}', 'unknown interpolation key'],
    ['two jobs', 'scan: {script: [x]}\nother: {script: [x]}', 'needs one job, not 2'],
    ['hidden jobs alone', '.scan: {script: [x]}', 'needs one job, not 0'],
    ['keys for a whole pipeline', 'variables: {A: b}\nscan: {script: [x]}', 'should not set variables'],
    ['keys of a job that make a difference', 'scan: {script: [x], extends: .base}', 'does not support: extends'],
    ['no script', 'scan: {stage: test}', 'has no script'],
    ['an ID token without audience', 'scan: {script: [x], id_tokens: {A: {}}}', 'needs an aud'],
    ['a variable that is a list', 'scan: {script: [x], variables: {A: [b]}}', 'should be a mapping'],
    ['a third document', 'scan: {script: [x]}\n---\nx: {}', 'two documents'],
  ])('is an error with %s', (_, job, message) => {
    expect(() => read('a: {default: x}', {}, job)).toThrow(message)
  })

  test("has a job timeout in GitLab's form", () => {
    expect(['30m', '1h 30m', '90 minutes', '1 hour 5 seconds'].map(jobTimeout)).toEqual([1_800, 5_400, 5_400, 3_605])
    expect(() => jobTimeout('soon')).toThrow('should be a duration')
  })

  test("has script timeouts in Go's form, and the runner ignores other text", () => {
    expect(['40s', '1h20m', '1.5h', '500ms', '300', '1d', '-5s'].map(goDuration)).toEqual([
      40_000,
      4_800_000,
      5_400_000,
      500,
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('variables of a simulated GitLab job', () => {
  test('can refer to each other, unless expansion is off', () => {
    const given = {
      NAME: 'x',
      PLAIN: '$NAME-${NAME}_$NAMES.$$NAME $(NAME) 5$',
      RAW: { value: '$NAME-${NAME}', expand: false },
      NESTED: '$PLAIN|$RAW',
    }
    const plain = 'x-x_.$NAME $(NAME) 5$'
    expect(Object.fromEntries(expandAll(outrank(given)))).toEqual({
      NAME: 'x',
      PLAIN: plain,
      RAW: '$NAME-${NAME}',
      NESTED: `${plain}|$NAME-\${NAME}`,
    })
  })

  test('may not refer to themselves', () => {
    expect(() => expandAll(outrank({ A: '$B', B: '$A' }))).toThrow('circular variable reference: A, B, A')
  })

  test('are masked only if GitLab can mask the value', () => {
    expect(() => outrank({ A: { value: 'short', masked: true } })).toThrow('GitLab masks no value like that of A')
    expect(() => outrank({ A: { value: 'two\nlines of it', masked: true } })).toThrow('GitLab masks no value')
  })

  test('of the project take precedence over those of earlier jobs and of the job, ID tokens and predefined ones', async () => {
    const names = [
      'CI_JOB_ID',
      'CI_JOB_NAME',
      'CI_COMMIT_SHA',
      'OF_JOB',
      'OF_EARLIER',
      'TOKEN',
      'RUNNER_TEMP_PROJECT_DIR',
      'CI_PROJECT_DIR',
    ]
    await using job = jobOf(
      {
        job: `
  variables: {CI_JOB_NAME: job, CI_COMMIT_SHA: job, OF_JOB: job, OF_EARLIER: job, RUNNER_TEMP_PROJECT_DIR: job, CI_PROJECT_DIR: job}
  script: ["${names.map((name) => `echo ${name}=$${name}`).join('; ')}; pwd"]
`,
      },
      { variables: { CI_COMMIT_SHA: 'project', OF_JOB: 'project', RUNNER_TEMP_PROJECT_DIR: 'project' } },
    )
    job.env['OF_EARLIER'] = 'earlier $CI_JOB_ID'
    job.env['OF_JOB'] = 'earlier'
    const use = job.step({}, { TOKEN: 'step' })
    expect(said((await use.main()).stdout)).toEqual([
      `CI_JOB_ID=${use.jobId}`,
      'CI_JOB_NAME=job',
      'CI_COMMIT_SHA=project',
      'OF_JOB=project',
      'OF_EARLIER=earlier $CI_JOB_ID',
      'TOKEN=step',
      `RUNNER_TEMP_PROJECT_DIR=${job.projectTemp}`,
      'CI_PROJECT_DIR=job',
      job.workspace,
    ])
  })

  test('of type file are paths of files beside the project', async () => {
    const content = `it's\n"two" lines $HOME`
    await using job = jobOf(
      { job: '\n  variables: {CONFIG: job, PLACE: "$CONFIG"}\n  script: [\'echo "$PLACE"; cat "$CONFIG"\']\n' },
      { fileVariables: { CONFIG: content } },
    )
    const path = join(job.projectTemp, 'CONFIG')
    expect(said((await job.step().main()).stdout)).toEqual([path, ...content.split('\n')])
    expect(job.ours).toContain(path)
    job.cleanUp()
    expect(existsSync(path)).toBe(false)
  })

  test('pass the secret inputs, which are not inputs of a component', async () => {
    await using job = jobOf({ inputs: '{server: {}}', job: '\n  script: [\'echo "$KUBEPASS_TOKEN $KUBEPASS_KUBECONFIG"\']\n' })
    const { stdout, log } = await job.step({ server: 'x', token: 'a$HOME-token', kubeconfig: 'a: {}' }).main()
    expect(said(stdout)).toEqual(['a$HOME-token a: {}'])
    expect(said(log)).toEqual(['[MASKED] a: {}'])
  })
})

describe('inputs of a simulated GitLab job', () => {
  test('are parsed as YAML, unless their type is string', async () => {
    await using job = jobOf({
      inputs: '{text: {}, number: {type: number}, flag: {type: boolean}, program: {}, program_url: {}}',
      job: '\n  script: ["echo $[[ inputs.text ]] $[[ inputs.number ]] $[[ inputs.flag ]] $[[ inputs.program ]] $[[ inputs.program_url ]]"]\n',
    })
    const { stdout } = await job.step({ text: '5', number: '7', flag: 'false' }).main()
    expect(said(stdout)).toEqual([`5 7 false node ${join(import.meta.dirname, '../../dist')}`])
    expect(() => job.step({ text: 'x', number: 'seven', flag: 'true' })).toThrow('is not a number')
  })
})

describe("the simulated GitLab runner's masker", () => {
  const masked = (secrets: string[], ...writes: (string | Buffer)[]): string => {
    const masker = new GitlabMasker(secrets)
    return Buffer.concat([...writes.map((write) => masker.write(Buffer.from(write))), masker.end()]).toString()
  }

  test('masks exact values, the longest first, and no other encoding', () => {
    expect(masked(['secret-1', 'secret-12'], 'a secret-12, secret-1: secret-')).toBe('a [MASKED], [MASKED]: secret-')
    for (const text of [Buffer.from('secret-1').toString('base64'), 'SECRET-1', 'secret%2D1', 's\u001b[0mecret-1', 'secret\n-1'])
      expect(masked(['secret-1'], text)).toBe(text)
  })

  test('masks a value that is split over writes in any way', () => {
    const bytes = Buffer.from('a €abcab€ab glpat-xyz_1 €abcab€abc, abcab€ glpat')
    const expected = 'a [MASKED]ab glpat-[MASKED] €abcab€abc, abcab€ glpat'
    const secrets = ['€abcab€', '€abcab€abcd']
    for (let cut = 0; cut <= bytes.length; cut += 1)
      expect(masked(secrets, bytes.subarray(0, cut), bytes.subarray(cut))).toBe(expected.replace('€abcab€abc', '[MASKED]abc'))
    expect(masked(secrets, ...[...bytes].map((byte) => Buffer.from([byte])))).toBe(expected.replace('€abcab€abc', '[MASKED]abc'))
  })

  test('prints text at once that cannot be part of a secret', () => {
    const masker = new GitlabMasker(['secret-1'])
    expect(masker.write(Buffer.from('ready\nsec')).toString()).toBe('ready\n')
    expect(masker.write(Buffer.from('ond')).toString()).toBe('second')
  })

  test("masks text after the prefixes of GitLab's own tokens", () => {
    expect(masked([], 'glpat-abc.d_e=f-1 glcbt-, glrt-x', ' _gitlab_session=', 'abc;gitlab-x')).toBe(
      'glpat-[MASKED] glcbt-, glrt-[MASKED] _gitlab_session=[MASKED];gitlab-x',
    )
  })

  test('gets no masks while a job runs, and prints an add-mask command', async () => {
    await using job = jobOf({ job: '\n  script: [\'echo "::add-mask::learned-secret"; echo learned-secret >&2\']\n' })
    const { log } = await job.step().main()
    expect(said(log)).toEqual(['::add-mask::learned-secret', 'learned-secret'])
  })

  test.each<[Executor, string]>([
    ['shell', 'hidden'],
    ['docker', 'hidden'],
    ['kubernetes', 'shown'],
  ])('in %s: a value that a line of stderr interrupts is %s', async (executor, how) => {
    const job = `
  script: ['printf secret; until [ -e a ]; do sleep 0.01; done; printf X >&2; until [ -e b ]; do sleep 0.01; done; echo -value']
`
    await using host = jobOf({ job }, { executor, variables: { VARIABLE: { value: 'secret-value', masked: true } } })
    const phase = host.step().start('main')
    await phase.seen(/^secret$/m)
    writeFileSync(join(host.workspace, 'a'), '')
    await phase.seen(/^X$/)
    writeFileSync(join(host.workspace, 'b'), '')
    const { log } = await phase.done
    expect([log.includes('[MASKED]'), log.includes('secretX-value')]).toEqual([how === 'hidden', how === 'shown'])
  })
})

describe('an ID token of a simulated GitLab job', () => {
  test("exists in script and after_script, is masked, and lives as long as the job's timeout", async () => {
    const job = `
  timeout: 20m
  variables: {SERVER: https://example.com}
  id_tokens: {TOKEN: {aud: "$SERVER/x"}, OTHER: {aud: [a, $SERVER]}}
  script: ['echo "$TOKEN"']
  after_script: ['echo "$TOKEN"']
`
    const folder = newFolder()
    const [component, issuerKey] = [join(folder, 'scan.yml'), join(folder, 'issuer.key')]
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(component, `spec: {inputs: {}}\n---\nscan:${job}`)
    writeFileSync(issuerKey, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await using host = new GitlabJob({ ...info, issuerKey }, { component, claims: { ref_protected: 'false' } })
    const before = Math.floor(Date.now() / 1000)
    const use = host.step()
    const after = Math.floor(Date.now() / 1000)
    expect(host.secrets).toHaveLength(2)
    const main = await use.main()
    const post = await use.post()
    const [token = '', other = ''] = host.secrets
    expect([main, post].map(({ stdout, log }) => [said(stdout).at(-1), said(log).at(-1)])).toEqual(Array(2).fill([token, '[MASKED]']))
    const [header = '', payload = '', signature = ''] = token.split('.')
    expect(verify('RSA-SHA256', Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(true)
    const claims = claimsOf(token)
    expect(claims).toMatchObject({
      iss: 'https://gitlab.com',
      aud: 'https://example.com/x',
      sub: 'project_path:group/project:ref_type:branch:ref:main',
      project_id: '20',
      job_id: use.jobId,
      ref_protected: 'false',
    })
    expect(claimsOf(other)['aud']).toEqual(['a', 'https://example.com'])
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(1_200)
    expect(Number(claims['iat'])).toBeGreaterThanOrEqual(before)
    expect(Number(claims['iat'])).toBeLessThanOrEqual(after)
    expect(said((await host.step({}, { TOKEN: 'of the project' }).main()).stdout)).toEqual(['of the project'])
  })

  test('does not exist if GitLab issues none', async () => {
    await using job = jobOf({ job: '\n  id_tokens: {TOKEN: {aud: x}}\n  script: [\'echo "[$TOKEN]"\']\n' }, { idToken: false })
    expect(said((await job.step().main()).stdout)).toEqual(['[]'])
    expect(job.secrets).toEqual([])
  })
})

describe('a script of a simulated GitLab job', () => {
  test('runs in one shell with before_script, echoes the first line of each command, and stops at a failure', async () => {
    await using job = jobOf({
      job: `
  before_script: ["greeting='a\\"b'"]
  script:
    - |
      echo "$greeting"
      cat; pwd
    - "false | cat"
    - echo never
`,
    })
    const { code, status, stdout, log, signal } = await job.step().main()
    expect({ code, status, signal }).toEqual({ code: 1, status: 'failed', signal: null })
    const echoed = (text: string): string => `\u001b[32;1m$ ${text}\u001b[0;m`
    expect(stdout.split('\n')).toEqual([
      echoed(`greeting='a"b'`),
      echoed('echo "$greeting" # collapsed multi-line command'),
      'a"b',
      job.workspace,
      echoed('false | cat'),
      '',
    ])
    expect(log).toBe(stdout)
  })

  test.each([0, 3, 101])('that ends with %i gives the job this exit code', async (code) => {
    await using job = jobOf({ job: CALL, main: `process.exitCode = ${String(code)}` })
    expect(await job.step().main()).toMatchObject({ code, status: code === 0 ? 'success' : 'failed' })
  })

  test('whose program gets SIGKILL ends with 137, and only the program gets the signal', async () => {
    const main = `
      import { spawn } from 'node:child_process'
      spawn('sh', ['-c', 'trap "echo told" TERM INT; echo ready; sleep 1 & wait; wait; echo done >&2'], { stdio: 'inherit', detached: true })`
    await using job = jobOf({ job: CALL, main }, { executor: 'shell' })
    const phase = job.step().start('main')
    await phase.seen('ready')
    expect(phase.kill('SIGKILL')).toBe(true)
    const { code, signal, stdout, stderr } = await phase.done
    expect({ code, signal }).toEqual({ code: 137, signal: null })
    expect(stdout).not.toContain('told')
    expect(stderr).toContain('done')
    expect(phase.kill('SIGKILL')).toBe(false)
  })

  test('does not inherit the environment of the test', async () => {
    process.env['OF_THE_TEST'] = 'x'
    await using job = jobOf({ job: '\n  script: [\'echo "[$OF_THE_TEST] $HOME $TMPDIR $GITLAB_CI"\']\n' })
    const { stdout } = await job.step().main()
    delete process.env['OF_THE_TEST']
    expect(said(stdout)).toEqual([`[] ${job.home} ${job.tmp} true`])
  })

  test('runs only once', async () => {
    await using job = jobOf({ job: CALL })
    const use = job.step()
    await use.main()
    expect(() => use.start('main')).toThrow('a job runs its script once')
    expect(job.step().jobId).not.toBe(use.jobId)
  })

  test('produces reports and artifacts', async () => {
    await using job = jobOf({
      job: `
  script: ['mkdir out; echo 1 > out/b; echo 2 > out/a; echo "<x/>" > report.xml; echo "{}" > links.json']
  artifacts: {paths: [out/, "*.json", none], reports: {junit: "*.xml", annotations: links.json}}
`,
    })
    expect(await job.step().main()).toMatchObject({
      artifacts: ['links.json', 'out/a', 'out/b'],
      reports: { junit: ['<x/>\n'], annotations: ['{}\n'] },
    })
  })
})

test('a simulated GitLab job with CI_DEBUG_TRACE prints its variables, and texts() excludes what the runner itself prints', async () => {
  const variables = { CI_DEBUG_TRACE: 'true', VARIABLE: { value: 'secret-value', masked: true } }
  await using host = jobOf({ job: '\n  script: [\'echo "[$VARIABLE]"\']\n' }, { variables })
  const { stderr, log } = await host.step().main()
  expect(stderr).toMatch(/^\+.* export VARIABLE=secret-value$/m)
  expect(log).toMatch(/export VARIABLE=\[MASKED\]$/m)
  expect(log).toMatch(/^\+.* echo '\[\[MASKED\]\]'$/m)
  expect(host.texts()['stderr of main (phase 1)']).not.toMatch(/export VARIABLE/)
})

describe('an after_script of a simulated GitLab job', () => {
  test("runs in a new shell, gets the job's status, and does not change it", async () => {
    const job = `
  script: ['export KEPT=x; exit 5']
  after_script: ['echo "$CI_JOB_STATUS [$KEPT] $CI_JOB_ID"', 'exit 9']
`
    await using host = jobOf({ job })
    const use = host.step()
    await use.main()
    const post = await use.post()
    expect(said(post.stdout)).toEqual([`failed [] ${use.jobId}`])
    expect(post.stdout).toContain('Running after script...')
    expect(post).toMatchObject({ code: 9, status: 'failed' })
  })

  test('of a successful job gets the status success, and the job succeeds although after_script fails', async () => {
    await using host = jobOf({ job: '\n  script: ["true"]\n  after_script: ["echo $CI_JOB_STATUS", "false"]\n' })
    const use = host.step()
    await use.main()
    expect(await use.post()).toMatchObject({ code: 1, status: 'success', stdout: expect.stringContaining('success') as unknown })
  })

  test('gets the lines of $GITLAB_ENV unchanged, with precedence over all other variables', async () => {
    const job = `
  script: ['echo "PLAIN=a b \\$HOME\\$(id)" >> "$GITLAB_ENV"; echo "CI_JOB_ID=other" >> "$GITLAB_ENV"']
  after_script: ['echo "$PLAIN|$CI_JOB_ID"']
`
    await using host = jobOf({ job })
    const use = host.step()
    expect((await use.main()).gitlabEnv).toBe('PLAIN=a b $HOME$(id)\nCI_JOB_ID=other\n')
    expect(said((await use.post()).stdout)).toEqual(['a b $HOME$(id)|other'])
    expect(host.texts()['GITLAB_ENV of main (phase 1)']).toContain('CI_JOB_ID=other')
    expect(host.ours).toContain(host.gitlabEnv)
    // The next job starts with an empty $GITLAB_ENV.
    expect((await host.step().main()).gitlabEnv.match(/PLAIN/g)).toHaveLength(1)
  })

  test('gets no lines of $GITLAB_ENV on a runner without that file', async () => {
    const job =
      '\n  script: [\'echo "[$GITLAB_ENV]"; echo "A=b" > "$RUNNER_TEMP_PROJECT_DIR/gitlab_runner_env"\']\n  after_script: [\'echo "[$A]"\']\n'
    await using host = jobOf({ job }, { gitlabEnv: false })
    const use = host.step()
    expect(said((await use.main()).stdout)).toEqual(['[]'])
    expect(said((await use.post()).stdout)).toEqual(['[]'])
  })

  test('of a job whose script did not run gets the status failed', async () => {
    await using host = jobOf({ job: '\n  script: ["true"]\n  after_script: ["echo $CI_JOB_STATUS"]\n' })
    expect(said((await host.step().post()).stdout)).toEqual(['failed'])
  })

  test('has a time limit of 5 minutes, or that of a variable', async () => {
    const job = '\n  script: ["true"]\n  variables: {RUNNER_AFTER_SCRIPT_TIMEOUT: 2s}\n  after_script: ["exec sleep 600"]\n'
    await using host = jobOf({ job }, { executor: 'shell' })
    const use = host.step()
    await use.main()
    expect(await use.post()).toMatchObject({ status: 'success', signal: null, code: 1 })
  })
})

/** A program whose scan does not end and has its own process group. */
const program = (scan: string, onTerm = `say('told'); process.exit(143)`): string => `
  import { spawn } from 'node:child_process'
  import { existsSync, writeFileSync, writeSync } from 'node:fs'
  const say = (text) => writeSync(1, 'program ' + text + '\\n')
  process.on('SIGTERM', () => { ${onTerm} })
  spawn('bash', ['-c', ${JSON.stringify(scan)}], { stdio: 'inherit', detached: true }).on('exit', () => say('saw it end'))
  setInterval(() => {}, 1000)`
/** Waits, because a killed process may not have ended yet. */
async function expectLeft(host: GitlabJob, count: number): Promise<void> {
  for (const end = Date.now() + 5_000; Date.now() < end && (await processesWith(host.trackingId)).length > count;) await delay(20)
  expect(await processesWith(host.trackingId)).toHaveLength(count)
}

const SCAN = `trap 'echo scan told; sleep 0.3; echo scan gone; exit' TERM; echo ready; while :; do sleep 0.02; done`

describe('a canceled simulated GitLab job', () => {
  test.each(EXECUTORS)('in %s gives its after_script the status canceled', async (executor) => {
    await using host = jobOf(
      { job: CALL.replace(/node "\$PROGRAM\/post.*/, 'echo $CI_JOB_STATUS'), main: program(SCAN) },
      { executor, patience: { look: 20, drain: 200, graceful: 5_000, force: 200 } },
    )
    const use = host.step()
    const phase = use.start('main')
    await phase.seen('ready')
    expect((await phase.cancel()).status).toBe('canceled')
    const post = await use.post()
    expect(said(post.stdout)).toEqual(['canceled'])
    expect(post.status).toBe('canceled')
  })

  test('with the shell executor sends SIGTERM to the process group, and starts after_script when all outputs are closed', async () => {
    const scan = `trap 'echo scan told' TERM; echo ready; until [ -e go ]; do sleep 0.02; done; echo scan done`
    await using host = jobOf({ job: CALL, main: program(scan) }, { executor: 'shell' })
    writeFileSync(join(host.tmp, 'kept'), '')
    const use = host.step()
    const phase = use.start('main')
    await phase.seen('ready')
    const canceled = phase.cancel()
    await phase.seen('program told')
    expect(() => use.start('post')).toThrow('after_script runs when script is over')
    writeFileSync(join(host.workspace, 'go'), '')
    const { stdout, code } = await canceled
    expect(said(stdout)).toEqual(['ready', 'program told', 'scan done'])
    expect(code).toBe(1)
    expect((await use.post()).code).toBe(0)
    expect(existsSync(join(host.tmp, 'kept'))).toBe(true)
  })

  test('with the shell executor sends SIGKILL to a process group that does not end, and gives up on other processes', async () => {
    const patience = { graceful: 2_000, force: 200 }
    await using host = jobOf(
      { job: CALL, main: program('echo ready; until [ -e go ]; do sleep 0.02; done; echo scan goes on; kill -STOP $$', `say('stays')`) },
      { executor: 'shell', patience },
    )
    const use = host.step()
    const phase = use.start('main')
    await phase.seen('ready')
    const { stdout, signal } = await phase.cancel()
    writeFileSync(join(host.workspace, 'go'), '')
    await phase.seen('scan goes on')
    expect(said(stdout)).toEqual(['ready', 'program stays'])
    expect(signal).toBe('SIGKILL')
    await expectLeft(host, 1)
  })

  test('with the docker executor sends SIGTERM to one process after the other, the youngest first, and starts a new container', async () => {
    await using host = jobOf({ job: CALL, main: program(SCAN) })
    for (const folder of [host.home, host.tmp, host.workspace, host.projectTemp]) writeFileSync(join(folder, 'file'), '')
    const use = host.step()
    const phase = use.start('main')
    await phase.seen('ready')
    const canceled = phase.cancel()
    expect(() => use.start('post')).toThrow('after_script runs when script is over')
    const { stdout } = await canceled
    expect(said(stdout)).toEqual(['ready', 'scan told', 'scan gone', 'program saw it end', 'program told'])
    expect([host.home, host.tmp, host.workspace, host.projectTemp].map((folder) => existsSync(join(folder, 'file')))).toEqual([
      false,
      false,
      true,
      true,
    ])
    expect((await use.post()).code).toBe(0)
  })

  test('with the docker executor checks a process that does not end six times, and then sends SIGKILL to all', async () => {
    const patience = { look: 50, signals: 1_500, stop: 2_000 }
    const main = program(`trap 'echo scan told' TERM; echo ready; while :; do sleep 0.02; done`, `say('told ' + Date.now())`)
    await using host = jobOf({ job: CALL, main }, { patience })
    const phase = host.step().start('main')
    await phase.seen('ready')
    const before = Date.now()
    const { stdout, signal } = await phase.cancel()
    const [, told = ''] = /program told (\d+)/.exec(stdout) ?? []
    expect(Number(told) - before).toBeGreaterThan(250)
    expect(signal).toBe('SIGKILL')
    expect(await processesWith(host.trackingId)).toEqual([])
  })

  test('with the kubernetes executor sends SIGTERM to the children of its shells, and starts after_script at the same time', async () => {
    const main = program(
      SCAN,
      `say('cleans up'); const wait = setInterval(() => { if (existsSync('post')) { say('is clean'); process.exit(143) } }, 10)`,
    )
    await using host = jobOf(
      { job: CALL, main, post: `import fs from 'node:fs'\nfs.writeFileSync('post', '')` },
      { executor: 'kubernetes' },
    )
    writeFileSync(join(host.tmp, 'kept'), '')
    const use = host.step()
    const phase = use.start('main')
    await phase.seen('ready')
    expect(() => use.start('post')).toThrow('after_script runs when script is over')
    const canceled = phase.cancel()
    expect((await use.post()).code).toBe(0)
    const { stdout } = await canceled
    expect(said(stdout)).toEqual(['ready', 'program cleans up', 'program is clean'])
    expect(existsSync(join(host.tmp, 'kept'))).toBe(true)
    expect(await processesWith(host.trackingId)).not.toEqual([])
  })

  test('cannot be canceled again', async () => {
    await using host = jobOf({ job: CALL, post: 'setInterval(() => {}, 1000)' })
    const use = host.step()
    await use.main()
    const post = use.start('post')
    expect(() => post.cancel()).toThrow('cannot be canceled')
  })

  test('that had already ended keeps its status', async () => {
    await using host = jobOf({ job: CALL })
    const phase = host.step().start('main')
    await phase.done
    expect(await phase.cancel()).toMatchObject({ code: 0, status: 'success' })
  })
})

describe('a simulated GitLab job that exceeds a timeout', () => {
  test.each(EXECUTORS)('in %s of its script gets SIGTERM as if canceled, and runs its after_script', async (executor) => {
    const job = CALL.replace(/node "\$PROGRAM\/post.*/, 'echo $CI_JOB_STATUS')
    await using host = jobOf({ job, main: program(SCAN) }, { executor, patience: { look: 20, graceful: 5_000, force: 200 } })
    const use = host.step()
    const phase = use.start('main')
    await phase.seen('ready')
    const main = await phase.scriptTimeout()
    expect(said(main.stdout)).toContain('program told')
    expect(main.status).toBe('timedout')
    expect(said((await use.post()).stdout)).toEqual(['timedout'])
  })

  test.each(EXECUTORS)('in %s of the whole job gets SIGKILL, and runs no after_script', async (executor) => {
    await using host = jobOf({ job: CALL, main: program('echo ready; kill -STOP $$') }, { executor, patience: { force: 200 } })
    const use = host.step()
    const phase = use.start('main')
    await phase.seen('ready')
    const main = await phase.jobTimeout()
    expect(said(main.stdout)).toEqual(['ready'])
    expect(main).toMatchObject({ signal: 'SIGKILL', status: 'timedout' })
    expect(() => use.start('post')).toThrow('runs no after_script')
    // With the shell executor a process that left the process group gets no signal.
    await expectLeft(host, executor === 'shell' ? 1 : 0)
  })

  test('is stopped by RUNNER_SCRIPT_TIMEOUT, or by the timeout of the whole job', async () => {
    const sleep = `\n  timeout: 1s\n  script: ['exec sleep 600']\n  after_script: ["true"]\n`
    await using script = jobOf({ job: sleep }, { variables: { RUNNER_SCRIPT_TIMEOUT: '300ms' } })
    expect((await script.step().main()).status).toBe('timedout')
    await using whole = jobOf({ job: sleep }, { variables: { RUNNER_SCRIPT_TIMEOUT: '2s' } })
    const use = whole.step()
    expect((await use.main()).signal).toBe('SIGKILL')
    expect(() => use.start('post')).toThrow('runs no after_script')
    await using shortened = jobOf({ job: sleep }, { patience: { script: 100 } })
    expect((await shortened.step().main()).status).toBe('timedout')
  })
})

describe('a process that the script of a simulated GitLab job leaves running', () => {
  // Ready when bash has become the sleeper: while it executes the program, it shows no environment.
  const job = `
  script:
    - (until [ -e go ]; do sleep 0.02; done; echo late) & sleep 600 >/dev/null 2>&1 &
    - until grep -q sleep /proc/$!/comm; do sleep 0.01; done; echo ready
`
  const start = async (host: GitlabJob): Promise<{ phase: JobSection; go: () => void }> => {
    writeFileSync(join(host.tmp, 'file'), '')
    const phase = host.step().start('main')
    await phase.seen(/^ready$/m)
    const go = (): void => {
      writeFileSync(join(host.workspace, 'go'), '')
    }
    return { phase, go }
  }

  test('with the shell executor delays the end of the script only while it holds an output', async () => {
    await using host = jobOf({ job }, { executor: 'shell' })
    const { phase, go } = await start(host)
    go()
    expect(said((await phase.done).stdout)).toEqual(['ready', 'late'])
    expect(await processesWith(host.trackingId)).not.toEqual([])
  })

  test('with the docker executor ends with the container, but its files stay', async () => {
    await using host = jobOf({ job }, { executor: 'docker' })
    const { phase } = await start(host)
    expect(said((await phase.done).stdout)).toEqual(['ready'])
    expect(await processesWith(host.trackingId)).toEqual([])
    expect(existsSync(join(host.tmp, 'file'))).toBe(true)
  })

  test('with the kubernetes executor goes on, and so does the log', async () => {
    await using host = jobOf({ job }, { executor: 'kubernetes' })
    const { phase, go } = await start(host)
    expect(said((await phase.done).stdout)).toEqual(['ready'])
    go()
    await phase.seen(/^late$/m)
    expect(said(host.texts()['log of main (phase 1)'] ?? '')).toEqual(['ready', 'late'])
    expect(await processesWith(host.trackingId)).not.toEqual([])
  })
})

test('a test of a simulated GitLab job ends although an untraceable process holds an output', async () => {
  const host = jobOf({ job: '\n  script: ["env -i sleep 600 & echo pid $!"]\n' }, { executor: 'shell' })
  const phase = host.step().start('main')
  await phase.seen(/^pid \d+$/m)
  await host[Symbol.asyncDispose]()
  const [, pid = ''] = /^pid (\d+)$/m.exec((await phase.done).stdout) ?? []
  // The process can be killed, so it existed.
  expect(process.kill(Number(pid), 'SIGKILL')).toBe(true)
})

test('texts() of a simulated GitLab job has the outputs of all sections', async () => {
  await using host = jobOf({ job: CALL, main: `console.log('out'); console.error('err')`, post: `console.log('later')` })
  const use = host.step()
  await use.main()
  await use.post()
  const texts = host.texts()
  expect(said(texts['stdout of main (phase 1)'] ?? '')).toEqual(['out'])
  expect(texts['stderr of main (phase 1)']).toBe('err\n')
  expect(said(texts['log of main (phase 1)'] ?? '').toSorted()).toEqual(['err', 'out'])
  expect(said(texts['stdout of post (phase 2)'] ?? '')).toEqual(['later'])
  expect(readFileSync(host.gitlabEnv, 'utf8')).toBe('')
})
