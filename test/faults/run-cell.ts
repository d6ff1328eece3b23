import { expect } from '@jest/globals'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { errorCodes } from '../../src/base/errors.ts'
import type { Evidence } from '../../src/state/evidence.ts'
import type { Exchange, Proxy } from '../cluster/proxy.ts'
import type { GithubJob, Phase, Result, Step } from '../hosts/github.ts'
import type { IdTokenEndpoint } from '../hosts/id-token.ts'
import { partOf } from '../long-run.ts'
import { ONE_SECRET, runOnGithub, type GithubFixture } from '../scenario/scenario.ts'
import { calls, ID_TOKEN, isBefore, type Call, type CallName } from './calls.ts'
import { faults, type Fault, type Surroundings } from './faults.ts'

export type Often = 'once' | 'always'

export interface Cell {
  call: CallName
  fault: Fault
  often: Often
}

/** A short deadline for faults that end with it, a long one for faults that go away. */
const DEADLINES = { short: 6, long: 25 }
/** The token's life. A renewal starts at 70 % of it and must succeed in the rest; an unanswered attempt takes 10 s. */
const LIVES = { short: 6, long: 20, slow: 60 }
/** The time besides both deadlines: the last attempt to delete a bound Secret, the outputs, the proof, and a slow machine. */
const ALLOWANCE_S = 60

/** All cells that make sense, the slow ones first. A fault that kubepass does not retry is only tested as permanent. */
export function allCells(): Cell[] {
  return cellsOf((names) => names)
}

/** The cells of this test run: each fault with at least one call, and each call with a part of the faults. */
export function cellsToRun(): Cell[] {
  return cellsOf(partOf)
}

function cellsOf(choose: (names: CallName[], turn: number) => CallName[]): Cell[] {
  const cells = faults.flatMap((fault, turn) => {
    const names = (Object.keys(calls) as CallName[]).filter((name) => fault.at?.includes(name) ?? canMeet(name, fault))
    return choose(names, turn).flatMap((call) =>
      (canComeOnce(fault) ? (['once', 'always'] as const) : (['always'] as const)).map((often) => ({ call, fault, often })),
    )
  })
  return cells.toSorted((one, other) => patience(other) - patience(one))
}

/** The ID token service of the tests has only one port and one certificate. */
function canMeet(name: CallName, fault: Fault): boolean {
  return name !== 'idToken' || !('answering' in fault)
}

/** Each call that opens a new connection verifies the certificate. */
function canComeOnce(fault: Fault): boolean {
  return fault.retried === true || 'answering' in fault
}

function patience(cell: Cell): number {
  const { call, fault, often } = cell
  if (often === 'once') return calls[call].renewing ? lifeOf(cell) : isSlow(fault) ? 10 : 0
  return call === 'prove' ? 15 : fault.retried === true ? DEADLINES.short : 0
}

/** The tokens' life in runs with a renewal. A refused connection is reported after 3 s, and the fault ends then. */
function lifeOf({ fault, often }: Cell): number {
  const heals = isSlow(fault) || ('answering' in fault && fault.answering === 'nobody') ? 'slow' : 'long'
  return LIVES[often === 'always' ? 'short' : heals]
}

/**
 * Runs a job whose call meets the fault, once or for as long as the phase runs; then, if it failed, the post step
 * without the fault. Nothing may be left.
 * @returns the outcome, in the words of the table
 */
export async function runCell(cell: Cell, port: number | undefined): Promise<string> {
  let outcome = ''
  await runOnGithub(
    async (fixture) => {
      await using elsewhere = await listenInVain()
      outcome = await runWith(cell, fixture, elsewhere.url)
      expect(elsewhere.called()).toBe(false)
    },
    { port },
  )
  return outcome
}

async function runWith(cell: Cell, fixture: GithubFixture, elsewhere: string): Promise<string> {
  const { job, proxy, step } = fixture
  const call = calls[cell.call]
  const evidence = join(job.workspace, 'evidence.json')
  const command = call.renewing ? `until [ -f ${goFile(job)} ]; do sleep 0.1; done; echo scanned` : 'echo scanned'
  const use = step({ deadline: `${String(deadlineOf(cell))}s`, evidence, ...(call.inputs ?? { command }) })
  if (call.renewing) proxy.shortTokens(lifeOf(cell))
  if (call.phase === 'post') expect((await use.main()).code).toBe(0)

  const result = await runPhase(cell, fixture, use, elsewhere)
  const record = JSON.parse(readFileSync(evidence, 'utf8')) as Evidence
  expectConsistent(result, record)
  const scanHasStarted = call.renewing === true || cell.call === 'revoke' || cell.call === 'prove'
  if (call.phase === 'main') expect(result.log.includes('\nscanned\n')).toBe(scanHasStarted || result.code === 0)
  if (result.code === 0) return outcomeOf(call, result, record)
  return `${String(record.error)} ${String(result.code)}${await recoveryOf(call, use, proxy)}`
}

function deadlineOf({ fault, often }: Cell): number {
  return often === 'always' && fault.retried === true ? DEADLINES.short : DEADLINES.long
}

/** The scan of a run with a renewal waits for this file. */
function goFile({ workspace }: GithubJob): string {
  return join(workspace, 'go')
}

/** Runs the phase whose call meets the fault. */
async function runPhase(cell: Cell, { info, job, proxy }: GithubFixture, use: Step, elsewhere: string): Promise<Result> {
  const call = calls[cell.call]
  const disturbed = await disturb(cell, { info, proxy, elsewhere }, job.idTokens)
  const phase = use.start(call.phase)
  const healing = disturbed.during(phase)
  const began = Date.now()
  if (call.renewing) {
    await phase.seen(/Renewed the credential|has expired/)
    writeFileSync(goFile(job), '')
  }
  const result = await phase.done
  expect(Date.now() - began).toBeLessThan((2 * deadlineOf(cell) + ALLOWANCE_S) * 1000)
  await healing
  await disturbed.stop()
  expectTries(cell, disturbed.met())
  return result
}

/** A fault that did not occur proves nothing. kubepass must not retry after a permanent fault. */
function expectTries({ call: name, fault, often }: Cell, tries: number): void {
  const call = calls[name]
  if (call.status === 401 || call.renewing) expect(tries).toBeGreaterThan(0)
  else if (often === 'once' || fault.retried !== true || 'answering' in fault) expect(tries).toBe(1)
  else expect(tries).toBeGreaterThan(isSlow(fault) ? 0 : 1)
}

/** Runs the post step without the fault. Returns its part of the outcome. */
async function recoveryOf({ phase }: Call, use: Step, proxy: Proxy): Promise<string> {
  const before = deleted(proxy)
  const post = await use.post()
  expect(post.code).toBe(0)
  if (deleted(proxy) === before) return ''
  if (phase === 'post') return ', again: revoked'
  return proxy.tokens.length > 0 ? ', post revokes' : ', post deletes'
}

function outcomeOf({ renewing }: Call, { log, messages }: Result, { proven }: Evidence): string {
  const missing = [...(log.includes('has expired') ? ['not renewed'] : []), ...(proven === null ? ['not proven'] : [])]
  if (missing.length > 0) return missing.join(', ')
  // A renewal needs a first token with a short life.
  return messages.length > (renewing ? 1 : 0) ? 'warned' : 'healed'
}

/** Whether one attempt takes the maximum time of an attempt. */
function isSlow({ title }: Fault): boolean {
  return /^no answer|byte by byte/.test(title)
}

function deleted(proxy: Proxy): number {
  return proxy.seen('DELETE', ONE_SECRET).filter(({ status }) => status === 200).length
}

/** Checks that exit code, evidence and message agree, and that each error has a hint. */
function expectConsistent({ code, annotations }: Result, { error, revoked }: Evidence): void {
  expect(code).toBe(error === null ? 0 : errorCodes[error].exit)
  const errors = annotations.filter(({ level }) => level === 'error').map(({ message }) => message)
  expect(errors.length > 0).toBe(error !== null)
  for (const message of errors) {
    const hint = message
      .split('\n')
      .slice(1)
      .filter((line) => !line.startsWith('Caused by: '))
    expect([message, hint.join('').length > 20]).toEqual([message, true])
  }
  if (error === 'NOT_REVOKED') {
    expect(errors.at(-1)).toMatch(/dead by 20\d\d-\d\d-\d\dT[\d:]+Z at the latest/)
    expect(revoked).toBeNull()
  }
}

interface Disturbed {
  /** How often the fault was met. */
  met: () => number
  /** Ends a fault that must occur only once, as soon as it has occurred. */
  during: (phase: Phase) => Promise<void>
  stop: () => Promise<void>
}

async function disturb({ call: name, fault, often }: Cell, around: Surroundings, idTokens: IdTokenEndpoint): Promise<Disturbed> {
  const { proxy } = around
  const call = calls[name]
  let met = 0
  if (name === 'idToken' && 'answer' in fault) {
    idTokens.instead = (answer) => {
      if (often === 'once' && met > 0) return undefined
      met += 1
      const { status, body = '' } = fault.takesEffect === true ? answer() : { status: undefined }
      return fault.answer(idTokenExchange(status, body), around)
    }
    return { met: () => met, during: () => Promise.resolve(), stop: () => Promise.resolve(void (idTokens.instead = () => undefined)) }
  }
  if ('answer' in fault) {
    const stop = proxy.on({ when: fault.takesEffect === true ? 'after' : 'before' }, (exchange) => {
      if ((often === 'once' && met > 0) || !call.is(exchange, proxy)) return undefined
      met += 1
      return fault.answer(exchange, around)
    })
    return { met: () => met, during: () => Promise.resolve(), stop: () => Promise.resolve(stop()) }
  }

  // The connection ends after the answer to the call before, so that this call needs a new one.
  const { before } = call
  let heal = Promise.resolve()
  const changeListener = async (): Promise<void> => {
    met += 1
    await proxy.answering(fault.answering)
    if (often === 'once' && fault.answering === 'impostor') heal = proxy.called().then(() => proxy.answering('itself'))
  }
  if (before === undefined) await changeListener()
  else {
    proxy.on({ when: 'after' }, async (exchange) => {
      if (met > 0 || !isBefore(before, exchange, proxy)) return undefined
      await changeListener()
      return { status: exchange.status ?? 0, headers: { connection: 'close' }, body: exchange.responseBody }
    })
  }
  return {
    met: () => met,
    async during(phase) {
      if (often === 'always') return
      // Only the program's own log shows a refused connection.
      if (fault.answering === 'nobody') heal = phase.seen('(ECONNREFUSED); trying again').then(() => proxy.answering('itself'))
      await phase.done
      await heal
    },
    stop: () => proxy.answering('itself'),
  }
}

function idTokenExchange(status: number | undefined, responseBody: string): Exchange {
  const unused = { userAgent: '', bearer: '', certificate: '', requestBody: '', connection: 0 }
  return { at: new Date(), method: 'GET', path: ID_TOKEN, ...unused, status, responseBody }
}

/** A server that must get no request. */
async function listenInVain(): Promise<{ url: string; called: () => boolean } & AsyncDisposable> {
  let called = false
  const server = createServer((socket) => {
    called = true
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    called: () => called,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
