import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { errnoOf } from '../../src/base/errors.ts'
import { admin } from './admin.ts'
import type { ClusterInfo } from './cluster.ts'

/** The parts of a bound Secret that differ from one that kubepass makes. */
export interface BoundSecretParts {
  platform?: string
  run?: string
  attempt?: string
  key?: string
  repository?: string
  instance?: string
  deadBy?: Date | string
  /** Text that makes the Secret large. */
  padding?: string
  /** Replaces parts of the Secret. */
  name?: string
  change?: Record<string, unknown>
  metadata?: Record<string, unknown>
}

export const HOUR_MS = 3_600_000

const USUAL_RUN = { platform: 'github', run: '1', attempt: '1', key: '0123456789abcdef', repository: 'octo-org/octo-repo' }

export function boundSecretOf(
  parts: BoundSecretParts = {},
): { metadata: { name: string } & Record<string, unknown> } & Record<string, unknown> {
  const { platform, run, attempt, key, repository } = { ...USUAL_RUN, ...parts }
  const { instance = platform === 'terminal' ? '' : `https://${platform}.com` } = parts
  const { deadBy = new Date(Date.now() - HOUR_MS), name = `kubepass-${run}-${attempt}-${key}`, change = {}, metadata = {} } = parts
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name,
      labels: {
        'app.kubernetes.io/managed-by': 'kubepass',
        'kubepass.dev/platform': platform,
        'kubepass.dev/run': run,
        'kubepass.dev/attempt': attempt,
      },
      annotations: {
        'kubepass.dev/instance': instance,
        'kubepass.dev/repository': repository,
        'kubepass.dev/job': 'scan',
        'kubepass.dev/dead-by': typeof deadBy === 'string' ? deadBy : deadBy.toISOString(),
        ...(parts.padding !== undefined && { 'example.com/padding': parts.padding }),
      },
      ...metadata,
    },
    ...change,
  }
}

/** Creates a namespace for one test, in which the ServiceAccount kubepass-issuer/sweeper has these rights on Secrets. */
export async function makeRoom(info: ClusterInfo, name: string, verbs: string[]): Promise<Room> {
  const { create } = admin(info)
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${name}`
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sweeper' }
  const subjects = [{ kind: 'ServiceAccount', name: 'sweeper', namespace: 'kubepass-issuer' }]
  const made = [
    await create('/api/v1/namespaces', { metadata: { name } }),
    await create(`${rbac}/roles`, { metadata: { name: 'sweeper' }, rules: [{ apiGroups: [''], resources: ['secrets'], verbs }] }),
    await create(`${rbac}/rolebindings`, { metadata: { name: 'sweeper' }, roleRef, subjects }),
  ]
  const refused = made.find(({ status }) => status !== 201)
  if (refused !== undefined) throw new Error(`the API server refused a part of the namespace ${name}: ${refused.body.message ?? ''}`)
  return new Room(info, name)
}

/** Takes the lock of the tests that sweep the namespace of all tests, because one sweep would delete the Secrets of another test. */
export async function sweepAlone({ dir }: ClusterInfo): Promise<Disposable> {
  const lock = join(dir, 'sweeping')
  for (const end = Date.now() + 45_000; ;) {
    try {
      mkdirSync(lock)
      return { [Symbol.dispose]: () => rmdirSync(lock) }
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST' || Date.now() > end) throw error
      await delay(50)
    }
  }
}

export class Room {
  readonly name: string
  readonly #info: ClusterInfo

  constructor(info: ClusterInfo, name: string) {
    this.#info = info
    this.name = name
  }

  /** Creates these Secrets and returns their names. */
  async fill(secrets: { metadata: { name: string } }[]): Promise<string[]> {
    const [ca, cert, key] = [this.#info.ca, this.#info.adminCert, this.#info.adminKey].map((path) => readFileSync(path))
    const agent = new Agent({ ca, cert, key, keepAlive: true, maxSockets: 16 })
    const waiting = secrets.values()
    const createWaiting = async (): Promise<void> => {
      for (const secret of waiting) {
        const body = JSON.stringify(secret)
        const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
        const url = `${this.#info.server}/api/v1/namespaces/${this.name}/secrets`
        const outgoing = httpsRequest(url, { method: 'POST', headers, agent })
        outgoing.end(body)
        const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
        const answer = await buffer(incoming)
        if (incoming.statusCode !== 201) throw new Error(`the API server did not create ${secret.metadata.name}: ${answer.toString()}`)
      }
    }
    await Promise.all(Array.from({ length: 16 }, createWaiting))
    agent.destroy()
    return secrets.map(({ metadata }) => metadata.name)
  }

  /** The sorted names of the existing Secrets. */
  async names(): Promise<string[]> {
    const { body } = await admin(this.#info).get(`/api/v1/namespaces/${this.name}/secrets`)
    return (body.items ?? []).map(({ metadata }) => metadata?.name ?? '').toSorted()
  }
}
