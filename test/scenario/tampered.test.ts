import { expect, test } from '@jest/globals'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toEvidence, type Evidence } from '../../src/state/evidence.ts'
import type { RunState } from '../../src/state/run-state.ts'
import { ONE_SECRET, onGithub, runOnGithub, runOnGitlab, SECRETS, status } from './scenario.ts'

/** A shell function that finds the runner's command files, because the scan does not get their paths. */
const FIND = `of() { case $1 in
  GITHUB_ENV) ls "$RUNNER_TEMP"/_runner_file_commands/set_env_*;; GITHUB_PATH) ls "$RUNNER_TEMP"/_runner_file_commands/add_path_*;;
  GITHUB_STATE) ls "$RUNNER_TEMP"/_runner_file_commands/save_state_*;; GITHUB_OUTPUT) ls "$RUNNER_TEMP"/_runner_file_commands/set_output_*;;
  GITHUB_STEP_SUMMARY) ls "$RUNNER_TEMP"/_runner_file_commands/step_summary_*;; GITLAB_ENV) ls "$PWD".tmp/gitlab_runner_env;;
esac; }`

const APPEND = `${FIND}
echo EVIL=1 >> "$(of GITHUB_ENV)"
echo /evil >> "$(of GITHUB_PATH)"
echo run_state=none >> "$(of GITHUB_STATE)"
echo evil=1 >> "$(of GITHUB_OUTPUT)"
echo 'the scan says' >> "$(of GITHUB_STEP_SUMMARY)"
`

const ALL = 'GITHUB_ENV, GITHUB_PATH, GITHUB_STATE, GITHUB_OUTPUT'

const attacks: Record<string, { command: string; fileNames: string; summary?: string }> = {
  'the scan appends to each command file': { command: APPEND, fileNames: ALL, summary: 'the scan says' },
  'the scan replaces each command file by a link, a folder, nothing or a named pipe': {
    command: `${FIND}
file=$(of GITHUB_ENV); rm "$file"; ln -s "$VICTIM" "$file"
file=$(of GITHUB_PATH); rm "$file"; mkdir "$file"; echo /evil > "$file/x"
rm "$(of GITHUB_STATE)"
file=$(of GITHUB_OUTPUT); rm "$file"; mkfifo "$file"`,
    fileNames: ALL,
  },
  'the scan replaces a command file by a link to a copy, and another by text of the same length': {
    command: `${FIND}
file=$(of GITHUB_PATH); mv "$file" "$file.old"; ln -s "$file.old" "$file"
file=$(of GITHUB_STATE); tr r x < "$file" > "$file.new"; cat "$file.new" > "$file"; rm "$file.new"`,
    fileNames: 'GITHUB_PATH, GITHUB_STATE',
  },
  'a process that outlives the scan appends to GITHUB_ENV': {
    command: `${FIND}
file=$(of GITHUB_ENV)
FILE=$file setsid -f sh -c 'while :; do echo EVIL=1 >> "$FILE"; done' >/dev/null 2>&1
while ! grep -q EVIL "$file"; do sleep 0.01; done`,
    fileNames: 'GITHUB_ENV',
  },
}

test("a scan that writes to the runner's command files fails the job, and main removes what it wrote", async () => {
  const runs = Object.values(attacks).map(({ command, fileNames, summary = '' }) =>
    runOnGithub(async ({ step, job }) => {
      const victim = join(job.home, 'victim')
      writeFileSync(victim, 'precious')
      const evidence = join(job.workspace, 'evidence.json')
      const use = step({ command: `${command}\nexit 3`, evidence }, { VICTIM: victim })
      const main = await use.main()
      expect(main.code).toBe(87)
      const message = `The scan wrote to the runner's command files: ${fileNames}. kubepass removed that text.`
      expect(main.messages.at(-1)).toContain(message)
      expect([main.env, main.path, main.outputs]).toEqual([{}, [], { exit_code: '3' }])
      // The runner keeps the state that main wrote last.
      expect(toEvidence(JSON.parse(main.state['run_state'] ?? '') as RunState)).toMatchObject({ finished: true, proven: { samples: 3 } })
      expect(Object.keys(main.state)).toEqual(['run_state'])
      expect(main.summary).toMatch(/^### Scan tampered with the runner's command files \(exit code 3\)\. /m)
      expect(main.summary).toMatch(/^\*\*TAMPERED\*\*: `The scan wrote to the runner's command files: /m)
      expect(main.summary).toContain(summary)
      expect(JSON.parse(readFileSync(evidence, 'utf8')) as Evidence).toMatchObject({ error: 'TAMPERED', used: { exit_code: 3 } })
      expect(readFileSync(victim, 'utf8')).toBe('precious')
      expect((await use.post()).code).toBe(0)
    }),
  )
  await Promise.all(runs)
})

onGithub(
  "main restores the command files when the scan deletes the runner's temporary directory, and reports the revocation",
  async ({ step, proxy }) => {
    const use = step({ command: 'rm -rf "$RUNNER_TEMP"/*' })
    const main = await use.main()
    expect(main.code).toBe(87)
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
    expect(main.outputs).toEqual({ exit_code: '0' })
    expect(proxy.seen('DELETE', ONE_SECRET)).toMatchObject([{ status: 200 }])
    expect((await use.post()).code).toBe(0)
  },
)

onGithub('main keeps what the scan writes to a command file that pass_env names', async ({ step }) => {
  const command = 'echo found=3 >> "$GITHUB_OUTPUT"'
  const main = await step({ command, pass_env: 'GITHUB_OUTPUT' }).main()
  expect([main.code, main.outputs, main.messages]).toEqual([0, { found: '3', exit_code: '0' }, []])
})

onGithub('main exits with the code of a failed revocation after the scan tampered, and logs both errors', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => status(403, 'Forbidden', 'no more'))
  const use = step({ command: APPEND })
  const main = await use.main()
  expect(main.code).toBe(86)
  expect(main.messages).toEqual([
    expect.stringContaining(`runner's command files: ${ALL}.`),
    expect.stringContaining('The credential could not be revoked.'),
  ])
  stop()
  expect((await use.post()).code).toBe(0)
})

onGithub('main of a cancelled job exits with the code of the tampering, and logs both errors', async ({ step }) => {
  const use = step({ command: `${APPEND}\necho started; sleep 600` })
  const phase = use.start('main')
  await phase.seen('started')
  const main = await phase.cancel()
  expect(main.code).toBe(87)
  expect(main.messages).toEqual([expect.stringContaining('Stopped by SIGINT.'), expect.stringContaining(`command files: ${ALL}.`)])
  expect(main.env).toEqual({})
  expect((await use.post()).code).toBe(0)
})

const gitlabAttacks: Record<string, string> = {
  'the scan appends to GITLAB_ENV': `${FIND}\necho KUBEPASS_RUN_STATE=none >> "$(of GITLAB_ENV)"`,
  'the scan replaces GITLAB_ENV by a link': `${FIND}\nfile=$(of GITLAB_ENV); rm "$file"; ln -s "$VICTIM" "$file"`,
  'the scan removes GITLAB_ENV': `${FIND}\nrm "$(of GITLAB_ENV)"`,
}

test('on GitLab main restores $GITLAB_ENV, and keeps what an earlier command wrote to it', async () => {
  const runs = Object.values(gitlabAttacks).map((command) =>
    runOnGitlab(async ({ step, job, proxy }) => {
      const victim = join(job.home, 'victim')
      writeFileSync(victim, 'precious')
      let before = ''
      proxy.on({ method: 'POST', path: SECRETS, times: 1 }, () => {
        appendFileSync(job.gitlabEnv, 'EARLIER=one\\two\r\n')
        before = readFileSync(job.gitlabEnv, 'utf8')
        return undefined
      })
      const use = step({ command, accept_exit_codes: '0' }, { VICTIM: victim })
      const main = await use.main()
      expect(main.code).toBe(87)
      expect(main.messages.at(-1)).toContain("The scan wrote to the runner's command files: GITLAB_ENV. kubepass removed")
      expect(main.gitlabEnv.startsWith(before)).toBe(true)
      const added = main.gitlabEnv.slice(before.length).trimEnd().split('\n')
      expect(added.filter((line) => !line.startsWith('KUBEPASS_RUN_STATE={"version":4,'))).toEqual([])
      expect(JSON.parse((added.at(-1) ?? '').slice('KUBEPASS_RUN_STATE='.length)) as RunState).toMatchObject({ cleanupAttempted: true })
      expect(readFileSync(victim, 'utf8')).toBe('precious')
      const post = await use.post()
      expect([post.code, post.messages]).toEqual([0, []])
    }),
  )
  await Promise.all(runs)
})
