import { expect } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { leaks } from '../leftovers.ts'
import { onEachCi, onGithub } from './scenario.ts'

const TOKEN = `TOKEN=$(cat "$(dirname "$KUBECONFIG")/token")`

const forms: Record<string, string> = {
  plainly: 'echo "token: $TOKEN"',
  'in the kubeconfig': 'cat "$KUBECONFIG"; kubectl config view --raw',
  'on stderr': 'echo "token: $TOKEN" >&2',
  'on both at once': 'for i in 1 2 3 4 5; do echo "$TOKEN"; echo "$TOKEN" >&2; done',
  'in base64': 'echo -n "$TOKEN" | base64 -w0',
  'in base64, after one character': 'echo -n "x$TOKEN" | base64 -w0',
  'in base64, after two characters': 'echo -n "xy$TOKEN" | base64 -w0',
  'in base64 of the kubeconfig, wrapped': 'base64 "$KUBECONFIG"',
  'in base64url': `echo -n "$TOKEN" | base64 -w0 | tr '+/' '-_'`,
  'in hex': 'echo -n "$TOKEN" | od -An -tx1 -v | tr -d " \\n"; echo -n "$TOKEN" | od -An -tx1 -v | tr -d " \\n" | tr a-f A-F',
  'split over writes': 'for ((i = 0; i < ${#TOKEN}; i += 7)); do printf %s "${TOKEN:i:7}"; done; echo',
  'slowly, one character at a time': 'for ((i = 700; i < 760; i += 1)); do printf %s "${TOKEN:i:1}"; sleep 0.03; done; echo',
  'as its signature alone': 'echo "${TOKEN##*.}"',
  'as twenty characters of its payload': 'PAYLOAD=${TOKEN#*.}; echo "${PAYLOAD:100:20}"',
  'without a line end': 'printf %s "$TOKEN"',
  'in a workflow command': 'echo "::error::$TOKEN"; echo "##[set-output name=x]$TOKEN"; echo "::save-state name=run_state::{}"',
  'to curl -v like tools': 'kubectl get ns -v=9 2>&1',
  'as it dies': 'echo "$TOKEN"; kill -9 $$',
}

for (const [form, script] of Object.entries(forms)) {
  onEachCi(`the log does not contain the token when the scan prints it ${form}`, async ({ step }) => {
    const main = await step({ command: `${TOKEN}; ${script}`, delivery: 'kubeconfig' }).main()
    if (!form.includes('curl')) expect(main.log).toContain('***')
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
  })
}

/** The credential for the API proxy has no dot, and no part that other credentials share except its beginning. */
const CREDENTIAL = `TOKEN=$(sed -n 's/.*"token": "\\(.*\\)".*/\\1/p' "$KUBECONFIG"); printf %s "$TOKEN" > credential`
const ofOneToken = ['as its signature alone', 'as twenty characters of its payload', 'slowly, one character at a time']
const formsOfCredential = {
  ...Object.fromEntries(Object.entries(forms).filter(([form]) => !ofOneToken.includes(form))),
  'slowly, one character at a time': 'for ((i = 0; i < ${#TOKEN}; i += 1)); do printf %s "${TOKEN:i:1}"; sleep 0.03; done; echo',
  'as twenty characters of it': 'echo "${TOKEN:20:20}"',
}

for (const [form, script] of Object.entries(formsOfCredential)) {
  onGithub(`the log does not contain the credential for the API proxy when the scan prints it ${form}`, async ({ job, step }) => {
    const main = await step({ command: `${CREDENTIAL}; ${script}` }).main()
    const credential = readFileSync(join(job.workspace, 'credential'), 'utf8')
    expect(credential).toMatch(/^kubepass_[\w-]{43}$/)
    if (!form.includes('curl')) expect(main.log).toContain('***')
    expect(await leaks([credential], { log: main.log })).toEqual([])
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
  })
}

onGithub(
  'the log does not contain the token when a cancelled scan prints it and the runner reads stderr first',
  async ({ step }) => {
    const command = 'cat "$KUBECONFIG"; cat "$KUBECONFIG" >&2; echo ready; sleep 600'
    const phase = step({ command, delivery: 'kubeconfig' }).start('main')
    await phase.seen('ready')
    const main = await phase.cancel()
    expect(main.code).toBe(130)
  },
  { hostileOrder: true, debug: true },
)

for (const hostileOrder of [false, true]) {
  onGithub(
    `a scan cannot issue workflow commands${hostileOrder ? ', whichever stream the runner reads first' : ''}`,
    async ({ step }) => {
      const commands = [
        '::set-output name=a::1',
        '  ::error::forged',
        '##[set-output name=b]2',
        'text ##[error]forged',
        '::save-state name=run_state::{}',
        '::add-mask::kubepass',
      ]
      const print = commands.map((command) => `echo '${command}'; echo '${command}' >&2`).join('; ')
      const main = await step({ command: `${print}; printf '::set-out'; sleep 0.05; echo 'put name=c::3'` }).main()
      expect(main.code).toBe(0)
      expect(main.outputs).toEqual({ exit_code: '0' })
      expect(main.annotations).toEqual([])
      expect(Object.keys(main.state)).toEqual(['run_state'])
      expect(main.state['run_state']).toContain('"phase":"revoked"')
      expect(main.masks).not.toContain('kubepass')
      const names = new Set(main.commands.map(({ name }) => name))
      // The second protection: the runner was told to ignore commands.
      const stop = main.commands.find(({ name }) => name === 'stop-commands')
      expect(main.commands.at(-1)?.name).toBe(stop?.data)
      expect([...names].filter((name) => !/^(add-mask|stop-commands|[0-9a-f-]{36})$/.test(name))).toEqual([])
    },
    { hostileOrder },
  )
}
