import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inputIds, inputs, type InputId } from '../../src/config/inputs.ts'
import { newSeed, runEach } from '../seed.ts'
import { ONE_SECRET, onGithub, runInTerminal, runOnGithub, runOnGitlab, type CiFixture } from './scenario.ts'

const AT_ONCE = 3

/** Workflow commands, terminal escapes, line ends of each kind, long values, and harmless values. */
const fragments = [
  '\n::error::forged',
  '\r\n::add-mask::forged',
  '##[error]forged',
  '::set-output name=exit_code::forged',
  '%0A::error::forged',
  '\u0085::warning::forged',
  '\u001b[2J\u001b]0;forged\u0007',
  '\n\u001b[0Ksection_start:1:forged\r',
  '\u202e\u200b',
  '{"kind":"Config"}',
  "'; echo forged; '",
  '$(echo forged)`echo forged`',
  '../../../../etc/passwd',
  '-----BEGIN CERTIFICATE-----',
  'A'.repeat(60_000),
  // The values contain no part of the API server's address: every line with the server would count as a leak of such a token.
  'https://localhost:1/',
  '0',
  '',
]

/** GitLab itself rejects values that do not match an input's pattern or list. */
const byVariable = inputIds.filter((id) => {
  const { guard, options, only } = inputs[id]
  return guard === undefined && options === undefined && only !== 'github'
})

interface Attack {
  ci: 'github' | 'gitlab'
  id: InputId
  value: string
}

const values = fc.array(fc.constantFrom(...fragments), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''))
test('any value in any input gives a clear error before any request or a correct run, and never a workflow command', async () => {
  const seed = newSeed()
  const places = [...inputIds.map((id) => ({ ci: 'github', id }) as const), ...byVariable.map((id) => ({ ci: 'gitlab', id }) as const)]
  const drawn = fc.sample(values, { seed, numRuns: places.length })
  const attacks = places.map((place, at): Attack => ({ ...place, value: drawn[at] ?? '' }))
  const runOne = (attack: Attack): Promise<void> => {
    const scenario = (fixture: CiFixture): Promise<void> => attackBy(attack, fixture)
    return attack.ci === 'github'
      ? runOnGithub((fixture) => scenario({ ...fixture, ci: 'github' }))
      : runOnGitlab((fixture) => scenario({ ...fixture, ci: 'gitlab' }))
  }
  await runEach(attacks, AT_ONCE, runOne, seed)
})

async function attackBy({ ci, id, value: given }: Attack, { step, proxy, job }: CiFixture): Promise<void> {
  // The simulated masker supports no longer secrets.
  const value = ci === 'gitlab' && inputs[id].secret ? given.slice(0, 10_000) : given
  const use = step({ command: 'echo ran', deadline: '10s', prove: 'off', [id]: value })
  const main = await use.main()
  const shown = main.log.replaceAll('A'.repeat(200), '')
  // The output of the command itself does not count.
  if (id !== 'command') {
    expect(shown).not.toMatch(/\u001b(?!\[0;m|\[3\dm|\[3\d;1m|\[0m|\[0K)|\u001b\[0Ksection_start:1:forged|\u202e/)
    expect([0, 80, 81, 82, 83]).toContain(main.code)
    if (main.code !== 0) expect(main.messages).toHaveLength(1)
  }
  expect(main.stderr).not.toMatch(/\n {4}at /)
  expect(main.messages.filter((message) => message.startsWith('forged'))).toEqual([])
  if ('commands' in main) {
    const { commands, masks, outputs } = main as unknown as { commands: { name: string; data: string }[]; masks: string[]; outputs: object }
    expect(commands.filter(({ name, data }) => data.startsWith('forged') || !KNOWN.test(name))).toEqual([])
    expect(masks).not.toContain('forged')
    expect(Object.values(outputs)).not.toContain('forged')
  }
  if (main.code === 80) expect([proxy.exchanges, 'idTokens' in job && job.secrets]).toEqual([[], 'idTokens' in job && []])
  const post = await use.post()
  // Without a command, post revokes.
  if (proxy.tokens.length > 0) expect(main.log + post.log).toMatch(/Credential: revoked /)
  // With these inputs post may have no identity. What main has revoked is revoked.
  expect(post.code).toBe(0)
  expect(post.messages.filter((message) => message.startsWith('forged'))).toEqual([])
}

const KNOWN = /^(add-mask|stop-commands|error|warning|[0-9a-f-]{36})$/

onGithub('the hint about a token that is too long for a header has its length, and nothing was created', async ({ step, proxy }) => {
  const main = await step({ command: 'echo ran', token: 'A'.repeat(60_000) }).main()
  expect([main.code, main.messages]).toEqual([83, [expect.stringContaining('The token has 60000 characters')]])
  expect(proxy.seen('DELETE', ONE_SECRET)).toEqual([])
})

test('any content of a file that an input names gives a clear error before any request or a correct run', async () => {
  const big = 'A'.repeat(1024 * 1024 + 1)
  const files: [InputId, string, RegExp][] = [
    ['token_file', `${'x'.repeat(20)}\0${'x'.repeat(20)}`, /holds characters that no bearer token has/],
    ['token_file', big, /is over 1 MiB/],
    ['token_file', 'x'.repeat(1024 * 1024), /is too long to be a token/],
    ['certificate_authority', '\0'.repeat(100), /holds no certificate that can be read/],
    [
      'certificate_authority',
      `-----BEGIN CERTIFICATE-----\n::error::forged\0${big.slice(0, 1000)}\n-----END CERTIFICATE-----`,
      /no certificate/,
    ],
    ['certificate_authority', big, /is over 1 MiB/],
    ['kubeconfig', `apiVersion: v1\0\n::error::forged`, /kubeconfig/],
    ['kubeconfig', big, /is over 1 MiB/],
  ]
  await runEach(files, AT_ONCE, ([id, content, error]) =>
    runInTerminal(async ({ terminal, flags, identityOf, proxy }) => {
      const stdin = await identityOf('issuer')
      const file = join(terminal.work, 'file')
      writeFileSync(file, content)
      const without = (name: string): string[] => flags.flatMap((flag, at) => (flag === name || flags[at - 1] === name ? [] : [flag]))
      const flag = `--${id.replaceAll('_', '-')}`
      const kept = id === 'kubeconfig' ? ['--service-account', 'kubepass/scanner'] : without(flag)
      const identity = id === 'certificate_authority' ? ['--token-file', '-'] : []
      const { code, stderr } = await terminal.run(['run', ...kept, ...identity, flag, file, '--deadline', '2s', '--', 'true'], { stdin })
      expect(stderr).toMatch(error)
      expect([code, proxy.exchanges]).toEqual([80, []])
      expect(stderr).not.toMatch(/^::|\n {4}at |\0|AAAAAAAAAA/m)
    }),
  )
})
