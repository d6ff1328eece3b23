import { expect } from '@jest/globals'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inTerminal, onEachCi } from './scenario.ts'

const WHOAMI = 'kubectl auth whoami -o jsonpath=\'{.status.userInfo.username}{"\\n"}\''
const SCANNER = 'system:serviceaccount:kubepass:scanner'

inTerminal(
  "a command in which the caller's shell has replaced $KUBECONFIG is an error before any request",
  async ({ info, terminal, flags, identityOf, proxy }) => {
    const link = join(terminal.home, 'link')
    symlinkSync(info.adminKubeconfig, link)
    mkdirSync(join(terminal.home, '.kube'))
    writeFileSync(join(terminal.home, '.kube', 'config'), readFileSync(info.adminKubeconfig))
    const stdin = await identityOf('issuer')
    const scenario = (kubeconfig: string, words: string, more: string[] = []): ReturnType<typeof terminal.run> =>
      terminal.shell(`"$0" "$@" ${words}`, ['run', ...flags, '--token-file', '-', ...more], { stdin, env: { KUBECONFIG: kubeconfig } })

    const names = /the command names ".*", a kubeconfig of the caller: the scan would not be the ServiceAccount\./
    for (const [kubeconfig, words] of [
      [info.adminKubeconfig, '-- kubectl --kubeconfig "$KUBECONFIG" get ns'],
      [link, `-- kubectl --kubeconfig=${info.adminKubeconfig} get ns`],
      [`/nowhere:${info.adminKubeconfig}`, '-- kubectl --kubeconfig "$KUBECONFIG" get ns'],
      ['', '-- kubectl --kubeconfig ~/.kube/config get ns'],
      ['', `-- sh -c 'kubectl --kubeconfig ~/.kube/config get ns'`],
    ] as const) {
      const { code, stdout, stderr } = await scenario(kubeconfig, words)
      expect([code, stdout]).toEqual([80, ''])
      expect(stderr).toMatch(names)
      expect(stderr).toContain(`--command 'kubectl --kubeconfig "$KUBECONFIG" ...'`)
      expect(stderr).toContain('set --allow-own-kubeconfig to true')
    }
    for (const words of ['-- kubectl --kubeconfig "$KUBECONFIG" get ns', '-- kubectl get ns --kubeconfig=$KUBECONFIG']) {
      const { code, stderr } = await scenario('', words)
      expect(code).toBe(80)
      expect(stderr).toMatch(/the command gives no value to "--kubeconfig": the client would look for a kubeconfig of the caller\./)
    }
    expect(proxy.exchanges).toEqual([])

    // The command of the hint.
    const right = await scenario(info.adminKubeconfig, '', ['--command', WHOAMI.replace('kubectl', 'kubectl --kubeconfig "$KUBECONFIG"')])
    expect([right.code, right.stdout]).toEqual([0, `${SCANNER}\n`])
    // Without the check the scan runs with the administrator's rights.
    const allowed = await scenario(info.adminKubeconfig, `-- kubectl --kubeconfig "$KUBECONFIG" ${WHOAMI.slice('kubectl '.length)}`, [
      '--allow-own-kubeconfig',
      'true',
    ])
    expect([allowed.code, allowed.stdout]).not.toEqual([0, `${SCANNER}\n`])
    expect(allowed.code).toBe(0)
  },
)

inTerminal('a command that names the file of the input kubeconfig is an error, too', async ({ info, terminal, proxy }) => {
  const file = join(terminal.home, 'issuer')
  writeFileSync(file, readFileSync(info.adminKubeconfig))
  const flags = ['--service-account', 'kubepass/scanner', '--kubeconfig', file]
  const { code, stderr } = await terminal.run(['run', ...flags, '--', 'kubectl', '--kubeconfig', file, 'get', 'ns'])
  expect(code).toBe(80)
  expect(stderr).toContain(`the command names "${file}", a kubeconfig of the caller`)
  expect(proxy.exchanges).toEqual([])
})

onEachCi(
  'a script that names ~/.kube/config is an error if the file exists, and may create the file if not',
  async ({ step, job, proxy }) => {
    const makes = 'mkdir ~/.kube; cp "$KUBECONFIG" ~/.kube/config'
    const main = await step({ command: `${makes}; KUBECONFIG= ${WHOAMI}; rm -r ~/.kube` }).main()
    expect(main.code).toBe(0)
    expect(main.log).toContain(`\n${SCANNER}\n`)
    const before = proxy.exchanges.length
    mkdirSync(join(job.home, '.kube'))
    writeFileSync(join(job.home, '.kube', 'config'), 'of an administrator')
    const refused = await step({ command: 'kubectl --kubeconfig "$HOME/.kube/config" get ns' }).main()
    expect(refused.code).toBe(80)
    expect(refused.messages).toEqual([expect.stringMatching(/^command names ".*\/\.kube\/config", a kubeconfig of the caller/)])
    expect(proxy.exchanges).toHaveLength(before)
  },
)

onEachCi(
  'kubepass withholds variables that outrank KUBECONFIG from the scan, reports them once, and passes those of pass_env',
  async ({ info, step, job }) => {
    const kuberc = join(job.home, 'kuberc')
    const options = [{ name: 'kubeconfig', default: info.adminKubeconfig }]
    const defaults = [{ command: 'auth whoami', options }]
    writeFileSync(kuberc, JSON.stringify({ apiVersion: 'kubectl.config.k8s.io/v1beta1', kind: 'Preference', defaults }))
    const env = {
      KUBERC: kuberc,
      HELM_KUBECONTEXT: 'admin',
      K8S_AUTH_API_KEY: 'x',
      KUBE_TOKEN: 'x',
      KUBE_CONFIG_PATH: 'x',
      KUBE_NAMESPACE: 'x',
    }
    const command = `${WHOAMI}; env | grep -E '^(KUBE|HELM|K8S)' | sed 's/=.*//' | sort | xargs echo has`
    const variables = 'KUBECONFIG KUBEPASS_TRACKING_ID KUBERC KUBE_CONFIG_PATH KUBE_NAMESPACE'

    const main = await step({ command }, env).main()
    expect([main.code, main.messages]).toEqual([0, []])
    expect(main.log).toContain(`\n${SCANNER}\nhas ${variables}\n`)
    const withheldLines = main.log.match(/^The scan does not get .*$/gm)
    expect(withheldLines).toEqual([
      expect.stringMatching(/^The scan does not get HELM_KUBECONTEXT, K8S_AUTH_API_KEY, KUBERC, KUBE_TOKEN: .* pass_env/),
    ])

    // With the variables the client uses another identity, which is why kubepass withholds them.
    const passed = await step({ command, pass_env: 'KUBERC,HELM_KUBECONTEXT,K8S_AUTH_API_KEY,KUBE_TOKEN' }, env).main()
    expect(passed.code).toBe(0)
    expect(passed.log).not.toContain(`\n${SCANNER}\n`)
    expect(passed.log).toContain(
      '\nhas HELM_KUBECONTEXT K8S_AUTH_API_KEY KUBECONFIG KUBEPASS_TRACKING_ID KUBERC KUBE_CONFIG_PATH KUBE_NAMESPACE KUBE_TOKEN\n',
    )
    expect(passed.log).not.toContain('The scan does not get')

    const delivered = await step(
      {
        command: `[ "$K8S_AUTH_API_KEY" != x ] && [ "\${#K8S_AUTH_API_KEY}" -gt 100 ] && ${command}`,
        delivery: 'env',
        token_variable: 'K8S_AUTH_API_KEY',
      },
      env,
    ).main()
    expect(delivered.code).toBe(0)
    expect(delivered.log).toContain(`\n${SCANNER}\nhas K8S_AUTH_API_KEY K8S_AUTH_API_KEY_FILE ${variables}\n`)
    expect(delivered.log).toContain('The scan does not get HELM_KUBECONTEXT, KUBERC, KUBE_TOKEN: ')

    // kubectl reads the user's preferences (kuberc) without a variable.
    mkdirSync(join(job.home, '.kube'))
    writeFileSync(join(job.home, '.kube', 'kuberc'), readFileSync(kuberc))
    const preferring = await step({ command: WHOAMI }).main()
    expect(preferring.log).toContain(`\n${SCANNER}\n`)
    const withKuberc = await step({ command: WHOAMI, pass_env: 'KUBERC' }).main()
    expect(withKuberc.log).not.toContain(`\n${SCANNER}\n`)

    const clean = await step({ command, env: 'clean' }, env).main()
    expect(clean.log).toContain(`\n${SCANNER}\nhas KUBECONFIG KUBEPASS_TRACKING_ID KUBERC KUBE_CONFIG_PATH\n`)
    expect(clean.log).not.toContain('The scan does not get')
  },
)
