import children from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'
import type { Plan } from './kill-points.ts'

/*
 * Loaded by `node --import` before the program. It finds each boundary: before and after every call that
 * changes a file or starts a process, before a request, and when its answer has come. It records the names of the
 * boundaries and kills the process at the one in the plan. A contract test checks that the program changes files only by
 * synchronous calls.
 */

type Module = Record<string, unknown>
type Call = (...args: unknown[]) => unknown

/** The functions that change nothing. All others count as a change, so that no change is missed. */
const ONLY_READS = /^_|^[A-Z]|^(read|stat|lstat|fstat|exists|access|realpath|opendir|glob|watch|unwatch|close)/

const { existsSync, openSync, readFileSync, writeSync } = fs
const planFile = process.env['KILL_POINTS'] ?? ''
if (existsSync(planFile)) install(JSON.parse(readFileSync(planFile, 'utf8')) as Plan)

function install({ log, killAt }: Plan): void {
  const kill = process.kill.bind(process)
  const list = openSync(log, 'wx')
  const names = new Map<unknown, string>()
  let count = 0
  // Calls that Node.js makes inside a call are part of that call.
  let inside = false
  // In the same turn of the event loop, a call begins where the last one ended.
  let sameTurn = false

  function boundary(name: string): void {
    count += 1
    writeSync(list, `${nameless(name)}\n`)
    if (count === killAt) kill(process.pid, 'SIGKILL')
  }

  function before(what: string): void {
    if (!sameTurn) boundary(`before ${what}`)
  }

  function after(what: string): void {
    boundary(`after ${what}`)
    sameTurn = true
    queueMicrotask(() => (sameTurn = false))
  }

  function around(module: Module, name: string, describe: (args: unknown[]) => string | undefined): void {
    const original = module[name] as Call
    module[name] = (...args: unknown[]): unknown => {
      const what = inside ? undefined : describe(args)
      if (what === undefined) return Reflect.apply(original, module, args)
      before(what)
      const result = within(() => Reflect.apply(original, module, args))
      if (name === 'openSync') names.set(result, fileOf(args[0]))
      after(what)
      return result
    }
  }

  function within<T>(call: () => T): T {
    inside = true
    try {
      return call()
    } finally {
      inside = false
    }
  }

  function fileOf(path: unknown): string {
    return names.get(path) ?? basename(String(path))
  }

  function changing(module: Module, name: string): void {
    around(module, name, ([file, flags]) => {
      // Printed output cannot be left behind, so it is no boundary.
      const changesNothing = file === 1 || file === 2 || (name.startsWith('open') && onlyReads(flags))
      return changesNothing ? undefined : `${name} ${fileOf(file)}`
    })
  }

  function asking(module: Module, name: string): void {
    const original = module[name] as (...args: unknown[]) => http.ClientRequest
    module[name] = (...args: unknown[]): http.ClientRequest => {
      const what = requestOf(args)
      before(what)
      const outgoing = Reflect.apply(original, module, args)
      // Runs before the program's listener, which is already registered.
      outgoing.prependOnceListener('response', (answer: http.IncomingMessage) => answer.once('end', () => boundary(`after ${what}`)))
      return outgoing
    }
  }

  for (const name of functionsOf(fs)) if (name.endsWith('Sync')) changing(fs, name)
  for (const name of functionsOf(children)) around(children, name, (args) => `${name} ${basename(String(args[0]))}`)
  for (const module of [http, https]) for (const name of ['request', 'get']) asking(module, name)
  syncBuiltinESMExports()
}

function functionsOf(module: object): string[] {
  return Object.entries(module)
    .filter(([name, value]) => typeof value === 'function' && !ONLY_READS.test(name))
    .map(([name]) => name)
}

function onlyReads(flags: unknown): boolean {
  const { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC } = fs.constants
  return typeof flags === 'number' ? (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) === 0 : flags === undefined || flags === 'r'
}

function requestOf([where, options]: unknown[]): string {
  const { method = 'GET' } = (options ?? {}) as { method?: string }
  return `${method} ${where instanceof URL ? where.pathname : String(where)}`
}

/** Replaces the texts that differ from run to run. */
function nameless(text: string): string {
  return text
    .replaceAll(/\.[0-9a-f]{12}\b/g, '.NEXT')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/\b[0-9a-f]{16}\b/g, 'KEY')
    .replaceAll(/\d{6,}/g, 'N')
}
