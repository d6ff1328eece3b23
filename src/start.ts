import { checkCredential, isoTime, OVERRUN_S, type Credential } from './credential.ts'
import { failWith, grantedBy } from './evidence.ts'
import { codeOf, describe, KubepassError } from './errors.ts'
import { finish } from './finish.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { createAnchor, marksOf, requestToken } from './kube/issue.ts'
import { whoami } from './kube/verify.ts'
import { parseOptions } from './options.ts'
import { quote } from './quote.ts'
import { markerOf, newReceipt } from './receipt.ts'
import { Scan, scanEnvironment } from './scan.ts'
import type { Seal } from './secret.ts'
import { openSession, record, report, warn, type Context, type Session } from './session.ts'

/**
 * The whole story: a credential is issued, verified, handed to one command, taken back and proven dead.
 * Without a command it is left for the later steps, and the post step takes it back.
 * @returns the exit code
 */
export async function start(context: Context): Promise<number> {
  const options = parseOptions(context.platform, context.seal)
  const session = openSession(context, options, newReceipt(options, context.platform.run))
  const beforeScan = AbortSignal.any([context.signal, AbortSignal.timeout(options.deadline)])
  let exitCode = 0
  let failure: unknown
  try {
    record(session, {})
    const credential = await issue(session, beforeScan)
    await verify(session, credential, beforeScan)
    const kubeconfig = writeKubeconfig(session.receipt.directory, options, credential.token)
    if (options.command === undefined) await leaveToLaterSteps(session, credential, kubeconfig)
    else exitCode = await runScan(session, options.command, credential, kubeconfig)
  } catch (error) {
    failure = error
    failWith(session.evidence, error)
  }
  if (options.command !== undefined || failure !== undefined) {
    const notRevoked = await finish(session, context.platform.hasPost)
    if (notRevoked !== undefined && failure !== undefined) await context.platform.fail(describe(failure))
    failure = notRevoked ?? failure ?? context.signal.reason
  }
  await report(session)
  if (failure !== undefined) throw failure as Error
  return exitCode
}

/** Anchor, then the token bound to it. The receipt is saved before each can exist. */
async function issue(session: Session, limit: AbortSignal): Promise<Credential> {
  const { options, client, platform, receipt, evidence } = session
  platform.progress('asking for a token')
  const bearer = await session.identity.bearer(limit)
  const where = { namespace: receipt.namespace, name: receipt.anchor?.name ?? '' }
  const acceptable = options.revocation === 'best-effort'
  const marks = marksOf(platform.run, receipt.deadBy)
  const anchor = await mayExist(session, 'anchor', () => createAnchor(client, bearer, where, marks, acceptable, limit))
  record(session, { anchor })

  const asked = { ...options.serviceAccount, duration: options.duration, audiences: options.tokenAudiences, anchor }
  const keep: Seal = (value) => (session.token = session.seal(value))
  if (anchor === undefined) session.exists = 'nothing'
  const { credential, expected, warnings } = await mayExist(session, 'token', () => requestToken(client, bearer, asked, keep, limit))
  const { jti, expiresAt } = credential
  evidence.granted = grantedBy(credential, anchor?.name)
  evidence.dead_by = isoTime(expiresAt + OVERRUN_S)
  record(session, { deadBy: evidence.dead_by, granted: evidence.granted, ...(jti === undefined ? {} : { jti }) })
  const doubts = checkCredential(credential, expected)
  for (const text of warnings) doubts.push(`The API server warns: ${quote(text)}`)
  if (anchor === undefined) doubts.push(`The credential is bound to nothing and cannot be revoked. It expires ${isoTime(expiresAt)}.`)
  for (const doubt of doubts) await warn(session, doubt)
  platform.say(`Issued a credential for ${quote(evidence.asked.service_account)} until ${isoTime(expiresAt)}.`)
  return credential
}

/** What is asked for may exist as soon as it is asked for, unless the API server says no. */
async function mayExist<T>(session: Session, what: Session['exists'], ask: () => Promise<T>): Promise<T> {
  const before = session.exists
  session.exists = what
  try {
    return await ask()
  } catch (error) {
    if (codeOf(error) === 'REFUSED') session.exists = before
    throw error
  }
}

/** The server takes the token for the ServiceAccount that was asked for. */
async function verify(session: Session, { token }: Credential, limit: AbortSignal): Promise<void> {
  const { client, options, evidence } = session
  const standing = await whoami(client, token, limit)
  const expected = `system:serviceaccount:${options.serviceAccount.namespace}:${options.serviceAccount.name}`
  if (standing.is === 'accepted' && (standing.username ?? expected) === expected) {
    evidence.verified = { username: standing.username ?? null, at: new Date().toISOString() }
    record(session, { verified: evidence.verified })
    if (standing.username === undefined) await warn(session, 'The API server accepts the token, but does not let it ask who it is.')
    return
  }
  if (standing.is === 'refused' && options.tokenAudiences.length > 0) {
    await warn(session, 'The API server is not among token_audiences: what needs the API server, also the proof of the end, is skipped.')
    return
  }
  const taken =
    standing.is === 'accepted'
      ? `takes it for ${quote(standing.username ?? '')}`
      : standing.is === 'refused'
        ? 'refuses it'
        : `answers ${standing.status}`
  throw new KubepassError('RIGHTS', `The API server issued a token, but ${taken}.`, {
    hint: 'Is there a gateway in between that changes requests?',
  })
}

async function runScan(
  session: Session,
  command: readonly [string, ...string[]],
  { token }: Credential,
  kubeconfig: string,
): Promise<number> {
  const { options, platform, redactor, evidence, signal } = session
  signal.throwIfAborted()
  const env = scanEnvironment(platform.env, options, (value) => redactor.redact(value) !== value)
  const delivered = options.delivery === 'env' ? { [options.tokenVariable]: token.reveal() } : {}
  const outputs = platform.scanOutputs()
  record(session, { scanning: true })
  const startedAt = new Date().toISOString()
  session.scan = Scan.start(
    command,
    { ...env, KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig, ...delivered },
    markerOf(session.receipt),
    {
      ...outputs,
      stdin: platform.readStdin === undefined || options.stdinTaken ? 'ignore' : 'inherit',
      filters: () => [redactor.stream(), ...outputs.filters()],
    },
  )
  const { exitCode, signal: by } = await session.scan.ended(signal)
  evidence.used = { started_at: startedAt, ended_at: new Date().toISOString(), exit_code: exitCode, signal: by }
  signal.throwIfAborted()
  return platform.isCI && options.acceptExitCodes.includes(exitCode) ? 0 : exitCode
}

async function leaveToLaterSteps(session: Session, credential: Credential, kubeconfig: string): Promise<void> {
  const { platform, options, evidence } = session
  await platform.exportVariable('KUBECONFIG', kubeconfig)
  await platform.exportVariable('KUBE_CONFIG_PATH', kubeconfig)
  await platform.setOutput('kubeconfig', kubeconfig)
  await platform.setOutput('expires_at', isoTime(credential.expiresAt))
  await platform.setOutput('credential_id', evidence.granted?.credential_id ?? '')
  if (options.delivery === 'env') await platform.exportVariable(options.tokenVariable, credential.token)
  if (options.delivery === 'output') await platform.setOutput('token', credential.token)
  platform.say('The later steps of this job have the credential; the post step revokes it. It is not renewed.')
}
