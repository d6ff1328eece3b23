import { statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { quote } from '../base/quote.ts'

/** The kubeconfigs with which the scan would act as the caller, and not as the ServiceAccount. */
export interface OwnKubeconfigs {
  /** The paths as the environment and the inputs write them. */
  readonly paths: readonly string[]
  readonly home: string
  /** Whether a path leads to one of these files, also by another name, a link or a file descriptor. */
  readonly include: (path: string) => boolean
}

/** The members of KUBECONFIG, kubectl's default file, and the file that the input `kubeconfig` names. */
export function ownKubeconfigs(env: NodeJS.ProcessEnv, input: string | undefined): OwnKubeconfigs {
  const home = env['HOME'] ?? ''
  const members = (env['KUBECONFIG'] ?? '').split(delimiter)
  const paths = [...members, join(home, '.kube', 'config'), input ?? ''].filter((path) => path !== '')
  const known = new Set(paths.map(fileId).filter((id) => id !== undefined))
  const include = (path: string): boolean => {
    const id = fileId(path)
    return id !== undefined && known.has(id)
  }
  return { paths: paths.filter(include), home, include }
}

/** An id that all names of a file share. Devices have no id, because a caller without a cluster sets KUBECONFIG=/dev/null. */
function fileId(path: string): string | undefined {
  try {
    const about = statSync(path, { bigint: true })
    return about.isFile() ? `${about.dev}:${about.ino}` : undefined
  } catch {
    return undefined
  }
}

/**
 * Why a command must not run; undefined if it may. The caller's shell has already expanded $KUBECONFIG to the caller's file, or to
 * an empty text.
 * @param words the words of a command line, or one shell script
 */
export function problemOfKubeconfig(words: readonly string[], own: OwnKubeconfigs): string | undefined {
  const file = ownFileIn(words, own)
  if (file !== undefined) return `names ${quote(file)}, a kubeconfig of the caller: the scan would not be the ServiceAccount`
  const descriptor = descriptorIn(words)
  if (descriptor !== undefined)
    return `names ${quote(descriptor)}, which the caller's shell has opened: the scan would not be the ServiceAccount`
  const flag = emptyFlagIn(words)
  return flag === undefined ? undefined : `gives no value to ${quote(flag)}: the client would look for a kubeconfig of the caller`
}

function ownFileIn(words: readonly string[], own: OwnKubeconfigs): string | undefined {
  let previous = ''
  for (const word of words) {
    const text = word.replaceAll(/["'\\]/g, '')
    // Checked first, because the split below would cut a path with such characters.
    const spelled = [word, word.slice(word.indexOf('=') + 1)].find((path) => /[\s=:,]/.test(path) && own.include(path))
    const found = spelled ?? own.paths.find((path) => /[\s=:,]/.test(path) && text.includes(path))
    if (found !== undefined) return found
    for (const part of text.split(/[\s;|&()<>`]+/)) {
      const pieces = part.split(/[=:,@]/).map((piece) => expandHome(piece, own.home))
      const path = pieces.find((piece, index) => !(index === 0 && isSubcommand(piece, previous)) && own.include(piece))
      if (path !== undefined) return path
      previous = part
    }
  }
  return undefined
}

/** Whether a word is a subcommand, as in `kubectl config view`, although the working directory has a file with that name. */
function isSubcommand(word: string, previous: string): boolean {
  return !word.includes('/') && !/^-[^=]*(config|file)[^=]*$/i.test(previous)
}

/** The file descriptor to which the caller's shell has expanded `--kubeconfig <(...)`. */
function descriptorIn(words: readonly string[]): string | undefined {
  const values = words.flatMap((word, index) =>
    FLAG.test(word) ? [words[index + 1] ?? ''] : FLAG.test(word.split('=')[0] ?? '') ? [word.slice(word.indexOf('=') + 1)] : [],
  )
  return values.find((value) => /^\/(dev\/fd|proc\/[^/]+\/fd)\/\d+$/.test(value))
}

function expandHome(path: string, home: string): string {
  return path.replace(/^(~|\$HOME|\$\{HOME\})(?=\/)/, () => home)
}

const FLAG = /^--?kube-?config[\w-]*$/i
/** Flags that take a path. FLAG also matches flags without a value, such as `k3d --kubeconfig-switch-context`. */
const FLAG_OF_PATH = /^--?kube-?config(-?(file|path))?$/i
const EMPTY = /^(--?kube-?config[\w-]*|KUBE_?CONFIG\w*)=$/i
const EMPTY_IN_SCRIPT = /(?:^|\s)(--?kube-?config[\w-]*)(?:=(?:""|'')?|\s+(?:""|''))(?=[\s;|&)]|$)/i

function emptyFlagIn(words: readonly string[]): string | undefined {
  for (const [index, word] of words.entries()) {
    if (FLAG.test(word) && words[index + 1] === '') return word
    if (FLAG_OF_PATH.test(word) && words[index + 1] === undefined) return word
    const match = EMPTY.exec(word) ?? (/\s/.test(word) ? EMPTY_IN_SCRIPT.exec(word) : null)
    if (match !== null) return match[1]
  }
  return undefined
}
