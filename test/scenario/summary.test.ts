import { expect } from '@jest/globals'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { admin } from '../cluster/admin.ts'
import { killWhileScanning, ONE_SECRET, onGithub, SECRETS, status, type GithubFixture } from './scenario.ts'

type Use = ReturnType<GithubFixture['step']>

/** The headings of the sections that a use of kubepass added to the summary of its job, with the phase that wrote each. */
async function sectionsOf(use: Use): Promise<string[]> {
  const [main, post] = [await use.main(), await use.post()]
  return [...headings('main', main.summary), ...headings('post', post.summary)]
}

function headings(phase: string, summary: string): string[] {
  return [...summary.matchAll(/^### (.*)$/gm)].map(([, heading]) => `${phase}: ${heading ?? ''}`)
}

const REFUSED = /The credential lived (less than )?\d+ s, was revoked, and is refused by the API server\.$/

onGithub('with a command, main alone writes the section, and its heading is the verdict', async ({ step }) => {
  const sections = await sectionsOf(step({ command: 'true' }))
  expect(sections).toEqual([expect.stringMatching(/^main: Scan passed\. /)])
  expect(sections[0]).toMatch(REFUSED)
})

onGithub('the section has how the scan reached the API server, and a table of its requests', async ({ step }) => {
  const command = 'kubectl get --raw /api/v1/namespaces/kubepass; kubectl get --raw /version; kubectl get --raw /version'
  const { summary } = await step({ command }).main()
  expect(summary).toMatch(/^\| Access \| `through the API proxy, 3 requests; ended 20\S+Z` \|$/m)
  expect(summary).toMatch(/^\| Issued \| `20\S+Z, expires 20\S+Z, Secret kubepass-\S+` \|$/m)
  expect(summary).toMatch(
    /^\| Count \| Request of the scan \| Answer \|\n\| --: \| :-- \| :-- \|\n\| 2 \| `get \/version` \| 200 \|\n\| 1 \| `get namespaces kubepass` \| 200 \|$/m,
  )
  const direct = await step({ command, delivery: 'kubeconfig' }).main()
  expect(direct.summary).toContain('| Access | `the scan had the token` |')
  expect(direct.summary).not.toContain('Request of the scan')
})

onGithub('the heading has the exit code of a scan that failed', async ({ step }) => {
  expect(await sectionsOf(step({ command: 'exit 3' }))).toEqual([
    expect.stringMatching(/^main: Scan failed \(exit code 3\)\. The credential lived/),
  ])
})

onGithub('the heading of an accepted exit code says that the scan passed', async ({ step }) => {
  const use = step({ command: 'exit 100', accept_exit_codes: '0,100' })
  expect(await sectionsOf(use)).toEqual([expect.stringMatching(/^main: Scan passed \(exit code 100\)\. /)])
})

onGithub('without a command, post alone writes the section, after the revocation and the proof', async ({ step }) => {
  const sections = await sectionsOf(step())
  expect(sections).toEqual([expect.stringMatching(/^post: Later steps of the job could use the credential\. /)])
  expect(sections[0]).toMatch(REFUSED)
})

onGithub('with prove: post, post alone writes the section, after the proof', async ({ step }) => {
  const sections = await sectionsOf(step({ command: 'true', delivery: 'kubeconfig', prove: 'post' }))
  expect(sections).toEqual([expect.stringMatching(/^post: Scan passed\. /)])
  expect(sections[0]).toMatch(REFUSED)
})

onGithub('with prove: off, main writes the section, which claims no proof', async ({ step }) => {
  const sections = await sectionsOf(step({ command: 'true', prove: 'off' }))
  expect(sections).toEqual([
    expect.stringMatching(/^main: Scan passed\. .* was revoked; kubepass did not prove that the API server refuses it\.$/),
  ])
})

onGithub(
  'after a SIGKILL to main, post writes the section',
  async ({ step }) => {
    const use = step({ command: 'echo started; sleep 600' })
    await killWhileScanning(use)
    const post = await use.post()
    expect(headings('post', post.summary)).toEqual([expect.stringMatching(/^post: The scan started, but kubepass did not see its end\. /)])
    expect(post.summary).toContain('outlived the scan and were ended')
    expect(post.summary).toContain('| Access | `through the API proxy` |')
  },
  // The scan keeps the output open, for which the runner waits in vain.
  { patience: { drain: 200 } },
)

onGithub('a signal during the revocation is the error of the run, although the scan passed', async ({ step, proxy }) => {
  const use = step({ command: 'true' })
  proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, () => {
    phase.kill('SIGINT')
    return undefined
  })
  const phase = use.start('main')
  const [main, post] = [await phase.done, await use.post()]
  expect(main.code).toBe(130)
  expect([...headings('main', main.summary), ...headings('post', post.summary)]).toEqual([
    expect.stringMatching(/^(main|post): Run interrupted, scan ended \(exit code 0\)\. /),
  ])
})

onGithub('the section of a refusal has the reason in words, and post adds nothing', async ({ step, proxy }) => {
  proxy.on({ method: 'POST', path: SECRETS }, () => status(403, 'Forbidden', 'secrets is forbidden: <b>no</b> `role` | here'))
  const use = step({ command: 'true' })
  const main = await use.main()
  expect(main.code).toBe(82)
  expect(headings('main', main.summary)).toEqual(['main: No scan started: the run ended with REFUSED. No credential was issued.'])
  expect(main.summary).toMatch(
    /^\*\*REFUSED\*\*: ``? ?The API server refused to create a Secret in namespace "kubepass": 403 .*<b>no<\/b> `role` \| here/m,
  )
  expect((await use.post()).summary).toBe('')
})

onGithub('if main cannot revoke after the scan tampered, the section still has the tampering', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => status(403, 'Forbidden', 'no more'))
  const use = step({ command: 'echo x=y >> "$(ls "$RUNNER_TEMP"/_runner_file_commands/set_env_* | head -n 1)"' })
  expect((await use.main()).code).toBe(86)
  stop()
  const post = await use.post()
  expect(headings('post', post.summary)).toEqual([expect.stringMatching(/^post: Scan tampered with the runner's command files/)])
  expect(post.summary).toMatch(/^\*\*NOT_REVOKED\*\*: .* Before that: TAMPERED: The scan wrote to/m)
})

onGithub('if main was killed after the scan ended, the run is unfinished, because no process checked the scan', async ({ step, proxy }) => {
  proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, () => {
    phase.kill('SIGKILL')
    return undefined
  })
  const use = step({ command: 'true' })
  const phase = use.start('main')
  const main = await phase.done
  const post = await use.post()
  expect([main.summary, post.code]).toEqual(['', 0])
  expect(headings('post', post.summary)).toEqual([
    expect.stringMatching(
      /^post: Scan ended \(exit code 0\), but main had not finished its cleanup and its checks when another process took over\. /,
    ),
  ])
})

onGithub('if main cannot revoke and post can, post alone writes the section', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => status(403, 'Forbidden', 'no more'))
  const use = step({ command: 'true' })
  const main = await use.main()
  expect([main.code, main.summary]).toEqual([86, ''])
  stop()
  const post = await use.post()
  expect(headings('post', post.summary)).toEqual([
    expect.stringMatching(/^post: Scan passed\. The credential lived (less than )?\d+ s and was revoked after a failed attempt; /),
  ])
  expect(post.summary).toMatch(
    /^\*\*NOT_REVOKED\*\*: `The credential could not be revoked\. .*Caused by: The API server refused to delete .*: 403 "no more"\.`$/m,
  )
})

onGithub('if neither main nor post can revoke, the section exists once', async ({ step, proxy, info }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => status(403, 'Forbidden', 'no more'))
  const use = step({ command: 'true' })
  expect(await sectionsOf(use)).toEqual([
    expect.stringMatching(/^post: Scan passed\. The credential was NOT revoked and can live until 20.*Z\.$/),
  ])
  stop()
  const { name } = (JSON.parse(proxy.seen('POST', SECRETS)[0]?.responseBody ?? '') as { metadata: { name: string } }).metadata
  await admin(info).delete(`/api/v1/namespaces/kubepass/secrets/${name}`)
  await use.post()
})

onGithub('if post cannot even read its inputs, post still writes the section', async ({ step, info, job }) => {
  const ca = join(job.workspace, 'ca.crt')
  copyFileSync(info.ca, ca)
  const use = step({ certificate_authority: ca })
  const main = await use.main()
  rmSync(ca)
  const post = await use.post()
  expect([main.summary, post.code]).toEqual(['', 86])
  expect(headings('post', post.summary)).toEqual([
    expect.stringMatching(/^post: Later steps of the job could use the credential\. The credential was NOT revoked and can live until 20/),
  ])
  copyFileSync(info.ca, ca)
  expect((await use.post()).code).toBe(0)
})

onGithub('each kubepass step of a job has its own section, which names its ServiceAccount', async ({ step }) => {
  const uses = [step({ command: 'true' }), step(), step({ command: 'exit 3' })]
  const mains = []
  for (const use of uses) mains.push(await use.main())
  const posts = []
  for (const use of uses.toReversed()) posts.push(await use.post())
  const all = [...mains, ...posts].map(({ summary }) => summary).filter((summary) => summary !== '')
  expect(all.flatMap((summary) => headings('', summary))).toHaveLength(3)
  for (const summary of all) expect(summary).toMatch(/^kubepass, ServiceAccount `kubepass\/scanner`, API server `https:/m)
})
