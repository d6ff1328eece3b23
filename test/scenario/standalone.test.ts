import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Evidence } from '../../src/state/evidence.ts'
import { buildStandalone } from '../standalone.ts'
import { LOST_WITH_MAIN, inTerminal, onGithub, ONE_SECRET, TOKEN } from './scenario.ts'

const standalone = await buildStandalone()
const NO_NODE = '! command -v node >/dev/null || exit 99'

inTerminal(
  'the standalone program runs and revokes on a machine without Node.js',
  async ({ terminal, flags, identityOf, proxy }) => {
    const stdin = await identityOf('issuer')
    const scan = `${NO_NODE}; kubectl get ns kubepass -o name; kubectl config view --raw; exit 3`
    const evidence = join(terminal.folder, 'evidence.json')
    const { code, stdout, stderr } = await terminal.run(
      ['run', ...flags, '--token-file', '-', '--evidence', evidence, '--', 'sh', '-c', scan],
      { stdin },
    )
    const { program_sha256 } = JSON.parse(readFileSync(evidence, 'utf8')) as Evidence
    expect(program_sha256).toBe(execFileSync('sha256sum', [standalone], { encoding: 'utf8' }).slice(0, 64))
    expect(stderr).toMatch(/Credential: revoked .*, proven dead/)
    expect(stdout).toContain('namespace/kubepass\n')
    expect(code).toBe(3)

    const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'echo started; sleep 600'], { stdin })
    await child.seen('started')
    child.kill('SIGKILL')
    const state = join(terminal.tmp, readdirSync(terminal.tmp).find((file) => file.endsWith('.state.json')) ?? '')
    const revoke = await terminal.run(['revoke', ...flags, '--token-file', '-', state], { stdin })
    await child.ended
    expect(revoke.stderr).toMatch(LOST_WITH_MAIN)
    expect(revoke.code).toBe(0)
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 200])
  },
  standalone,
)

onGithub(
  'the standalone program as main and post handles signals, outputs and state as with Node.js',
  async ({ step, proxy }) => {
    const done = step({ command: `${NO_NODE}; kubectl get ns kubepass -o name` })
    const main = await done.main()
    expect(main.log).toContain('namespace/kubepass\n')
    expect(main.outputs).toEqual({ exit_code: '0' })
    expect(main.code).toBe(0)
    expect((await done.post()).log).toContain('proven dead')

    const cancelled = step({ command: 'echo started; sleep 600' })
    const phase = cancelled.start('main')
    await phase.seen('started')
    expect((await phase.cancel()).code).toBe(130)
    expect((await cancelled.post()).log).toContain('proven dead')

    const left = step()
    expect((await left.main()).env['KUBECONFIG']).toBeDefined()
    const post = await left.post()
    expect(post.log).toMatch(/Credential: revoked .*, proven dead/)
    expect(post.code).toBe(0)
    expect(proxy.seen('POST', TOKEN)).toHaveLength(3)
  },
  { standalone },
)

onGithub(
  'the standalone program ignores NODE_DEBUG and NODE_V8_COVERAGE, and keeps its arguments',
  async ({ step, job }) => {
    const coverage = join(job.home, 'coverage')
    const use = step({ command: 'true' }, { NODE_DEBUG: 'http,https,tls,child_process', NODE_V8_COVERAGE: coverage })
    const main = await use.main()
    expect(main.stderr).not.toMatch(/authorization/i)
    expect(main.log).toContain('proven dead')
    expect(main.code).toBe(0)
    expect((await use.post()).code).toBe(0)
    expect(existsSync(coverage) ? readdirSync(coverage) : []).toEqual([])
  },
  { standalone },
)

inTerminal(
  'the standalone program ignores NODE_OPTIONS',
  async ({ terminal }) => {
    const script = join(terminal.work, 'injected.cjs')
    writeFileSync(script, 'console.log("injected")')
    const { code, stdout } = await terminal.run(['version'], { env: { NODE_OPTIONS: `--require ${script}` } })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(code).toBe(0)
    expect((await terminal.run(['--inspect'])).stderr).toContain('There is no flag "--inspect"')
  },
  standalone,
)

test('the standalone program needs only glibc and the C++ library', () => {
  const needed = execFileSync('ldd', [standalone], { encoding: 'utf8' })
  const names = [...needed.matchAll(/^\s*(?:\S*\/)?(\S+?)\.so/gm)].map(([, name]) => name)
  const usual = [/^linux-vdso$/, /^ld-linux/, /^lib(c|m|dl|pthread|gcc_s|stdc\+\+)$/]
  expect(names).toContain('libc')
  expect(names.filter((name = '') => !usual.some((pattern) => pattern.test(name)))).toEqual([])
})

test('the standalone program contains no path of the build machine, and has its licences beside it', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  expect(readFileSync(standalone).includes(root)).toBe(false)
  const licences = readFileSync(join(dirname(standalone), `kubepass-linux-${process.arch}.licenses.txt`), 'utf8')
  for (const name of ['@actions/core', 'assemblyscript']) expect(licences).toContain(name)
  expect(licences).toMatch(/Node\.js 24\.\d+\.\d+\n\nNode\.js is licensed for use as follows/)
})
