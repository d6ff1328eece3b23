import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { admin } from '../cluster/admin.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { has, lackOf, type Feature } from '../cluster/features.ts'
import { startProxy, type Proxy } from '../cluster/proxy.ts'
import { claimsOf } from '../cluster/token.ts'
import { startJob, type GithubJob, type JobOptions, type Step } from '../hosts/github.ts'
import { GitlabJob, type GitlabOptions, type GitlabUse } from '../hosts/gitlab.ts'
import type { Job, Use } from '../hosts/host.ts'
import { Terminal } from '../hosts/terminal.ts'
import { trace } from '../oracle.ts'
import { buildAct, startAct, type Act } from '../runners/act.ts'
import { missingForGitlabCiLocal, Project } from '../runners/gitlab-ci-local.ts'

interface Clusters {
  /** Forgets a token the moment that it is revoked. */
  quick: ClusterInfo
  /** Believes an accepted token for 10 s, as every API server does. */
  real: ClusterInfo
}

export const clusters = JSON.parse(process.env['KUBEPASS_TEST_CLUSTERS'] ?? '{}') as Clusters

export interface Scene {
  info: ClusterInfo
  proxy: Proxy
  /** The right one of a GitLab job's ID token. A server that trusts one issuer knows itself by one URL. */
  audience: string
  /** The inputs that every use needs. */
  inputs: Record<string, string>
  /** A token of a ServiceAccount in kubepass-issuer, looked for in every place where it could leak. */
  identityOf: (serviceAccount: string) => Promise<string>
  /** What is expected of this scenario's leavings; all others fail it. */
  excuse: (complaint: RegExp) => void
}

export interface GithubScene extends Scene {
  job: GithubJob
  step: (inputs?: Record<string, string>, env?: Record<string, string>) => Step
}

export interface GitlabScene extends Scene {
  job: GitlabJob
  step: (inputs?: Record<string, string>, env?: Record<string, string>) => GitlabUse
}

/** What a scenario can do that is played on each CI. */
export interface CiScene extends Scene {
  ci: 'github' | 'gitlab'
  job: Job
  step: (inputs?: Record<string, string>, env?: Record<string, string>) => Use
}

export interface TerminalScene extends Scene {
  terminal: Terminal
  /** The flags that every run needs. */
  flags: string[]
}

export interface ActScene extends Scene {
  act: Act
}

export interface PipelineScene extends Scene {
  /** It has the component. */
  project: Project
}

export interface Stage extends JobOptions {
  cluster?: keyof Clusters
  needs?: Feature
  /** Where the proxy listens: one of the cluster's own ports. */
  port?: number | undefined
}

export interface GitlabStage extends GitlabOptions {
  cluster?: keyof Clusters
  needs?: Feature
}

export interface CiStage {
  cluster?: keyof Clusters
  needs?: Feature
  /** Whether the job gets ID tokens; default true. */
  idToken?: boolean
  github?: JobOptions
  gitlab?: GitlabOptions
}

/** A test that is skipped, and says why, where the chosen Kubernetes lacks what it needs. */
export function testWith(needs: Feature | undefined, name: string, play: () => Promise<void>): void {
  const lack = needs === undefined ? undefined : lackOf(needs)
  if (lack !== undefined) console.warn(`Skipped: ${name}: ${lack}`)
  const testHere = lack === undefined ? test : test.skip
  testHere(name, play)
}

/** A GitHub job; it must leave no living token, no object, no file, no process and no readable secret. */
export function onGithub(name: string, play: (scene: GithubScene) => Promise<void>, stage: Stage = {}): void {
  testWith(stage.needs, name, () => playOnGithub(play, stage))
}

/** The same inside a test, which plays more than one. */
export async function playOnGithub(
  play: (scene: GithubScene) => Promise<void>,
  { cluster = 'quick', port, ...options }: Stage = {},
): Promise<void> {
  const info = clusters[cluster]
  await using proxy = await startProxy(info, { port })
  await using job = await startJob(info, options)
  const { scene, secrets, excuses } = sceneOf(info, proxy)
  await play({ ...scene, job, step: (inputs = {}, env = {}) => job.step({ ...scene.inputs, ...inputs }, env) })
  expect(unexcused(await trace({ info, proxy, host: job, secrets }), excuses)).toEqual([])
}

/** Kills main while its scan runs, which says `started`. */
export async function killWhileScanning(use: Use): Promise<void> {
  const phase = use.start('main')
  await phase.seen('started')
  phase.kill('SIGKILL')
  await phase.done
}

/** Waits for all, so that none goes on behind the test, then fails as the first that failed. */
export async function allPlayed(plays: Promise<void>[]): Promise<void> {
  for (const play of await Promise.allSettled(plays)) if (play.status === 'rejected') throw play.reason
}

/** A GitLab job, of which the same is asked. */
export function onGitlab(name: string, play: (scene: GitlabScene) => Promise<void>, stage: GitlabStage = {}): void {
  testWith(stage.needs, name, () => playOnGitlab(play, stage))
}

export async function playOnGitlab(
  play: (scene: GitlabScene) => Promise<void>,
  { cluster = 'quick', ...options }: GitlabStage = {},
): Promise<void> {
  const info = clusters[cluster]
  await using proxy = await startProxy(info)
  await using job = new GitlabJob(info, options)
  const { scene, secrets, excuses } = sceneOf(info, proxy)
  // A component of a test's own has inputs of its own.
  const needed = options.component === undefined ? { ...scene.inputs, audience: scene.audience } : scene.inputs
  await play({ ...scene, job, step: (inputs = {}, env = {}) => job.step({ ...needed, ...named(inputs) }, env) })
  job.cleanUp()
  expect(unexcused(await trace({ info, proxy, host: job, secrets }), excuses)).toEqual([])
}

/** On GitLab a token or a kubeconfig counts only if `identity` names it. A test that leaves that out sets it to auto. */
function named(inputs: Record<string, string>): Record<string, string> {
  const isGiven = (id: string): boolean => (inputs[id] ?? '') !== ''
  const identity = isGiven('kubeconfig') ? 'kubeconfig' : isGiven('token') || isGiven('token_file') ? 'token' : undefined
  return identity === undefined ? inputs : { identity, ...inputs }
}

/** The same scenario as a GitHub job and as a GitLab job. */
export function onEachCi(name: string, play: (scene: CiScene) => Promise<void>, { github, gitlab, ...common }: CiStage = {}): void {
  onGithub(`on GitHub: ${name}`, (scene) => play({ ...scene, ci: 'github' }), { ...common, ...github })
  onGitlab(`on GitLab: ${name}`, (scene) => play({ ...scene, ci: 'gitlab' }), { ...common, ...gitlab })
}

/** The same for a command line. */
export function inTerminal(name: string, play: (scene: TerminalScene) => Promise<void>, standalone?: string): void {
  test(name, () => playInTerminal(play, standalone === undefined ? undefined : [standalone]))
}

export async function playInTerminal(
  play: (scene: TerminalScene) => Promise<void>,
  program?: [string, ...string[]],
  cluster: keyof Clusters = 'quick',
): Promise<void> {
  const info = clusters[cluster]
  await using proxy = await startProxy(info)
  await using terminal = new Terminal(info, program)
  const { scene, secrets, excuses } = sceneOf(info, proxy)
  const flags = Object.entries(scene.inputs).flatMap(([id, value]) => [`--${id.replaceAll('_', '-')}`, value])
  await play({ ...scene, terminal, flags })
  expect(unexcused(await trace({ info, proxy, host: terminal, secrets }), excuses)).toEqual([])
}

/** The same for a workflow that act runs. */
export function underAct(name: string, play: (scene: ActScene) => Promise<void>): void {
  test(name, async () => {
    const info = clusters.quick
    await using proxy = await startProxy(info)
    await using act = await startAct(info, await buildAct())
    const { scene, secrets, excuses } = sceneOf(info, proxy)
    await play({ ...scene, act })
    expect(unexcused(await trace({ info, proxy, host: act, secrets }), excuses)).toEqual([])
  })
}

/** The same for a pipeline that gitlab-ci-local runs. */
export function underGitlabCiLocal(name: string, play: (scene: PipelineScene) => Promise<void>): void {
  const missing = missingForGitlabCiLocal()
  if (missing !== undefined) console.warn(`Skipped: ${name}: ${missing}.`)
  const testHere = missing === undefined ? test : test.skip
  testHere(name, async () => {
    const info = clusters.quick
    await using proxy = await startProxy(info)
    await using project = new Project(['gitlab', 'templates'])
    const { scene, secrets, excuses } = sceneOf(info, proxy)
    await play({ ...scene, project })
    expect(unexcused(await trace({ info, proxy, host: project, secrets }), excuses)).toEqual([])
  })
}

/** Of a key's PEM in base64: the mark, and what tells its kind. */
const COMMON_TO_KEYS = 100

function sceneOf(info: ClusterInfo, proxy: Proxy): { scene: Scene; secrets: string[]; excuses: RegExp[] } {
  // As it is, and as a kubeconfig has it.
  const key = readFileSync(info.clientKey)
  const secrets = [key.toString(), key.toString('base64').slice(COMMON_TO_KEYS)]
  const excuses: RegExp[] = []
  const identityOf = async (serviceAccount: string): Promise<string> => {
    const path = `/api/v1/namespaces/kubepass-issuer/serviceaccounts/${serviceAccount}/token`
    const { body } = await admin(info).create<{ status: { token: string } }>(path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    })
    secrets.push(body.status.token)
    return body.status.token
  }
  const inputs = { server: proxy.url, certificate_authority: info.ca, service_account: 'kubepass/scanner' }
  const audience = info.soleIssuer === undefined ? proxy.url : info.server
  return { scene: { info, proxy, audience, inputs, identityOf, excuse: (complaint) => void excuses.push(complaint) }, secrets, excuses }
}

function unexcused(complaints: string[], excuses: RegExp[]): string[] {
  return complaints.filter((complaint) => !excuses.some((excuse) => excuse.test(complaint)))
}

/** A token's id as the evidence has it. */
export function credentialIdOf(token: string): string | null {
  return has('credential-id') ? `JTI=${String(claimsOf(token)['jti'])}` : null
}

export const SECRETS = /^\/api\/v1\/namespaces\/kubepass\/secrets$/
export const ONE_SECRET = /^\/api\/v1\/namespaces\/kubepass\/secrets\/kubepass-/
export const TOKEN = /\/serviceaccounts\/scanner\/token$/
export const WHOAMI = /\/selfsubjectreviews$/

/** A Kubernetes Status, as the API server words it. */
export function status(code: number, reason: string, message: string): { status: number; body: string } {
  return {
    status: code,
    body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }),
  }
}
