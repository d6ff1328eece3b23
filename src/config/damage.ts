import { inputIds, inputs } from './inputs.ts'

// Users damage values when they copy them into an input. Each function returns the fault and the command that gives the right
// value. The caller puts the name of the input, or of the field, before that text. No text contains the value itself.

const STORE = "Store it as it is: printf %s 'TOKEN' | gh secret set NAME (GitLab: glab variable set NAME)"
const PEM = 'Store the file as it is: gh secret set NAME < FILE (GitLab: glab variable set NAME < FILE); or on one line: base64 -w0 FILE'
const KUBECONFIG = 'Store it on one line: kubectl config view --raw --flatten --minify | base64 -w0'

const TWICE = 'is base64 twice over'
const UTF_16 = 'is UTF-16, as > of Windows PowerShell writes it. In UTF-8: | Out-File -Encoding ascii FILE'

const JWT = /eyJ[\w-]{5,}\.[\w-]{2,}\.[\w-]+/
const JWT_ALONE = new RegExp(`^${JWT.source}$`)
/** The tokens of OpenShift and EKS, which are no JWTs. */
const OPAQUE = /^(sha256~|k8s-aws-v1\.)[\w-]{16,}$/

/** The fault if the text is a placeholder, such as a mask or the name of a variable; undefined if it is none. */
export function placeholderProblem(text: string): string | undefined {
  const bare = unquoted(text.trim())
  if (/^(REDACTED|DATA\+OMITTED)$/.test(bare))
    return `is ${bare}, which kubectl config view shows in place of the value. The value itself: kubectl config view --raw --flatten --minify`
  if (/^(\*{3,}|\[MASKED\]|\[secret\]|<(redacted|hidden|sensitive)>)$/i.test(bare))
    return 'is the mask that a log shows in place of the value'
  if (/^(null|undefined|none|nil|<nil>|<none>|<no value>|<unset>)$/i.test(bare))
    return `is ${bare}, which a program prints when there is no value`
  if (/^\$\{\{[^{}]*\}\}$/.test(bare))
    return 'is an expression that GitHub Actions evaluates in a workflow, and that was not evaluated here'
  if (/^\$(\w+|\{\w+\}|\(\w+\)|env:\w+)$|^%\w+%$/.test(bare)) return 'is the name of a variable, not its value: is the variable set?'
  return inputIds.some((id) => inputs[id].example.length >= 16 && inputs[id].example === bare)
    ? 'is the example of the documentation'
    : undefined
}

/** A fault, and whether a text has it. */
interface Damage {
  readonly fault: string
  readonly isIn: (text: string) => boolean
}

/** The faults of a token. The first that a text has is reported. */
const TOKEN_DAMAGE: readonly Damage[] = [
  { fault: UTF_16, isIn: isUtf16 },
  { fault: 'is a certificate or a key, not a token', isIn: isPem },
  { fault: 'is a JSON document, not the token in it. The token alone: jq -r .status.token FILE', isIn: (text) => text.startsWith('{') },
  {
    fault: 'is a kubeconfig, not a token: give it as kubeconfig',
    isIn: (text) => /(^|\s)(clusters|users|current-context):/.test(text),
  },
  { fault: `is in quotes. ${STORE}`, isIn: isQuoted },
  {
    fault: `begins with a word of the HTTP header, such as Bearer. ${STORE}`,
    isIn: (text) => /^(authorization:\s*)?(bearer|basic|token)(\s|%20)/i.test(text),
  },
  { fault: `ends with a line end that is written out, such as \\n. ${STORE}`, isIn: (text) => /(\\+[rn]|%0[aAdD])$/.test(text) },
  {
    fault: `begins with the name of a variable or a field. ${STORE}`,
    isIn: (text) => /^(export\s+)?[A-Za-z_]\w*\s*[=:]/.test(text) && JWT.test(text),
  },
  { fault: `is broken into parts by blanks or line ends. ${STORE}`, isIn: (text) => /\s/.test(text) && isToken(withoutSpace(text)) },
  {
    fault:
      "is the base64 of a token, as kubectl shows the data of a Secret. The token itself: kubectl get secret NAME -o jsonpath='{.data.token}' | base64 -d",
    isIn: (text) => decodings(text).some(isToken),
  },
]

/** The fault of a text that should be a token. */
export function damageOfToken(text: string): string | undefined {
  return TOKEN_DAMAGE.find(({ isIn }) => isIn(text))?.fault
}

/** The token inside a damaged text. */
export function tokenIn(text: string): string | undefined {
  return [text, withoutSpace(text), ...decodings(text)].flatMap((each) => JWT.exec(each)?.[0] ?? [])[0]
}

/** The fault of a text in which Node.js finds no certificate, or no private key. */
export function damageOfPem(text: string, wanted: 'certificate' | 'private key'): string | undefined {
  const common = damageOfAny(text)
  if (common !== undefined) return common
  const [once = '', twice = ''] = decodings(text)
  const pem = [text, once, twice].find(isPem)
  if (pem === undefined) {
    const label = wanted.toUpperCase()
    return isDer(text) ? `lacks the lines -----BEGIN ${label}----- and -----END ${label}-----. ${PEM}` : undefined
  }
  const damage = pem === twice ? TWICE : (damageOfBlock(pem) ?? damageAroundBlocks(pem))
  return damage === undefined ? contentInPlaceOf(wanted, pem) : `${damage}. ${PEM}`
}

/** The fault of the line ends and of the end of the first block of a PEM. */
function damageOfBlock(pem: string): string | undefined {
  if (/\\+[rn]/.test(pem)) return 'has \\n as text in place of its line ends'
  if (/%0[ad]/i.test(pem)) return 'has %0A as text in place of its line ends'
  const [block, label = ''] = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/.exec(pem) ?? []
  if (block === undefined) return 'lacks its line -----END: it was cut off'
  if (/[\r\n]/.test(block)) return undefined
  const inside = block.slice(`-----BEGIN ${label}-----`.length, -`-----END ${label}-----`.length)
  return /\S\s+\S/.test(inside) ? 'has blanks in place of its line ends' : 'has lost its line ends'
}

function damageAroundBlocks(pem: string): string | undefined {
  if (/^[ \t]+\S/m.test(pem)) return 'has blanks before its lines'
  return isQuoted(pem) ? 'is in quotes' : undefined
}

/** What an undamaged PEM holds, if that is not what was wanted. */
function contentInPlaceOf(wanted: 'certificate' | 'private key', pem: string): string | undefined {
  const labels = [...new Set([...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, each = '']) => each.toLowerCase()))]
  return labels.some((each) => each.endsWith(wanted)) ? undefined : `holds no ${wanted} that can be read, but a ${labels.join(' and a ')}`
}

/** The fault of a text that should be the content of a kubeconfig. */
export function damageOfKubeconfig(text: string): string | undefined {
  const common = damageOfAny(text)
  if (common !== undefined) return common
  const [once = '', twice = ''] = decodings(text)
  const yaml = [text, once, twice].find(isKubeconfig)
  if (yaml === undefined) return undefined
  const damage = yaml === twice ? TWICE : isQuoted(text) ? 'is in quotes' : damageOfLines(yaml)
  if (damage !== undefined) return `${damage}. ${KUBECONFIG}`
  return yaml === once ? 'is base64, and must be decoded where a file holds it: base64 -d' : undefined
}

/** The fault of the lines of a kubeconfig. A kubeconfig in JSON may be on one line. */
function damageOfLines(yaml: string): string | undefined {
  const lines = yaml.trim().split(/\r\n|\n|\r/)
  if (lines.length < 3 && /\\+n/.test(yaml)) return 'has \\n as text in place of its line ends'
  if (lines.length === 1) return yaml.trim().startsWith('{') ? undefined : 'is on one line: its line ends are lost'
  return lines.every((line) => !/^[\s{]/.test(line)) ? 'has lost the blanks at the beginning of its lines' : undefined
}

/** The faults that a text of any kind can have. */
function damageOfAny(text: string): string | undefined {
  return placeholderProblem(text) ?? (isUtf16(text) ? UTF_16 : undefined)
}

function isUtf16(text: string): boolean {
  return /^\ufffd*([\t-~]\0){4}/.test(text) || /^\ufffd*(\0[\t-~]){4}/.test(text)
}

function isToken(text: string): boolean {
  return JWT_ALONE.test(text.trim()) || OPAQUE.test(text.trim())
}

function isPem(text: string): boolean {
  return text.includes('-----BEGIN')
}

function isKubeconfig(text: string): boolean {
  return text.includes('clusters') && text.includes('contexts')
}

function isQuoted(text: string): boolean {
  return /^\\?(["'`])[^]*\1$/.test(text.trim())
}

function unquoted(text: string): string {
  return text.replaceAll(/^["'`]|["'`]$/g, '')
}

/** Whether a text looks like the base64 of DER. Most certificates and keys are an ASN.1 sequence with two bytes of length. */
function isDer(text: string): boolean {
  return /^MI[A-Za-z0-9+/=\s]{100,}$/.test(text.trim())
}

function withoutSpace(text: string): string {
  return text.replaceAll(/\s+/g, '')
}

/** Decodes base64 once and twice, as far as the result is text. */
function decodings(text: string): string[] {
  const results: string[] = []
  for (let encoded = unquoted(withoutSpace(text)); results.length < 2 && /^[\w+/-]{16,}={0,2}$/.test(encoded);) {
    const decoded = Buffer.from(encoded, 'base64').toString()
    if (/[^\P{Cc}\t\n\r]|\ufffd/u.test(decoded)) break
    results.push(decoded)
    encoded = withoutSpace(decoded)
  }
  return results
}
