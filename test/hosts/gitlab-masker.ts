// The prefixes of GitLab's own tokens. The runner masks such tokens even if no variable of the job has them.
const PREFIXES = [
  ...['glpat-', 'gloas-', 'gldt-', 'glrt-', 'glcbt-', 'glrtr-', 'glptt-', 'glft-', 'glimt-', 'glagent-', 'glsoat-', 'glffct-'],
  ...['_gitlab_session=', 'gltok-'],
]
const OF_A_TOKEN = '[A-Za-z0-9._=-]'
const MASK = '[MASKED]'

/**
 * Masks one stream like the runner: the exact values that the runner knows before the job, and the characters after a token's
 * prefix. A match may begin in one write and end in another. The masker knows no encoded form of a value.
 */
export class GitlabMasker {
  readonly #known: RegExp
  /** The beginning of a token that the next write may continue. */
  readonly #token: RegExp
  readonly #phrases: string[]
  #held = ''

  constructor(secrets: Iterable<string>) {
    // The masker uses one character for each byte, because a write may end within a character of UTF-8.
    const values = [...new Set(secrets)].map((secret) => Buffer.from(secret).toString('latin1')).filter((value) => value !== '')
    const longestFirst = values.toSorted((a, b) => b.length - a.length)
    const prefixes = PREFIXES.join('|')
    this.#known = new RegExp([...longestFirst.map(escape), `(?<=${prefixes})${OF_A_TOKEN}+`].join('|'))
    this.#token = new RegExp(`(?:${prefixes})${OF_A_TOKEN}*$`)
    this.#phrases = [...values, ...PREFIXES]
  }

  /** Returns the masked text that no later write can change. */
  write(chunk: Buffer): Buffer {
    this.#held += chunk.toString('latin1')
    let shown = ''
    for (;;) {
      const found = this.#known.exec(this.#held)
      const open = this.#openEnd()
      if (found === null || found.index >= open) {
        shown += this.#held.slice(0, open)
        this.#held = this.#held.slice(open)
        return Buffer.from(shown, 'latin1')
      }
      shown += this.#held.slice(0, found.index) + MASK
      this.#held = this.#held.slice(found.index + found[0].length)
    }
  }

  /** Returns the rest of the masked text after the end of the stream. */
  end(): Buffer {
    const rest = this.#held.replaceAll(new RegExp(this.#known, 'g'), MASK)
    this.#held = ''
    return Buffer.from(rest, 'latin1')
  }

  /** The position of a possible beginning of a secret, which the next write may complete. */
  #openEnd(): number {
    const { length } = this.#held
    const token = this.#token.exec(this.#held)?.index ?? length
    const longest = Math.max(...this.#phrases.map((phrase) => phrase.length))
    for (let at = Math.max(0, length - longest + 1); at < token; at += 1) {
      const rest = this.#held.slice(at)
      if (this.#phrases.some((phrase) => phrase.length > rest.length && phrase.startsWith(rest))) return at
    }
    return token
  }
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
