// What takes longer than `npm test`: npm run test:long [-- VERSION ...]. Of the usual Kubernetes version these are all tests, with the long ones.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isVersion, USUAL, versions, type Version } from './cluster/versions.ts'
import { testsOn } from './compatibility/kubernetes.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const named = process.argv.slice(2)
const unknown = named.filter((name) => !isVersion(name))
if (unknown.length > 0) {
  console.error(`There is no test cluster of ${unknown.join(', ')}, but one of ${Object.keys(versions).join(', ')}.`)
  process.exit(2)
}
const others = Object.keys(versions).filter((version) => version !== USUAL)
const chosen = (named.length > 0 ? named : [USUAL, ...others]).filter(isVersion)

const failed: Version[] = []
for (const version of chosen) {
  const { scenarios, skipped } = testsOn(version)
  say(`\n==> Kubernetes ${versions[version].release}`)
  for (const why of skipped) say(`Skipped: ${why}`)
  const files = scenarios === 'all' ? [] : scenarios.map((name) => `test/scenario/${name}.test.ts`)
  if (!(await passes(version, files))) failed.push(version)
}
say(`\n${failed.length === 0 ? 'Passed' : `FAILED on ${failed.join(', ')}`}; run on ${chosen.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1

async function passes(version: Version, files: string[]): Promise<boolean> {
  const env = { ...process.env, KUBEPASS_TEST_KUBERNETES: version, KUBEPASS_TEST_LONG: '1' }
  const [code] = (await once(spawn('npm', ['test', '--', ...files], { cwd: root, env, stdio: 'inherit' }), 'exit')) as [number | null]
  return code === 0
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
