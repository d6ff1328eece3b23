import { expect } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubeconfigOf } from './kubeconfigs.ts'
import { LOST_WITH_MAIN, inTerminal, onGithub, TOKEN } from './scenario.ts'

/** Uses bash, because sh has no process substitution. */
const bash = (script: string): string => `exec bash -c '${script}' "$0" "$@"`

/** A scan that runs until its token has been renewed. */
const WAITS = 'token="$(dirname "$KUBECONFIG")/token"; first="$(cat "$token")"; while [ "$(cat "$token")" = "$first" ]; do sleep 0.1; done'

const ASKED = ['--service-account', 'kubepass/scanner', '--isolate', 'off']

inTerminal(
  'kubepass reads a --token-file that is a process substitution, /dev/stdin or - once, also with a renewal',
  async ({ identityOf, proxy, terminal, flags }) => {
    const TEXT = await identityOf('issuer')
    const scripts = [
      '"$0" "$@" --token-file <(echo "$TEXT") -- sh -c "$WAITS"',
      'echo "$TEXT" | "$0" "$@" --token-file /dev/stdin -- sh -c "$WAITS"',
      'echo "$TEXT" | "$0" "$@" --token-file - -- sh -c "$WAITS"',
    ]
    proxy.shortTokens(4)
    for (const script of scripts) {
      const words = ['run', ...flags, '--isolate', 'off', '--delivery', 'kubeconfig']
      const { code, stderr } = await terminal.shell(bash(script), words, { env: { TEXT, WAITS } })
      expect(stderr).toMatch(/Renewed the credential/)
      expect([script, code]).toEqual([script, 0])
    }
    expect(new Set(proxy.seen('POST', TOKEN).map(({ bearer }) => bearer))).toEqual(new Set([TEXT]))
  },
)

inTerminal(
  'the CA can come from a process substitution and the token from standard input',
  async ({ identityOf, info, proxy, terminal }) => {
    const script = '"$0" "$@" --certificate-authority <(cat "$CA") --token-file - -- true'
    const { code } = await terminal.shell(bash(script), ['run', '--server', proxy.url, ...ASKED], {
      stdin: await identityOf('issuer'),
      env: { CA: info.ca },
    })
    expect(code).toBe(0)
  },
)

inTerminal('two inputs that name standard input are an error', async ({ terminal, proxy }) => {
  const flags = ['run', '--server', proxy.url, ...ASKED, '--certificate-authority', '/dev/stdin', '--token-file', '-', '--', 'true']
  const { code, stderr } = await terminal.run(flags, { stdin: 'x' })
  expect(code).toBe(80)
  expect(stderr.match(/names standard input, as another input does/g)).toHaveLength(2)
})

inTerminal('the scan gets an empty standard input if kubepass read the identity from it', async ({ info, proxy, terminal }) => {
  const user = { 'client-certificate': info.clientCert, 'client-key': info.clientKey }
  const { code, stdout } = await terminal.run(['run', '--kubeconfig', '-', ...ASKED, '--', 'wc', '-c'], {
    stdin: kubeconfigOf(info, proxy.url, user),
  })
  expect([code, stdout.trim()]).toEqual([0, '0'])
})

inTerminal('a pipe without a writer, or whose writer does not end, is an error within deadline', async ({ proxy, terminal, flags }) => {
  const scripts = [
    'mkfifo pipe; "$0" "$@" --token-file pipe -- true',
    'mkfifo held; exec 9<>held; echo x >&9; "$0" "$@" --token-file held -- true',
    'exec 9<>held; "$0" "$@" --token-file - -- true < held',
  ]
  for (const script of scripts) {
    const { code, stderr } = await terminal.shell(bash(script), ['run', ...flags, '--deadline', '1s'])
    expect([script, code]).toEqual([script, 80])
    expect(stderr).toMatch(/whose text did not end within 1 s: does a program write to it\? Raise deadline if that takes longer/)
  }
  expect(proxy.exchanges).toEqual([])
})

inTerminal('Ctrl-C ends kubepass at once while it waits for a pipe', async ({ terminal, flags }) => {
  const pipe = join(terminal.work, 'pipe')
  execFileSync('mkfifo', [pipe])
  const child = terminal.start(['run', ...flags, '--token-file', pipe, '--deadline', '10m', '--', 'true'])
  // The open for writing returns when kubepass has opened the pipe.
  writeFileSync(pipe, '')
  child.kill('SIGINT')
  const { code, stderr } = await child.ended
  expect(code).toBe(130)
  expect(stderr).toContain('Stopped by SIGINT.')
})

inTerminal('a file over 1 MiB is an error', async ({ proxy, terminal, flags }) => {
  for (const script of ['"$0" "$@" --token-file <(yes) -- true', 'yes | "$0" "$@" --token-file - -- true']) {
    const { code, stderr } = await terminal.shell(bash(script), ['run', ...flags])
    expect([script, code]).toEqual([script, 80])
    expect(stderr).toMatch(/whose text is over 1 MiB/)
  }
  expect(proxy.exchanges).toEqual([])
})

inTerminal('revoke reads its identity from a pipe, too', async ({ identityOf, terminal, flags }) => {
  const TEXT = await identityOf('issuer')
  const child = terminal.start(
    ['run', ...flags, '--isolate', 'off', '--token-file', '-', '--', 'sh', '-c', 'echo started; exec sleep 600'],
    { stdin: TEXT },
  )
  await child.seen('started')
  child.kill('SIGKILL')
  await child.exited
  const state = execFileSync('find', [terminal.tmp, '-name', '*.state.json'], { encoding: 'utf8' }).trim()
  const { code, stderr } = await terminal.shell(bash('"$0" "$@" --token-file <(echo "$TEXT")'), ['revoke', ...flags, state], {
    env: { TEXT },
  })
  expect(stderr).toMatch(LOST_WITH_MAIN)
  expect(code).toBe(0)
})

onGithub(
  'a pipe as input of a job is an error, because post cannot read it again',
  async ({ job, proxy, step }) => {
    const pipe = join(job.tmp, 'pipe')
    execFileSync('mkfifo', [pipe])
    const main = await step({ token_file: pipe, command: 'true' }).main()
    execFileSync('rm', [pipe])
    expect(main.code).toBe(80)
    expect(main.messages[0]).toMatch(/names the pipe ".*": kubepass reads it again at the end of the job, but a pipe can be read only once/)
    expect(proxy.exchanges).toEqual([])
  },
  { idToken: false },
)
