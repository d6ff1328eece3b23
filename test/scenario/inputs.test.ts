import { expect } from '@jest/globals'
import { onGithub } from './scenario.ts'

const wrongInputs: Record<string, Record<string, string>> = {
  'nothing at all': { server: '', certificate_authority: '', service_account: '' },
  'a server by http': { server: 'http://127.0.0.1:1' },
  'a password in the server': { server: 'https://user:hunter2@127.0.0.1' },
  'no certificate': { certificate_authority: 'not a certificate' },
  'no ServiceAccount': { service_account: 'scanner' },
  'under ten minutes': { duration: '5m' },
  'over the limit': { duration: '61m' },
  'an unknown choice': { prove: 'perhaps' },
  'a token with a line end in it': { token: 'hunter2hunter2hunter2\nX-Evil: 1' },
  'the workspace as directory': { directory: '.' },
  'everything wrong': {
    server: 'x',
    certificate_authority: 'x',
    service_account: 'x',
    duration: 'x',
    prove: 'x',
    proof_samples: 'x',
    env: 'x',
    pass_env: '1',
    accept_exit_codes: 'x',
  },
}

for (const [problem, inputs] of Object.entries(wrongInputs)) {
  onGithub(`wrong inputs of a GitHub step are an error before any request: ${problem}`, async ({ step, proxy, job }) => {
    const use = step({ command: 'echo ran', ...inputs })
    const main = await use.main()
    expect(main.code).toBe(80)
    expect(main.annotations).toHaveLength(1)
    for (const id of Object.keys(inputs)) expect(main.annotations[0]?.message).toContain(id)
    expect(main.annotations[0]?.message).toContain('for example: ')
    expect(main.log).not.toMatch(/hunter2|X-Evil/)
    expect(main.log).not.toContain('\nran\n')
    expect(proxy.exchanges).toEqual([])
    expect(job.idTokens.tokens).toEqual([])
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(proxy.exchanges).toEqual([])
  })
}

onGithub('an earlier step cannot change the inputs through variables', async ({ step, proxy, job }) => {
  Object.assign(job.env, {
    KUBEPASS_SERVER: 'https://127.0.0.1:1',
    KUBEPASS_SERVICE_ACCOUNT: 'kube-system/admin',
    KUBEPASS_COMMAND: 'echo evil',
    // An earlier step cannot set an input that the step leaves empty, either.
    KUBEPASS_DIRECTORY: '/nowhere',
    INPUT_SERVER: 'https://127.0.0.1:1',
  })
  const main = await step({ command: 'echo good' }).main()
  expect(main.log).toContain('\ngood\n')
  expect(proxy.tokens).toHaveLength(1)
})
