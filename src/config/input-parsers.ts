import type { Seal, SealedString } from '../redact/sealed-string.ts'
import { parseAllow } from './allow-input.ts'
import { parseCertificateAuthority } from './certificates.ts'
import { SYSTEM } from './cluster-source.ts'
import type { GivenInputs, InputValues } from './given-inputs.ts'
import { type Choice, type InputId, inputs } from './inputs.ts'
import { InvalidValue } from './invalid-value.ts'
import { parseKubeconfigInput } from './kubeconfig-input.ts'
import {
  parseAudience,
  parseChoice,
  parseContextName,
  parseDeadline,
  parseDuration,
  parseExitCodes,
  parseGrace,
  parseLife,
  parseMaxScan,
  parseNamespace,
  parseProxy,
  parseSamples,
  parseServer,
  parseServerName,
  parseServiceAccount,
  parseTokenVariable,
  parseVariableNames,
  splitList,
} from './parsers.ts'
import { isNoPath } from './path-or-content.ts'
import { parseDirectory, parseEvidencePath, parseReportPath } from './paths.ts'
import { textOfPath } from './read-pipes.ts'
import { sealToken } from './seal-credentials.ts'
import type { InputSource } from './source.ts'
import { systemRoots } from './system-roots.ts'

/** How the text of one input becomes its value. */
export interface InputParser<T> {
  /** @throws InvalidValue */
  readonly parse: (text: string, given: GivenInputs, seal: Seal) => T
  /** The value if there is no text, or if the text is wrong. In the second case it only lets the other checks go on. */
  readonly fallback: T
  /** The default if it depends on the job; otherwise the table of inputs has it. */
  readonly defaultText?: (source: InputSource) => string
  /** Whether the run needs the input; otherwise it is not read, so that its secret is not sealed and its faults do not matter. */
  readonly isNeeded?: (given: GivenInputs) => boolean
}

/** The parser of each input. */
export const inputParsers: { readonly [Id in InputId]: InputParser<InputValues[Id]> } = {
  server: { parse: parseServer, fallback: '' },
  certificate_authority: {
    parse: (text, { source }) =>
      text === SYSTEM ? systemRoots() : parseCertificateAuthority(text, (path) => textOfPath(path, source.pipeTexts)),
    fallback: '',
  },
  service_account: { parse: parseServiceAccount, fallback: { namespace: '', name: '' } },
  namespace: { parse: parseNamespace, fallback: undefined },
  context_name: { parse: parseContextName, fallback: undefined },
  command: { parse: asText, fallback: '' },
  shell: choice('shell'),
  accept_exit_codes: withDefault('accept_exit_codes', parseExitCodes),
  env: choice('env'),
  pass_env: { parse: parseVariableNames, fallback: [] },
  isolate: choice('isolate'),
  identity: choice('identity'),
  token: { parse: (text, _, seal) => sealToken(text, seal), fallback: undefined },
  token_file: {
    parse: (path, { source }, seal) => readToken(path, source, seal),
    fallback: undefined,
    isNeeded: (given) => given.value('token') === undefined,
  },
  kubeconfig: { parse: parseKubeconfigInput, fallback: undefined },
  context: { parse: asText, fallback: undefined },
  allow_exec: yesOrNo('allow_exec'),
  allow_own_kubeconfig: yesOrNo('allow_own_kubeconfig'),
  allow: {
    parse: (text, { source }) => parseAllow(text, source.pipeTexts?.get(text)),
    fallback: 'granted',
    // At the end of a run the file may no longer exist.
    isNeeded: ({ purpose }) => purpose === 'start',
  },
  audience: { parse: parseAudience, fallback: undefined },
  duration: {
    parse: (text, given) => parseLife(text, given.value('max_duration'), given.nameOf('max_duration')),
    fallback: parseDuration(inputs.duration.default),
  },
  // A wrong limit refuses no duration, so that one mistake gives one problem.
  max_duration: { parse: parseDuration, fallback: Infinity },
  rotate_grace: { parse: parseGrace, fallback: undefined },
  max_scan: withDefault('max_scan', parseMaxScan),
  token_audiences: { parse: splitList, fallback: [] },
  revocation: choice('revocation'),
  prove: choice('prove'),
  proof_samples: withDefault('proof_samples', parseSamples),
  delivery: choice('delivery'),
  token_variable: withDefault('token_variable', parseTokenVariable),
  directory: {
    parse: (path, { source }) => parseDirectory(path, source.workspace),
    fallback: '',
    defaultText: (source) => source.temp,
    // At the end of a run the folder may no longer exist.
    isNeeded: ({ purpose }) => purpose === 'start',
  },
  proxy_url: { parse: parseProxy, fallback: undefined },
  tls_server_name: { parse: parseServerName, fallback: undefined },
  deadline: withDefault('deadline', parseDeadline),
  evidence: { parse: (path, { source, purpose }) => parseEvidencePath(path, source, purpose), fallback: undefined },
  requests: { parse: (path, { source, purpose }) => parseReportPath(path, source, purpose), fallback: undefined },
  report: choice('report'),
  github_token: {
    parse: (text, _, seal) => sealToken(text, seal),
    fallback: undefined,
    // Read only then, so that the redactor need not search for it otherwise.
    isNeeded: (given) => given.value('report') === 'check',
  },
  allow_debug_trace: yesOrNo('allow_debug_trace'),
}

function asText(text: string): string {
  return text
}

/** The parser of an input whose default is a valid text. */
function withDefault<T>(id: InputId, parse: (text: string) => T): InputParser<T> {
  return { parse, fallback: parse(inputs[id].default) }
}

function choice<Id extends InputId>(id: Id): InputParser<Choice<Id>> {
  const { options = [], default: usual } = inputs[id]
  // The types of the table of inputs are wider than the table, but its options are the words of Choice, and its default is one of them.
  return { parse: (text) => parseChoice(text, options) as Choice<Id>, fallback: usual as Choice<Id> }
}

function yesOrNo(id: InputId): InputParser<boolean> {
  const { options = [], default: usual } = inputs[id]
  return { parse: (text) => parseChoice(text, options) === 'true', fallback: usual === 'true' }
}

/** Reads and seals the token in a file. A token in place of the path is sealed as well, before a message is made. */
function readToken(path: string, source: InputSource, seal: Seal): SealedString {
  if (isNoPath(path)) {
    if (path.length >= 16) seal(path)
    throw new InvalidValue('looks like a token, not like the path of one: give a token as token')
  }
  return sealToken(textOfPath(path, source.pipeTexts), seal)
}
