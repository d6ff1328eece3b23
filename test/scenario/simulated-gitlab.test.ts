import { expect } from '@jest/globals'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findLeftovers } from '../leftovers.ts'
import { onGitlab, WHOAMI } from './scenario.ts'

const component = join(import.meta.dirname, 'simulated-gitlab.yml')

onGitlab(
  'the API server accepts the ID token of a simulated GitLab job and reads its claims',
  async ({ step, proxy, job }) => {
    const main = await step().main()
    expect({ code: main.code, log: main.log }).toEqual({ code: 0, log: expect.stringContaining('"ci:gitlab:project:20"') as unknown })
    expect(main.log).toContain('"username": "ci:gitlab:project_path:group/project:ref_type:branch:ref:main"')
    expect(proxy.seen('POST', WHOAMI).map(({ bearer }) => bearer)).toEqual(job.secrets)
  },
  { component },
)

onGitlab(
  'the API server rejects the ID token of a simulated GitLab job on an unprotected branch',
  async ({ step }) => {
    expect((await step().main()).stderr).toContain('Unauthorized')
  },
  { component, claims: { ref_protected: 'false' } },
)

onGitlab(
  'findLeftovers() finds what a simulated GitLab job prints or leaves behind, masked or not',
  async ({ info, step, proxy, job, allowLeftover }) => {
    writeFileSync(join(job.home, 'kubectl'), '#!/bin/sh\nprintenv ID_TOKEN | tee "$TMPDIR/left"\n', { mode: 0o700 })
    job.env['PATH'] = `${job.home}:/usr/bin:/bin`
    expect((await step().main()).log).toMatch(/^\[MASKED\]$/m)
    expect(await findLeftovers({ info, proxy, host: job })).toEqual([
      'tmp/left is left',
      'a token can be read in stdout of main (phase 1)',
      'a token can be read in file tmp/left',
    ])
    rmSync(join(job.tmp, 'left'))
    allowLeftover(/stdout of main/)
  },
  { component },
)
