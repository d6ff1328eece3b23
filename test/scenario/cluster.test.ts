import { expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(50)
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('when the process that started a test cluster is killed, the cluster ends and removes its files', async () => {
  const script = `
    import { startCluster } from ${JSON.stringify(new URL('../cluster/cluster.ts', import.meta.url).href)}
    const { info } = await startCluster({ tokenCacheTTL: '0s', controllers: false })
    console.log(JSON.stringify(info))
    setInterval(() => undefined, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const { pid, dir } = JSON.parse(line.toString()) as { pid: number; dir: string }
  expect(lives(pid)).toBe(true)
  parent.kill('SIGKILL')
  await until(() => !lives(pid) && !existsSync(dir))
}, 180_000)
