import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { print, STDERR } from './print.ts'

/** Read by Node.js before we are: they print headers, or write files of what runs, and hand that on to the scan. */
const UNSAFE_VARIABLES = ['NODE_DEBUG', 'NODE_DEBUG_NATIVE', 'NODE_V8_COVERAGE', 'NODE_COMPILE_CACHE']

/** What may stand in NODE_OPTIONS; Node.js takes `_` for `-`, and a space for the `=` of its own options. */
const SAFE_OPTIONS = new RegExp(
  `^(?:${[
    // Memory.
    '--(?:max-old-space-size(?:-percentage)?|max-semi-space-size|max-heap-size|max-http-header-size|v8-pool-size)=\\d+',
    // Whom TLS trusts beside the CA of the inputs: the ID token service of the host needs it.
    '--use-(?:openssl|system|bundled)-ca',
    '--tls-min-v1\\.[23]',
    // How a name is looked up and connected to.
    '--dns-result-order=\\w+',
    '--(?:enable-)?network-family-autoselection',
    '--network-family-autoselection-attempt-timeout=\\d+',
    // What is warned of, and left out.
    '--(?:trace-)?(?:warnings|deprecation)',
    '--disable-(?:warning=\\w+|sigusr1)',
    '--no-[a-z0-9.-]+',
    // What jobs of Node.js projects often set for all of their steps.
    '--(?:enable-source-maps|experimental-vm-modules|openssl-legacy-provider)',
  ].join('|')})$`,
)

export function requireSupportedNode(): void {
  if (process.platform !== 'linux') throw new KubepassError('INPUT', `kubepass runs on Linux, not on ${process.platform}.`)
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  // From 24.5 on, an Agent knows the proxy variables.
  if (major < 24 || (major === 24 && minor < 5)) {
    throw new KubepassError('INPUT', `Node.js 24.5 or later is needed; this is ${process.versions.node}.`)
  }
}

/** Begins the program anew without the variables that make Node.js itself tell of what it does. */
export function reexecWithoutNodeVariables(): void {
  const there = UNSAFE_VARIABLES.filter((name) => process.env[name] !== undefined)
  if (there.length > 0) reexecWithout(there)
}

/** For who has yet to begin: somebody is to know that these options cannot be there. */
export function rejectUnsafeNodeOptions(env: NodeJS.ProcessEnv): void {
  const [first, ...more] = unsafeNodeOptions(env)
  if (first === undefined) return
  throw new KubepassError('INPUT', `NODE_OPTIONS holds ${[first, ...more].map((option) => quote(option, 60)).join(', ')}.`, {
    hint: "Such an option can load code or write what kubepass holds to a file. Unset it for this step (env: NODE_OPTIONS: ''), or leave the rest of it: options for memory, CAs, DNS and warnings are fine.",
  })
}

/** For who has to finish, whatever the surroundings: begins the program anew without them. */
export function reexecWithoutNodeOptions(env: NodeJS.ProcessEnv): void {
  if (unsafeNodeOptions(env).length > 0) reexecWithout(['NODE_OPTIONS'])
}

/**
 * The names of those that are not known to be harmless; a value may be anything. The standalone program obeys none. What
 * stands before the program's name is not looked at: who calls it so has it in hand.
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

/** The variable that asked for it is gone then, so that it happens once. */
function reexecWithout(names: readonly string[]): void {
  // An older Node.js cannot, and is refused.
  if (typeof process.execve !== 'function') return
  print(STDERR, `kubepass: put aside, as Node.js would show or change by it what kubepass does: ${names.join(', ')}.\n`)
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)))
  // The standalone program is its own script, which stands in argv all the same.
  const args = isStandalone() ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)]
  // Else it would be written now.
  process.getBuiltinModule('node:v8').stopCoverage()
  process.execve(process.execPath, [process.execPath, ...args], env)
}

function isStandalone(): boolean {
  return process.getBuiltinModule('node:sea').isSea()
}
