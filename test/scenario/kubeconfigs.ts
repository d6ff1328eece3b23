import { randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ClusterInfo } from '../cluster/cluster.ts'

/** The files that a test puts on the runner's disk before the job, outside the job's folders. */
export class RunnerDisk implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-disk-'))

  write(name: string, text: string, encoding: BufferEncoding = 'utf8'): string {
    const path = join(this.folder, name)
    writeFileSync(path, text, encoding)
    return path
  }

  /** A new folder for this kubeconfig. */
  kubeconfig(text: string | Buffer): string {
    const folder = join(this.folder, randomUUID())
    mkdirSync(folder)
    writeFileSync(join(folder, 'config'), text)
    return join(folder, 'config')
  }

  /** Simulates the plugins of EKS, GKE and AKS: prints the given text and saves each KUBERNETES_EXEC_INFO. */
  plugin(prints: string, script = ''): Plugin {
    const name = `plugin-${randomUUID()}`
    const answer = this.write(`${name}.answer`, prints)
    const execInfos = this.write(`${name}.exec-infos`, '')
    const command = this.write(
      name,
      `#!/bin/sh\nif read -r line; then exit 7; fi\nprintf '%s\\n' "$KUBERNETES_EXEC_INFO" >> ${execInfos}\n${script}\ncat ${answer}\n`,
    )
    chmodSync(command, 0o755)
    return {
      command,
      execInfos: () =>
        readFileSync(execInfos, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as unknown),
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export interface Plugin {
  command: string
  /** Each KUBERNETES_EXEC_INFO that the plugin got. */
  execInfos: () => unknown[]
}

export type Fields = Record<string, unknown>

export const EXEC_V1 = 'client.authentication.k8s.io/v1'

export function execCredential(status: Fields, apiVersion = EXEC_V1): string {
  return JSON.stringify({ apiVersion, kind: 'ExecCredential', status })
}

/** An `exec` entry as the tools of EKS, GKE and AKS write it. */
export function execEntry(command: string, more: Fields = {}): Fields {
  return { exec: { apiVersion: EXEC_V1, command, args: ['get-token'], interactiveMode: 'Never', ...more } }
}

export function base64Of(path: string): string {
  return readFileSync(path).toString('base64')
}

/** A kubeconfig with three contexts, so that a wrong choice shows. */
export function kubeconfigOf(info: ClusterInfo, server: string, user: Fields, cluster: Fields = {}): string {
  const right = { server, 'certificate-authority-data': base64Of(info.ca), ...cluster }
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    preferences: {},
    clusters: [
      { name: 'elsewhere', cluster: { server: 'https://127.0.0.1:1', 'insecure-skip-tls-verify': true } },
      { name: 'here', cluster: right },
    ],
    users: [
      { name: 'somebody', user: { username: 'somebody', password: 'hunter2hunter2hunter2' } },
      { name: 'issuer', user },
    ],
    contexts: [
      { name: 'else', context: { cluster: 'elsewhere', user: 'somebody' } },
      { name: 'issue', context: { cluster: 'here', user: 'issuer', namespace: 'payments' } },
      { name: 'lost', context: { cluster: 'gone', user: 'issuer' } },
    ],
    'current-context': 'issue',
  })
}
