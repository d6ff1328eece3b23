import { expect, test } from '@jest/globals'
import { chownSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { canBeAnother, ORDINARY_USER } from '../hosts/as-user.ts'
import { onGithub, runOnGithub, type GithubFixture } from './scenario.ts'

/** Runs the job as an ordinary user, because file modes do not stop root. */
const AS_ORDINARY_USER = [
  'sh',
  '-c',
  `folder=\${RUNNER_TEMP%/*/*}
   cp "$NODE_EXTRA_CA_CERTS" "$folder/ca.crt"; export NODE_EXTRA_CA_CERTS="$folder/ca.crt"
   chown -R ${String(ORDINARY_USER)}:${String(ORDINARY_USER)} "$folder"
   exec setpriv --reuid=${String(ORDINARY_USER)} --regid=${String(ORDINARY_USER)} --clear-groups "$@"`,
  'sh',
]
const wrapper = canBeAnother ? AS_ORDINARY_USER : []
/** The content in place of the path, because only root can read the file. */
const authority = ({ ca }: ClusterInfo): string => readFileSync(ca, 'base64')

const FILES = '"$RUNNER_TEMP"/_runner_file_commands'
const WRITE_ENV = `echo PWNED=1 >> "$(ls ${FILES}/set_env_*)"`

interface Attack {
  command: string
  /** The token's life in seconds, if the scan needs a renewal. */
  delivery?: 'kubeconfig'
  lifeOfToken?: number
  code: number
  /** The messages of main. */
  messages: RegExp[]
}

const attacks: Record<string, Attack> = {
  'wrote to a command file and made the folder of the command files read-only': {
    command: `${WRITE_ENV}; chmod 555 ${FILES}`,
    code: 87,
    messages: [
      /^The scan wrote [^]* The scan took away access that the runner needs: ".*_runner_file_commands" \(mode 0555\)\. kubepass restored it\./,
    ],
  },
  'wrote to a command file and set mode 0 on the command files, their folder and RUNNER_TEMP': {
    command: `${WRITE_ENV}; chmod 000 ${FILES}/* ${FILES} "$RUNNER_TEMP"`,
    code: 87,
    messages: [
      /^The scan wrote [^]* took away access that the runner needs: .*_temp" \(mode 0000\), .*_runner_file_commands" \(mode 0000\), .*set_env_/,
    ],
  },
  'set mode 0 on the command files and their folder before main saved a renewal': {
    command: `file="\${KUBECONFIG%/*}/token"; first=$(cat "$file"); ${WRITE_ENV}; chmod 000 ${FILES}/* ${FILES}; until [ "$first" != "$(cat "$file")" ]; do sleep 0.1; done; sleep 0.3`,
    delivery: 'kubeconfig',
    lifeOfToken: 5,
    code: 87,
    messages: [
      /^The credential lives 5 s, /,
      /^The scan wrote [^]* took away access that the runner needs: ".*_runner_file_commands" \(mode 0000\), .*set_env_/,
    ],
  },
  'replaced the folder of the command files by a link to another folder': {
    command: `mv ${FILES} "$HOME/files"; ln -s "$HOME/files" ${FILES}; echo PWNED=1 >> "$(ls ${FILES}/set_env_*)"; true`,
    code: 87,
    messages: [
      /^The scan wrote to the runner's command files: GITHUB_ENV, GITHUB_PATH, GITHUB_STATE, GITHUB_OUTPUT\. kubepass removed that text\./,
    ],
  },
  'made the folder of the command files read-only': {
    command: `chmod 555 ${FILES}`,
    code: 87,
    messages: [/^The scan took away access that the runner needs: ".*_runner_file_commands" \(mode 0555\)\. kubepass restored it\./],
  },
  'set mode 0 on the private directory': { command: 'chmod 000 "${KUBECONFIG%/*}"', code: 0, messages: [] },
  'set mode 0 on the private directory and on a folder in it, and made RUNNER_TEMP read-only': {
    command: 'cd "${KUBECONFIG%/*}"; mkdir -p a/b; chmod 000 a/b a .; chmod 555 "$RUNNER_TEMP"',
    code: 0,
    messages: [],
  },
  'moved the private directory into the workspace': {
    command: 'mv "${KUBECONFIG%/*}" "$GITHUB_WORKSPACE/stolen"; chmod 000 "$GITHUB_WORKSPACE/stolen"',
    code: 0,
    messages: [/^The scan moved the directory .*kubepass-\w+ to ".*\/stolen"\. It was removed there\.$/],
  },
  'moved the private directory into the workspace and created another in its place': {
    command: 'mv "${KUBECONFIG%/*}" "$GITHUB_WORKSPACE/stolen"; mkdir "${KUBECONFIG%/*}"; touch "$KUBECONFIG"',
    code: 0,
    messages: [/^The scan moved the directory .*kubepass-\w+ to ".*\/stolen"\. It was removed there\.$/],
  },
}

for (const [name, { command, delivery = 'auto', lifeOfToken, code, messages }] of Object.entries(attacks)) {
  test(`main of an ordinary user repairs the files after the scan ${name}`, () =>
    runOnGithub(
      async ({ info, step, job, proxy }) => {
        if (lifeOfToken !== undefined) proxy.shortTokens(lifeOfToken)
        const use = step({ command, delivery, certificate_authority: authority(info) })
        const main = await use.main()
        expect(main.messages).toEqual(messages.map((pattern) => expect.stringMatching(pattern) as unknown))
        expect([main.code, main.env]).toEqual([code, {}])
        expect(main.outputs).toEqual({ exit_code: '0' })
        expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
        expect(existsSync(join(job.workspace, 'stolen'))).toBe(false)
        const post = await use.post()
        expect([post.code, post.messages]).toEqual([0, []])
      },
      { wrapper },
    ))
}

if (canBeAnother)
  test('main names the files that now belong to root, and their owner, in its errors', () =>
    runOnGithub(
      async ({ info, step, job }) => {
        // The scan waits while the test, as root, changes the owner of the files. A scan would use sudo.
        const go = join(job.workspace, 'go')
        const use = step({
          command: `${WRITE_ENV}; mkdir "\${KUBECONFIG%/*}/of-root"; touch "\${KUBECONFIG%/*}/of-root/x"; echo "PLACE=\${KUBECONFIG%/*}"; until [ -f ${go} ]; do sleep 0.05; done`,
          certificate_authority: authority(info),
        })
        const phase = use.start('main')
        await phase.seen(/PLACE=.*\n/)
        const files = join(job.runnerTemp, '_runner_file_commands')
        for (const path of [files, ...readdirSync(files).map((each) => join(files, each))]) chownSync(path, 0, 0)
        const [directoryName = ''] = readdirSync(job.runnerTemp).filter((each) => each.startsWith('kubepass-'))
        const directory = join(job.runnerTemp, directoryName)
        for (const path of [join(directory, 'of-root/x'), join(directory, 'of-root')]) chownSync(path, 0, 0)
        writeFileSync(go, '')
        const main = await phase.done
        expect(main.code).toBe(87)
        expect(main.messages).toContainEqual(
          expect.stringMatching(
            /kubepass could not remove its text from GITHUB_ENV: ".*_runner_file_commands" belongs to another user \(uid 0\)\./,
          ),
        )
        expect(main.messages).toContainEqual(
          expect.stringMatching(/^The directory .* was not removed: ".*\/of-root" belongs to another user \(uid 0\)\.$/),
        )
        rmSync(directory, { recursive: true })
      },
      { wrapper },
    ))

onGithub('post reports that a step moved the private directory', async ({ step, job }: GithubFixture) => {
  const use = step()
  const main = await use.main()
  const directory = dirname(main.outputs['kubeconfig'] ?? '')
  renameSync(directory, join(job.workspace, 'stolen'))
  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.messages).toEqual([])
  expect(post.log).toContain(`The directory ${directory} does not exist: a step removed it, or moved it with the token in it.\n`)
  expect(post.log).toMatch(/Credential: revoked /)
  // The moved token is dead.
  rmSync(join(job.workspace, 'stolen'), { recursive: true })
})
