import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { cached } from '../tool-cache.ts'

const run = promisify(execFile)

/** Why the Python client cannot be installed here; undefined if it can. */
export function missingForPython(): string | undefined {
  return spawnSync('python3', ['-m', 'pip', '--version']).status === 0 ? undefined : 'python3 with pip is not on this machine'
}

/**
 * Installs the client of Kubernetes for Python once.
 * @param version of the package on PyPI
 * @returns the folder for PYTHONPATH
 */
export async function installPythonClient(version: string): Promise<string> {
  const packages = ['--target', '.', '--quiet', '--disable-pip-version-check', '--root-user-action', 'ignore', `kubernetes==${version}`]
  return cached('python-kubernetes', version, async (folder) => {
    await run('python3', ['-m', 'pip', 'install', ...packages], { cwd: folder, maxBuffer: 64 << 20 })
  })
}
