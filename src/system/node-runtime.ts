import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { print, STDERR } from './print.ts'

/** Node.js reads these before kubepass starts, and prints HTTP headers or writes files about the program. The scan inherits them. */
const UNSAFE_VARIABLES = ['NODE_DEBUG', 'NODE_DEBUG_NATIVE', 'NODE_V8_COVERAGE', 'NODE_COMPILE_CACHE']

/** The safe options of NODE_OPTIONS. Node.js accepts `_` in place of `-`, and a space in place of the `=` of its own options. */
const SAFE_OPTIONS = new RegExp(
  `^(?:${[
    // Memory.
    '--(?:max-old-space-size(?:-percentage)?|max-semi-space-size|max-heap-size|max-http-header-size|v8-pool-size)=\\d+',
    // The CAs that TLS trusts for other servers than the API server, such as the ID token service.
    '--use-(?:openssl|system|bundled)-ca',
    '--tls-min-v1\\.[23]',
    // Name resolution and the choice of the address.
    '--dns-result-order=\\w+',
    '--(?:enable-)?network-family-autoselection',
    '--network-family-autoselection-attempt-timeout=\\d+',
    // Warnings, and features that are switched off.
    '--(?:trace-)?(?:warnings|deprecation)',
    '--disable-(?:warning=\\w+|sigusr1)',
    '--no-[a-z0-9.-]+',
    // Options that jobs of Node.js projects often set for all their steps.
    '--(?:enable-source-maps|experimental-vm-modules|openssl-legacy-provider)',
  ].join('|')})$`,
)

export function requireSupportedNode(): void {
  if (process.platform !== 'linux') throw new KubepassError('INPUT', `kubepass runs on Linux, not on ${process.platform}.`)
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  // Since 24.5 the Agent of Node.js supports the proxy variables.
  if (major < 24 || (major === 24 && minor < 5)) {
    throw new KubepassError('INPUT', `Node.js 24.5 or later is needed; this is ${process.versions.node}.`)
  }
}

/** Executes the program again without the variables that make Node.js show what the program does. */
export function reexecWithoutNodeVariables(): void {
  const unsafe = UNSAFE_VARIABLES.filter((name) => process.env[name] !== undefined)
  if (unsafe.length > 0) reexecWithout(unsafe)
}

/** Main refuses unsafe NODE_OPTIONS, so that the user learns of them before the credential exists. */
export function rejectUnsafeNodeOptions(env: NodeJS.ProcessEnv): void {
  const [first, ...more] = unsafeNodeOptions(env)
  if (first === undefined) return
  throw new KubepassError('INPUT', `NODE_OPTIONS holds ${[first, ...more].map((option) => quote(option, 60)).join(', ')}.`, {
    hint: "Such an option can load code, or write secrets of kubepass to a file. Unset NODE_OPTIONS for this step (env: NODE_OPTIONS: ''), or remove these options from it: options for memory, CAs, DNS and warnings are fine.",
  })
}

/** Commands that revoke must work with any NODE_OPTIONS: they execute the program again without unsafe options. */
export function reexecWithoutNodeOptions(env: NodeJS.ProcessEnv): void {
  if (unsafeNodeOptions(env).length > 0) reexecWithout(['NODE_OPTIONS'])
}

/**
 * Returns the names of the options that are not known to be harmless, without their values, which may be secrets. The standalone
 * program ignores NODE_OPTIONS. Options on the command line are not checked, because the caller of the program chose them.
 */
function unsafeNodeOptions(env: NodeJS.ProcessEnv): string[] {
  const given = env['NODE_OPTIONS'] ?? ''
  if (given === '' || isStandalone()) return []
  const options = given.split(/ +(?=-)/).map((option) => option.replace(/^ +| +$/g, ''))
  return options
    .filter(
      (option) => option !== '' && !SAFE_OPTIONS.test(option.replace(/ +/, '=').replace(/^[^=]+/, (name) => name.replaceAll('_', '-'))),
    )
    .map((option) => option.split(/[\s="]/, 1)[0] ?? '')
}

/** Executes the program again without these variables. That happens once only, because the new process has none of them. */
function reexecWithout(names: readonly string[]): void {
  // An older Node.js has no execve; requireSupportedNode() refuses it later.
  if (typeof process.execve !== 'function') return
  print(STDERR, `kubepass: ignores ${names.join(', ')}, because Node.js would show or change what kubepass does.\n`)
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)))
  // In the standalone program argv has the program itself in place of the script; Node.js adds it again.
  const args = isStandalone() ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)]
  // Otherwise Node.js would write the coverage files at this point.
  process.getBuiltinModule('node:v8').stopCoverage()
  process.execve(process.execPath, [process.execPath, ...args], env)
}

/** The file of the program that runs. */
export interface OwnProgram {
  readonly path: string
  /** Whether the file is the standalone executable, and not a script for Node.js. */
  readonly isExecutable: boolean
}

export function ownProgram(): OwnProgram {
  if (isStandalone()) return { path: '/proc/self/exe', isExecutable: true }
  return { path: process.argv[1] ?? '', isExecutable: false }
}

function isStandalone(): boolean {
  return process.getBuiltinModule('node:sea').isSea()
}
