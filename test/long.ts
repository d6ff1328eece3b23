// Runs the long tests: npm run test:long [-- VERSION ...]. On the default Kubernetes version it runs all tests, on the others selected scenarios.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isVersion, USUAL, versions, type Version } from './cluster/versions.ts'
import { testsOn } from './compatibility/kubernetes.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const named = process.argv.slice(2)
const unknown = named.filter((name) => !isVersion(name))
if (unknown.length > 0) {
  console.error(`Unknown Kubernetes version: ${unknown.join(', ')}. The known versions are ${Object.keys(versions).join(', ')}.`)
  process.exit(2)
}
const others = Object.keys(versions).filter((version) => version !== USUAL)
const chosen = (named.length > 0 ? named : [USUAL, ...others]).filter(isVersion)

const failed: Version[] = []
for (const version of chosen) {
  const { scenarios, skipped } = testsOn(version)
  print(`\n==> Kubernetes ${versions[version].release}`)
  for (const reason of skipped) print(`Skipped: ${reason}`)
  const files = scenarios === 'all' ? [] : scenarios.map((name) => `test/scenario/${name}.test.ts`)
  if (!(await passes(version, files))) failed.push(version)
}
print(`\n${failed.length === 0 ? 'Passed' : `FAILED on ${failed.join(', ')}`}; tested versions: ${chosen.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1

async function passes(version: Version, files: string[]): Promise<boolean> {
  const env = { ...process.env, KUBEPASS_TEST_KUBERNETES: version, KUBEPASS_TEST_LONG: '1' }
  const [code] = (await once(spawn('npm', ['test', '--', ...files], { cwd: root, env, stdio: 'inherit' }), 'exit')) as [number | null]
  return code === 0
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
