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
import { findLeftovers } from '../leftovers.ts'
import { buildAct, startAct, type Act } from '../runners/act.ts'
import { missingForGitlabCiLocal, Project } from '../runners/gitlab-ci-local.ts'

interface Clusters {
  /** An API server without a token cache: it rejects a token as soon as it is revoked. */
  quick: ClusterInfo
  /** Caches an accepted token for 10 s, as every API server does. */
  real: ClusterInfo
}

export const clusters = JSON.parse(process.env['KUBEPASS_TEST_CLUSTERS'] ?? '{}') as Clusters

export interface Fixture {
  info: ClusterInfo
  proxy: Proxy
  /** The right audience of a GitLab job's ID token. A cluster that trusts only one issuer accepts only one audience. */
  audience: string
  /** The inputs that every step needs. */
  inputs: Record<string, string>
  /** A new token of a ServiceAccount in kubepass-issuer. The test fails if the token leaks. */
  identityOf: (serviceAccount: string) => Promise<string>
  /** Allows the leftovers that match. All other leftovers fail the test. */
  allowLeftover: (complaint: RegExp) => void
}

export interface GithubFixture extends Fixture {
  job: GithubJob
  step: (inputs?: Record<string, string>, env?: Record<string, string>) => Step
}

export interface GitlabFixture extends Fixture {
  job: GitlabJob
  step: (inputs?: Record<string, string>, env?: Record<string, string>) => GitlabUse
}

/** The fixture of a scenario that runs on each CI. */
export interface CiFixture extends Fixture {
  ci: 'github' | 'gitlab'
  job: Job
  step: (inputs?: Record<string, string>, env?: Record<string, string>) => Use
}

export interface TerminalFixture extends Fixture {
  terminal: Terminal
  /** The flags that every run needs. */
  flags: string[]
}

export interface ActFixture extends Fixture {
  act: Act
}

export interface PipelineFixture extends Fixture {
  /** A project that contains the component. */
  project: Project
}

export interface GithubFixtureOptions extends JobOptions {
  cluster?: keyof Clusters
  needs?: Feature
  /** The port of the proxy: one of those that the cluster reserves. */
  port?: number | undefined
}

export interface GitlabFixtureOptions extends GitlabOptions {
  cluster?: keyof Clusters
  needs?: Feature
}

export interface CiFixtureOptions {
  cluster?: keyof Clusters
  needs?: Feature
  /** Whether the job gets ID tokens; default true. */
  idToken?: boolean
  github?: JobOptions
  gitlab?: GitlabOptions
}

/** Defines a test that is skipped, with the reason, if the chosen Kubernetes version lacks the feature. */
export function testWith(needs: Feature | undefined, name: string, scenario: () => Promise<void>): void {
  const lack = needs === undefined ? undefined : lackOf(needs)
  if (lack !== undefined) console.warn(`Skipped: ${name}: ${lack}`)
  const testHere = lack === undefined ? test : test.skip
  testHere(name, scenario)
}

/** A test with a GitHub job, which must leave no living token, no object, no file, no process and no readable secret. */
export function onGithub(
  name: string,
  scenario: (fixture: GithubFixture) => Promise<void>,
  fixtureOptions: GithubFixtureOptions = {},
): void {
  testWith(fixtureOptions.needs, name, () => runOnGithub(scenario, fixtureOptions))
}

/** Runs such a job inside a test that needs several. */
export async function runOnGithub(
  scenario: (fixture: GithubFixture) => Promise<void>,
  { cluster = 'quick', port, ...options }: GithubFixtureOptions = {},
): Promise<void> {
  const info = clusters[cluster]
  await using proxy = await startProxy(info, { port })
  await using job = await startJob(info, options)
  const { fixture, secrets, allowedLeftovers } = fixtureOf(info, proxy)
  await scenario({ ...fixture, job, step: (inputs = {}, env = {}) => job.step({ ...fixture.inputs, ...inputs }, env) })
  expect(unexpectedLeftovers(await findLeftovers({ info, proxy, host: job, secrets }), allowedLeftovers)).toEqual([])
}

/** Kills main while its scan runs. The scan must print `started`. */
export async function killWhileScanning(use: Use): Promise<void> {
  const phase = use.start('main')
  await phase.seen('started')
  phase.kill('SIGKILL')
  await phase.done
}

/** The end of a run whose main is gone, and with it the only copy of the token that a proof needs. */
export const LOST_WITH_MAIN =
  /Credential: revoked .*, not proven[^]* could not prove that the API server refuses (it|them): the token was only in the memory of main, which is gone\./

/** Waits for all runs, so that none outlives the test, then throws the error of the first that failed. */
export async function allDone(runs: Promise<void>[]): Promise<void> {
  for (const scenario of await Promise.allSettled(runs)) if (scenario.status === 'rejected') throw scenario.reason
}

/** A test with a GitLab job, under the same conditions. */
export function onGitlab(
  name: string,
  scenario: (fixture: GitlabFixture) => Promise<void>,
  fixtureOptions: GitlabFixtureOptions = {},
): void {
  testWith(fixtureOptions.needs, name, () => runOnGitlab(scenario, fixtureOptions))
}

export async function runOnGitlab(
  scenario: (fixture: GitlabFixture) => Promise<void>,
  { cluster = 'quick', ...options }: GitlabFixtureOptions = {},
): Promise<void> {
  const info = clusters[cluster]
  await using proxy = await startProxy(info)
  await using job = new GitlabJob(info, options)
  const { fixture, secrets, allowedLeftovers } = fixtureOf(info, proxy)
  // A component that belongs to the test has other inputs.
  const needed = options.component === undefined ? { ...fixture.inputs, audience: fixture.audience } : fixture.inputs
  await scenario({ ...fixture, job, step: (inputs = {}, env = {}) => job.step({ ...needed, ...named(inputs) }, env) })
  job.cleanUp()
  expect(unexpectedLeftovers(await findLeftovers({ info, proxy, host: job, secrets }), allowedLeftovers)).toEqual([])
}

/** On GitLab a token or a kubeconfig counts only if `identity` names it. A test of the missing input sets it to auto. */
function named(inputs: Record<string, string>): Record<string, string> {
  const isGiven = (id: string): boolean => (inputs[id] ?? '') !== ''
  const identity = isGiven('kubeconfig') ? 'kubeconfig' : isGiven('token') || isGiven('token_file') ? 'token' : undefined
  return identity === undefined ? inputs : { identity, ...inputs }
}

/** Two tests with the same scenario, one with a GitHub job and one with a GitLab job. */
export function onEachCi(
  name: string,
  scenario: (fixture: CiFixture) => Promise<void>,
  { github, gitlab, ...common }: CiFixtureOptions = {},
): void {
  onGithub(`on GitHub: ${name}`, (fixture) => scenario({ ...fixture, ci: 'github' }), { ...common, ...github })
  onGitlab(`on GitLab: ${name}`, (fixture) => scenario({ ...fixture, ci: 'gitlab' }), { ...common, ...gitlab })
}

/** A test with a terminal, under the same conditions. */
export function inTerminal(name: string, scenario: (fixture: TerminalFixture) => Promise<void>, standalone?: string): void {
  test(name, () => runInTerminal(scenario, standalone === undefined ? undefined : [standalone]))
}

export async function runInTerminal(
  scenario: (fixture: TerminalFixture) => Promise<void>,
  program?: [string, ...string[]],
  cluster: keyof Clusters = 'quick',
): Promise<void> {
  const info = clusters[cluster]
  await using proxy = await startProxy(info)
  await using terminal = new Terminal(info, program)
  const { fixture, secrets, allowedLeftovers } = fixtureOf(info, proxy)
  const flags = Object.entries(fixture.inputs).flatMap(([id, value]) => [`--${id.replaceAll('_', '-')}`, value])
  await scenario({ ...fixture, terminal, flags })
  expect(unexpectedLeftovers(await findLeftovers({ info, proxy, host: terminal, secrets }), allowedLeftovers)).toEqual([])
}

/** A test with a workflow that act runs, under the same conditions. */
export function underAct(name: string, scenario: (fixture: ActFixture) => Promise<void>): void {
  test(name, async () => {
    const info = clusters.quick
    await using proxy = await startProxy(info)
    await using act = await startAct(info, await buildAct())
    const { fixture, secrets, allowedLeftovers } = fixtureOf(info, proxy)
    await scenario({ ...fixture, act })
    expect(unexpectedLeftovers(await findLeftovers({ info, proxy, host: act, secrets }), allowedLeftovers)).toEqual([])
  })
}

/** A test with a pipeline that gitlab-ci-local runs, under the same conditions. */
export function underGitlabCiLocal(name: string, scenario: (fixture: PipelineFixture) => Promise<void>): void {
  const missing = missingForGitlabCiLocal()
  if (missing !== undefined) console.warn(`Skipped: ${name}: ${missing}.`)
  const testHere = missing === undefined ? test : test.skip
  testHere(name, async () => {
    const info = clusters.quick
    await using proxy = await startProxy(info)
    await using project = new Project(['gitlab', 'templates'])
    const { fixture, secrets, allowedLeftovers } = fixtureOf(info, proxy)
    await scenario({ ...fixture, project })
    expect(unexpectedLeftovers(await findLeftovers({ info, proxy, host: project, secrets }), allowedLeftovers)).toEqual([])
  })
}

/** The length of the beginning of a base64 PEM key (label and algorithm) that all keys share. */
const COMMON_TO_KEYS = 100

function fixtureOf(info: ClusterInfo, proxy: Proxy): { fixture: Fixture; secrets: string[]; allowedLeftovers: RegExp[] } {
  // The PEM text, and the base64 of a kubeconfig.
  const key = readFileSync(info.clientKey)
  const secrets = [key.toString(), key.toString('base64').slice(COMMON_TO_KEYS)]
  const allowedLeftovers: RegExp[] = []
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
  return {
    fixture: { info, proxy, audience, inputs, identityOf, allowLeftover: (complaint) => void allowedLeftovers.push(complaint) },
    secrets,
    allowedLeftovers,
  }
}

function unexpectedLeftovers(complaints: string[], allowedLeftovers: RegExp[]): string[] {
  return complaints.filter((complaint) => !allowedLeftovers.some((pattern) => pattern.test(complaint)))
}

/** The token's id in the form of the evidence. */
export function credentialIdOf(token: string): string | null {
  return has('credential-id') ? `JTI=${String(claimsOf(token)['jti'])}` : null
}

export const SECRETS = /^\/api\/v1\/namespaces\/kubepass\/secrets$/
export const ONE_SECRET = /^\/api\/v1\/namespaces\/kubepass\/secrets\/kubepass-/
export const TOKEN = /\/serviceaccounts\/scanner\/token$/
export const WHOAMI = /\/selfsubjectreviews$/
export const VERSION = /^\/version$/

/** A response with a Kubernetes Status, in the form of the API server's. */
export function status(code: number, reason: string, message: string): { status: number; body: string } {
  return {
    status: code,
    body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }),
  }
}
