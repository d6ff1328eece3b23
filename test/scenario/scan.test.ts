import { expect } from '@jest/globals'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { processesWith } from '../hosts/orphans.ts'
import { admin } from '../cluster/admin.ts'
import { ONE_SECRET, onEachCi, SECRETS } from './scenario.ts'

for (const [code, accepted, result] of [
  [7, '0', 7],
  [100, '0,100,101', 0],
  [101, '0 100 101', 0],
  [1, '0,100,101', 1],
  [0, '100', 0],
] as const) {
  onEachCi(`a step whose scan ends with ${code} and accept_exit_codes ${accepted} ends with ${result}`, async ({ step }) => {
    const main = await step({ command: `exit ${code}`, accept_exit_codes: accepted }).main()
    expect(main.code).toBe(result)
    expect(main.log).toContain(` exit code ${code}, `)
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
  })
}

onEachCi('a command fails if any program of a pipeline fails', async ({ step }) => {
  expect((await step({ command: 'exit 3 | cat' }).main()).code).toBe(3)
  expect((await step({ command: 'false; echo never' }).main()).log).not.toContain('never')
})

onEachCi('the exit code of a killed scan is 128 + n', async ({ step }) => {
  const main = await step({ command: 'kill -SEGV $$' }).main()
  expect(main.code).toBe(139)
  expect(main.log).toContain(' exit code 139 (SIGSEGV), ')
})

onEachCi('shell: sh runs the command with sh', async ({ step }) => {
  expect((await step({ command: 'echo "by $0"; false; echo never', shell: 'sh' }).main()).log).toMatch(/\nby sh\n(?!never)/)
})

const secrets = {
  KUBEPASS_ANYTHING: 'x',
  STATE_other: 'x',
  CI_JOB_TOKEN: 'job-token-value',
  CI_REGISTRY_PASSWORD: 'registry-password',
  CI_DEPLOY_PASSWORD: 'deploy-password',
  CI_DEPENDENCY_PROXY_PASSWORD: 'proxy-password',
  CI_JOB_JWT_V2: 'x',
  GITLAB_ENV: 'x',
  DEPLOY_URL: 'https://user:deploy-password@example.com',
  PROXY_URL: 'https://user:proxy-password@example.com',
  CI_REPOSITORY_URL: 'https://gitlab-ci-token:job-token-value@gitlab.example.com/a.git',
  DOCKER_AUTH_CONFIG: '{"auths":{"registry":{"password":"registry-password"}}}',
  SOME_ID_TOKEN: `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from('{"sub":"x"}').toString('base64url')}.c2ln`,
}
const withheld =
  /^(INPUT_|STATE_|KUBEPASS_(?!TRACKING_ID=)|ACTIONS_ID_TOKEN_|ACTIONS_RUNTIME_|GITHUB_(ENV|PATH|OUTPUT|STATE|STEP_SUMMARY)=|GITLAB_ENV=|NODE_OPTIONS=|CI_JOB_(TOKEN|JWT)|CI_(REGISTRY|DEPLOY|DEPENDENCY_PROXY)_PASSWORD|(DEPLOY|PROXY)_URL|CI_REPOSITORY_URL|DOCKER_AUTH_CONFIG|SOME_ID_TOKEN)/

onEachCi("the scan does not get the runner's secrets", async ({ step, identityOf }) => {
  const token = await identityOf('issuer')
  const env = { ...secrets, HARMLESS: 'yes', NODE_OPTIONS: '--max-old-space-size=512', COPY_OF_IDENTITY: `Bearer ${token}` }
  const main = await step({ command: 'env', identity: 'token', token }, env).main()
  const lines = main.log.split('\n')
  expect(lines.filter((line) => withheld.test(line) || line.startsWith('COPY_OF_IDENTITY'))).toEqual([])
  for (const name of ['HARMLESS', 'PATH', 'HOME', 'KUBECONFIG', 'KUBE_CONFIG_PATH', 'RUNNER_TRACKING_ID', 'KUBEPASS_TRACKING_ID']) {
    expect(lines.filter((line) => line.startsWith(`${name}=`))).toHaveLength(1)
  }
})

onEachCi('pass_env passes the named variables to the scan', async ({ step }) => {
  const main = await step(
    { command: 'env', pass_env: 'KUBEPASS_ANYTHING, NODE_OPTIONS' },
    { ...secrets, NODE_OPTIONS: '--max-old-space-size=512' },
  ).main()
  expect(main.log).toContain('\nKUBEPASS_ANYTHING=x\n')
  expect(main.log).toContain('\nNODE_OPTIONS=--max-old-space-size=512\n')
  expect(main.log).not.toContain('STATE_other')
})

const FOR_DELIVERY = { auto: ['NO_PROXY', 'no_proxy'], kubeconfig: [] }
for (const [delivery, added] of Object.entries(FOR_DELIVERY))
  onEachCi(`with delivery: ${delivery}, env: clean passes only PATH, HOME, locale and the variables of pass_env`, async ({ step }) => {
    const main = await step(
      { command: 'compgen -e', env: 'clean', pass_env: 'WANTED', delivery },
      { WANTED: '1', UNWANTED: '1', LC_ALL: 'C.UTF-8' },
    ).main()
    const names = main.log.split('\n').filter((line) => /^([A-Z_]+|no_proxy)$/.test(line))
    const shells = ['_', 'SHLVL', 'PWD', 'OLDPWD']
    expect(names.filter((name) => !shells.includes(name)).toSorted()).toEqual(
      [
        ...added,
        'HOME',
        'KUBECONFIG',
        'KUBEPASS_TRACKING_ID',
        'KUBERC',
        'KUBE_CONFIG_PATH',
        'LANG',
        'LC_ALL',
        'PATH',
        'RUNNER_TRACKING_ID',
        'WANTED',
      ].toSorted(),
    )
  })

onEachCi('core dumps are off for the scan', async ({ step }) => {
  expect((await step({ command: 'echo "core: $(ulimit -c) $(ulimit -Hc)"' }).main()).log).toContain('core: 0 0\n')
})

onEachCi('kubepass kills processes that the scan leaves behind before it revokes, also one in a new session', async ({ step, proxy }) => {
  const main = await step({
    command:
      'setsid sleep 600 & (sleep 600 >/dev/null 2>&1 &) ; setsid -f sh -c "exec >/dev/null 2>&1; sleep 600"; kubectl get ns --watch >/dev/null & sleep 0.3',
  }).main()
  expect(main.code).toBe(0)
  expect(main.messages).toEqual([expect.stringMatching(/process\(es\) outlived the scan and were ended/)])
  expect(proxy.tokens).toHaveLength(1)
})

onEachCi('kubepass kills a process that executes another program again and again', async ({ step, job }) => {
  const again = join(job.home, 'again')
  writeFileSync(again, '#!/bin/sh\n: > "$1"\nexec "$0" "$1"\n', { mode: 0o700 })
  const main = await step({
    command: `for each in 1 2 3 4; do setsid -f ${again} ${job.workspace}/$each >/dev/null 2>&1; until [ -f ${job.workspace}/$each ]; do sleep 0.01; done; done`,
  }).main()
  expect(main.code).toBe(0)
  expect(main.messages).toEqual([expect.stringMatching(/^4 process\(es\) outlived the scan and were ended\.$/)])
})

onEachCi('kubepass waits for a scan that closes its outputs', async ({ step, job }) => {
  const done = join(job.workspace, 'done')
  const main = await step({ command: `exec >&- 2>&-; sleep 0.3; echo x > ${done}; exit 5` }).main()
  expect(main.code).toBe(5)
})

onEachCi('large output of the scan arrives complete', async ({ step }) => {
  const main = await step({ command: 'seq 1 200000' }).main()
  expect(main.log).toContain('\n200000\n')
  expect(main.log.split('\n').filter((line) => /^\d+$/.test(line))).toHaveLength(200000)
})

onEachCi('directory sets the folder of the private directory', async ({ step, job }) => {
  const place = join(job.home, 'memory')
  mkdirSync(place)
  const main = await step({ command: 'dirname "$(dirname "$KUBECONFIG")"', directory: place }).main()
  expect(main.log).toContain(`\n${place}\n`)
  expect(dirname(place)).toBe(job.home)
})

onEachCi('kubepass reports that another program deleted the bound Secret while the scan ran', async ({ info, step, proxy, job }) => {
  const go = join(job.workspace, 'go')
  const phase = step({ command: `echo started; while [ ! -f ${go} ]; do sleep 0.05; done` }).start('main')
  await phase.seen('started')
  const [{ metadata } = { metadata: { name: '' } }] = proxy
    .seen('POST', SECRETS)
    .map(({ responseBody }) => JSON.parse(responseBody) as { metadata: { name: string } })
  await admin(info).delete(`/api/v1/namespaces/kubepass/secrets/${metadata.name}`)
  writeFileSync(go, '')
  const main = await phase.done
  expect(main.code).toBe(0)
  expect(main.messages).toEqual([expect.stringMatching(/does not exist: it was never created, or another process deleted it/)])
  expect(main.log).toMatch(/Credential: its Secret did not exist, proven dead/)
})

onEachCi('processes that the scan leaves behind have ended when the bound Secret is deleted', async ({ step, proxy, job }) => {
  let left: number[] | undefined
  proxy.on({ method: 'DELETE', path: ONE_SECRET }, async () => {
    left = await processesWith(`LEFT=${job.runId}`)
    return undefined
  })
  await step({ command: `LEFT=${job.runId} setsid -f sleep 600 >/dev/null 2>&1` }).main()
  expect(left).toEqual([])
})
