import { isInt64 } from './int64.ts'

/** A token of a label selector: its kind as one letter, and its text. */
interface Token {
  readonly kind: string
  readonly text: string
}

/**
 * Matches a token as the lexer of k8s.io/apimachinery does, in pkg/labels/selector.go. The lexer drops a NUL behind a token, and any other
 * NUL ends the text.
 */
const TOKEN = /[ \t\r\n]*(?:(!=|==|[=!()<>,])\0?|([^=!()<>, \t\r\n\0]+)\0?|\0|$)/y

/**
 * Matches a requirement, written as the kinds of its tokens: `i` is an identifier, `n` is `in` or `notin`, `=` compares texts, and `>` compares
 * numbers. Behind an operator, and as a key, `in` is an identifier.
 */
const REQUIREMENT = /!?[in](?:[=>][in]?|n\(,*(?:[in](?:,+[in])*,*)?\))?/y

const NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/

/** Whether the API server can read a label selector. */
export function isLabelSelector(selector: string): boolean {
  const tokens = tokensOf(selector)
  const kinds = tokens.map(({ kind }) => kind).join('')
  const requirement = new RegExp(REQUIREMENT)
  for (let at = 0; kinds !== ''; at += 1) {
    requirement.lastIndex = at
    const matched = requirement.exec(kinds)?.[0]
    if (matched === undefined || !isRequirement(tokens.slice(at, at + matched.length))) return false
    at += matched.length
    if (at === kinds.length) return true
    if (kinds[at] !== ',') return false
  }
  return true
}

function tokensOf(selector: string): Token[] {
  const tokens: Token[] = []
  const token = new RegExp(TOKEN)
  for (;;) {
    const [, symbol, word] = token.exec(selector) ?? []
    const text = symbol ?? word
    if (text === undefined) return tokens
    tokens.push({ kind: symbol === undefined ? kindOfWord(text) : kindOfSymbol(symbol), text })
  }
}

function kindOfWord(word: string): string {
  return word === 'in' || word === 'notin' ? 'n' : 'i'
}

function kindOfSymbol(symbol: string): string {
  return symbol.endsWith('=') ? '=' : symbol === '<' ? '>' : symbol
}

/** Whether keys and values are valid labels. */
function isRequirement(tokens: readonly Token[]): boolean {
  const [key, operator, ...rest] = tokens.filter(({ kind }) => kind !== '!')
  if (key === undefined || !isLabelKey(key.text)) return false
  const isUnary = tokens[0]?.kind === '!'
  if (operator === undefined) return true
  const values = rest.filter(({ kind }) => 'in'.includes(kind)).map(({ text }) => text)
  return !isUnary && values.every(isLabelValue) && (operator.kind !== '>' || isInt64(values[0] ?? ''))
}

function isLabelKey(text: string): boolean {
  const [name = '', prefix, ...others] = text.split('/').toReversed()
  const isPrefix = prefix === undefined || (prefix.length <= 253 && SUBDOMAIN.test(prefix))
  return others.length === 0 && isPrefix && name.length <= 63 && NAME.test(name)
}

function isLabelValue(text: string): boolean {
  return text === '' || (text.length <= 63 && NAME.test(text))
}
