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
  allow_failure: { exit_codes: [42] }
`

testWithRunner('gitlab-ci-local runs a pipeline, and tells how each job ended', async () => {
  await using project = new Project({ '.gitlab-ci.yml': pipeline })
  const { stdout, jobs } = await project.run({ variables: { KUBEPASS_ID_TOKEN: 'a.b.c' }, env: { MORE: 'much' } })
  expect(stdout).toContain('ci=true token=a.b.c more=much')
  expect(stdout).toMatch(/> v24\./)
  expect(stdout).toContain('it was a success')
  expect(stdout).toContain('it was failed')
  expect(readdirSync(project.tmp)).toEqual([])
  expect(jobs).toEqual({ good: 'PASS', bad: 'FAIL', tolerated: 'WARN' })
})
