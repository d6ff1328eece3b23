import { expect, test } from '@jest/globals'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { missingForGitlabCiLocal, Project, type Pipeline } from '../runners/gitlab-ci-local.ts'

const missing = missingForGitlabCiLocal()
if (missing !== undefined) console.warn(`Skipped: ${missing}.`)
const testWithRunner = missing === undefined ? test : test.skip

const pipeline = `
stages: [scan]
good:
  stage: scan
  script: [echo "ci=$GITLAB_CI token=$KUBEPASS_ID_TOKEN more=$MORE", node --version]
  after_script: [echo "it was a $CI_JOB_STATUS"]
bad:
  stage: scan
  needs: []
  script: [exit 3]
  after_script: [echo "it was $CI_JOB_STATUS"]
  allow_failure: { exit_codes: [42] }
tolerated:
  stage: scan
  needs: []
  image: docker.example.com/none
  script: [exit 42]
  after_script: [exit 1]
  allow_failure: { exit_codes: [42] }
`

testWithRunner('the helper runs a pipeline in gitlab-ci-local and returns the result of each job', async () => {
  await using project = new Project()
  project.write('.gitlab-ci.yml', pipeline)
  const { stdout, jobs } = await project.run({ variables: { KUBEPASS_ID_TOKEN: 'a.b.c' }, env: { MORE: 'much' } })
  expect(stdout).toContain('ci=true token=a.b.c more=much')
  expect(stdout).toMatch(/> v24\./)
  expect(stdout).toContain('it was a success')
  expect(stdout).toContain('it was failed')
  expect(readdirSync(project.tmp)).toEqual([])
  expect(jobs).toEqual({ good: 'PASS', bad: 'FAIL', tolerated: 'WARN', 'tolerated after_script': 'WARN' })
})

/** Runs the pipeline of the project's GitLab mirror, after a change to its files. */
async function runMirror(change: (project: Project) => void = () => undefined): Promise<Pipeline> {
  await using project = new Project(['.gitlab-ci.yml', 'gitlab', 'templates', 'dist'])
  change(project)
  return await project.run({ variables: { KUBEPASS_ID_TOKEN: 'eyJh.eyJh.c2ln' } })
}

testWithRunner('in the pipeline of the GitLab mirror, the component starts kubepass, which rejects wrong inputs with code 80', async () => {
  const { code, stdout, stderr, jobs } = await runMirror()
  expect(stdout).toContain('certificate_authority names "nowhere", which cannot be read (ENOENT)')
  expect(stderr).toMatch(/refuses finished in .* WARN 80/)
  // The release job runs for tags only.
  expect(jobs).toEqual({ refuses: 'WARN' })
  expect(code).toBe(0)
})

testWithRunner.each<[string, (project: Project) => void, RegExp]>([
  ['does nothing', (project) => project.write('dist/main/index.js', ''), /refuses finished in .* FAIL 1 *$/m],
  ['is missing', ({ tree }) => rmSync(join(tree, 'dist/main'), { recursive: true }), /refuses finished in .* FAIL 79 *$/m],
])('the pipeline of the GitLab mirror fails when the program %s', async (_name, change, says) => {
  const { stderr, jobs } = await runMirror(change)
  expect(stderr).toMatch(says)
  expect(jobs).toMatchObject({ refuses: 'FAIL' })
})
