import { expect } from '@jest/globals'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { trace } from '../oracle.ts'
import { onGitlab, WHOAMI } from './scenario.ts'

const component = join(import.meta.dirname, 'played-gitlab.yml')

onGitlab(
  'the API server takes the ID token of a played GitLab job for what it says',
  async ({ step, proxy, job }) => {
    const main = await step().main()
    expect({ code: main.code, log: main.log }).toEqual({ code: 0, log: expect.stringContaining('"ci:gitlab:project:20"') as unknown })
    expect(main.log).toContain('"username": "ci:gitlab:project_path:group/project:ref_type:branch:ref:main"')
    expect(proxy.seen('POST', WHOAMI).map(({ bearer }) => bearer)).toEqual(job.secrets)
  },
  { component },
)

onGitlab(
  'it does not take that of a branch that is not protected',
  async ({ step }) => {
    expect((await step().main()).stderr).toContain('Unauthorized')
  },
  { component, claims: { ref_protected: 'false' } },
)

onGitlab(
  'what a GitLab job prints or leaves behind is found, masked or not',
  async ({ info, step, proxy, job, excuse }) => {
    writeFileSync(join(job.home, 'kubectl'), '#!/bin/sh\nprintenv ID_TOKEN | tee "$TMPDIR/left"\n', { mode: 0o700 })
    job.env['PATH'] = `${job.home}:/usr/bin:/bin`
    expect((await step().main()).log).toMatch(/^\[MASKED\]$/m)
    expect(await trace({ info, proxy, host: job })).toEqual([
      'tmp/left is left',
      'a token can be read in stdout of main (phase 1)',
      'a token can be read in file tmp/left',
    ])
    rmSync(join(job.tmp, 'left'))
    excuse(/stdout of main/)
  },
  { component },
)
