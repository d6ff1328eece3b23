import { expect, test } from '@jest/globals'
import { readdirSync } from 'node:fs'
import { missingForGitlabCiLocal, Project } from '../runners/gitlab-ci-local.ts'

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

testWithRunner('gitlab-ci-local runs a pipeline, and tells how each job ended', async () => {
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

testWithRunner('the pipeline of our mirror: the component is found, starts the program, and refuses wrong inputs with 80', async () => {
  await using project = new Project(['.gitlab-ci.yml', 'gitlab', 'templates', 'dist'])
  const { code, stdout, stderr, jobs } = await project.run({ variables: { KUBEPASS_ID_TOKEN: 'eyJh.eyJh.c2ln' } })
  expect(stdout).toContain('certificate_authority names "nowhere", which cannot be read (ENOENT)')
  expect(stderr).toMatch(/refuses finished in .* WARN 80/)
  // The release job is for tags.
  expect(jobs).toEqual({ refuses: 'WARN', 'refuses after_script': 'WARN' })
  expect(code).toBe(0)
})
