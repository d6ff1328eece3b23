import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { parseCommandFile } from '../hosts/command-file.ts'
import { startJob, type GithubJob, type JobOptions } from '../hosts/github.ts'
import { JobLog, type JobLogOptions } from '../hosts/job-log.ts'
import { Masker } from '../hosts/masker.ts'
import { Terminal } from '../hosts/terminal.ts'

const info = { kubectl: '/nowhere/kubectl', ca: '' } as ClusterInfo
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A job without a cluster, whose action is two scripts of the test's own. */
function jobOf({ main = '', post = '', yaml }: { main?: string; post?: string; yaml?: string }, options: JobOptions = {}): Promise<GithubJob> {
  const action = mkdtempSync(join(tmpdir(), 'kubepass-action-'))
  folders.push(action)
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(action, path)), { recursive: true })
    writeFileSync(join(action, path), text)
  }
  write('dist/main/index.js', `import fs from 'node:fs'\nimport { spawn } from 'node:child_process'\n${main}`)
  write('dist/post/index.js', post)
  if (yaml !== undefined) write('action.yml', yaml)
  return startJob(info, { idToken: false, action, ...options })
}

function logOf(writes: ['stdout' | 'stderr', string][], options: JobLogOptions = {}): JobLog {
  const log = new JobLog(new Masker(), options)
  for (const [stream, text] of writes) log.write(stream, Buffer.from(text))
  log.end()
  return log
}

const commandsOf = (text: string): string[] => logOf([['stdout', text]]).commands.map(({ name, data }) => `${name} ${data}`)

describe('the masker', () => {
  const masked = (secret: string, text: string): string => {
    const masker = new Masker()
    masker.add(secret)
    return masker.mask(text)
  }
  const secret = 'se"cr\'et<&+>valu€'
  const bytes = Buffer.from(secret)

  test.each([
    ['as it is', secret],
    ['base64', bytes.toString('base64')],
    ['base64 of all but the first byte', bytes.subarray(1).toString('base64')],
    ['base64 of all but the first two bytes', bytes.subarray(2).toString('base64')],
    ['an argument', 'se\\"cr\'et<&+>valu€'],
    ['an expression', 'se"cr\'\'et<&+>valu€'],
    ['JSON', 'se\\"cr\'et<&+>valu€'],
    ['a URI', 'se%22cr%27et%3C%26%2B%3Evalu%E2%82%AC'],
    ['XML', 'se&quot;cr&apos;et&lt;&amp;+&gt;valu€'],
    ['what PowerShell shows first', 'se"cr\'et<&+'],
    ['what PowerShell shows then', 'valu€x'.slice(0, -1)],
  ])('knows a secret %s', (_, spelling) => {
    expect(masked(`${secret}more`.slice(0, secret.length), `[${spelling}]`)).not.toContain(spelling === 'valu€' ? '[]' : spelling)
  })
})
