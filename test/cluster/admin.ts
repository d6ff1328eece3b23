import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import type { ClusterInfo } from './cluster.ts'
import { has } from './features.ts'
import { request } from './request.ts'

/** The fields of an API object that tests use. */
export interface KubeObject {
  kind?: string
  metadata?: {
    name?: string
    namespace?: string
    uid?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  items?: KubeObject[]
  message?: string
  reason?: string
  code?: number
  [field: string]: unknown
}

export interface Answer<T = KubeObject> {
  status: number
  body: T
}

export interface Admin {
  get: <T = KubeObject>(path: string) => Promise<Answer<T>>
  create: <T = KubeObject>(path: string, body: object) => Promise<Answer<T>>
  delete: <T = KubeObject>(path: string, body?: object) => Promise<Answer<T>>
  /** Sends a SelfSubjectReview with this token on a new connection. */
  whoami: (token: string) => Promise<{ status: number; username?: string }>
}

/** Sends requests with the rights of the cluster's administrator. Each call returns the response, also an error response. */
export function admin(info: ClusterInfo): Admin {
  const certificate = Promise.all([info.ca, info.adminCert, info.adminKey].map((path) => readFile(path)))
  const call = async <T>(method: string, path: string, body?: object): Promise<Answer<T>> => {
    const [ca, cert, key] = await certificate
    return send<T>(info, { method, path, body, tls: { ca, cert, key } })
  }
  return {
    get: (path) => call('GET', path),
    create: (path, body) => call('POST', path, body),
    delete: (path, body) => call('DELETE', path, body),
    whoami: async (token) => {
      const [ca] = await certificate
      const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
      const { status, body } = await send<{ status?: { userInfo?: { username?: string } } }>(info, {
        ...{ method: 'POST', path, body: review },
        ...{ tls: { ca }, token },
      })
      const username = status === 201 ? body.status?.userInfo?.username : undefined
      return username === undefined ? { status } : { status, username }
    },
  }
}

interface Tls {
  ca: Buffer | undefined
  cert?: Buffer | undefined
  key?: Buffer | undefined
}

interface ApiCall {
  method: string
  path: string
  body?: object | undefined
  tls: Tls
  token?: string
}

async function send<T>(info: ClusterInfo, { method, path, body, tls, token }: ApiCall): Promise<Answer<T>> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    accept: 'application/json',
    ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  const reply = await request(info.server + path, { method, headers, ...tls }, text)
  const answer = reply.body.toString()
  const json = (reply.headers['content-type'] ?? '').includes('json')
  return { status: reply.status, body: (json ? JSON.parse(answer) : { message: answer }) as T }
}

/** Runs the real kubectl as the administrator. */
export async function kubectl(info: ClusterInfo, ...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: info.dir, KUBECONFIG: info.adminKubeconfig }
  const { stdout } = await promisify(execFile)(info.kubectl, args, { env, maxBuffer: 64 << 20 })
  return stdout
}

/** Applies a kustomization, a folder of manifests or one manifest. */
export async function apply(info: ClusterInfo, path: string): Promise<string> {
  return kubectl(info, 'apply', existsSync(join(path, 'kustomization.yaml')) ? '-k' : '-f', path)
}

/** Applies deploy/base, without the policies if this Kubernetes version has none, as docs/cluster.md says. */
export async function applyBase(info: ClusterInfo, folder: string): Promise<void> {
  if (has('policies')) await apply(info, folder)
  else for (const file of resourcesIn(folder).filter((name) => name !== 'policies.yaml')) await apply(info, join(folder, file))
}

function resourcesIn(folder: string): string[] {
  return (parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as { resources: string[] }).resources
}

/**
 * The API server applies new policies after about half a second, and a quota after the controller has counted it. The test requests create
 * nothing: one is a dry run of a Secret with data, the other requests a token that is bound to a missing Pod.
 */
export async function waitForPolicies(info: ClusterInfo, namespace = 'kubepass', serviceAccount = 'scanner'): Promise<void> {
  const { create } = admin(info)
  const namespacePath = `/api/v1/namespaces/${namespace}`
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'not-empty' }, stringData: { some: 'thing' } }
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'no-such-pod' }
  const token = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600, boundObjectRef } }
  const attempts = [
    () => create(`${namespacePath}/secrets?dryRun=All`, secret),
    () => create(`${namespacePath}/serviceaccounts/${serviceAccount}/token`, token),
  ]
  await waitForQuota(info, namespace)
  const deadline = Date.now() + 30_000
  for (const attempt of attempts) {
    for (;;) {
      const { status, body } = await attempt()
      if (status === 403 && body.message?.includes('ValidatingAdmissionPolicy') === true) break
      if (Date.now() > deadline)
        throw new Error(
          `the policies of namespace ${namespace} did not refuse the test request within 30 s: ${String(status)} ${body.message ?? ''}`,
        )
      await delay(50)
    }
  }
}

/** The API server refuses every object that a quota counts until the controller has counted the quota. */
export async function waitForQuota(info: ClusterInfo, namespace = 'kubepass'): Promise<void> {
  const { get } = admin(info)
  const deadline = Date.now() + 30_000
  for (;;) {
    const { body } = await get<{ items: { spec: { hard: object }; status: { hard?: object } }[] }>(
      `/api/v1/namespaces/${namespace}/resourcequotas`,
    )
    if (body.items.every(({ spec, status }) => JSON.stringify(spec.hard) === JSON.stringify(status.hard))) return
    if (Date.now() > deadline) throw new Error(`the controller did not count the quota of namespace ${namespace} within 30 s`)
    await delay(50)
  }
}
