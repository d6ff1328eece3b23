import { inputIds, inputs } from './inputs.ts'

// Users damage values when they copy them into an input. Each function returns the fault and the command that gives the right
// value. The caller puts the name of the input, or of the field, before that text. No text contains the value itself.

const STORE = "Store it as it is: printf %s 'TOKEN' | gh secret set NAME (GitLab: glab variable set NAME)"
const PEM = 'Store the file as it is: gh secret set NAME < FILE (GitLab: glab variable set NAME < FILE); or on one line: base64 -w0 FILE'
const KUBECONFIG = 'Store it on one line: kubectl config view --raw --flatten --minify | base64 -w0'

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

export function damageOfToken(text: string): string | undefined {
  if (isUtf16(text)) return UTF_16
  if (text.includes('-----BEGIN')) return 'is a certificate or a key, not a token'
  if (text.startsWith('{')) return 'is a JSON document, not the token in it. The token alone: jq -r .status.token FILE'
  if (/(^|\s)(clusters|users|current-context):/.test(text)) return 'is a kubeconfig, not a token: give it as kubeconfig'
  if (isQuoted(text)) return `is in quotes. ${STORE}`
  if (/^(authorization:\s*)?(bearer|basic|token)(\s|%20)/i.test(text))
    return `begins with a word of the HTTP header, such as Bearer. ${STORE}`
  if (/(\\+[rn]|%0[aAdD])$/.test(text)) return `ends with a line end that is written out, such as \\n. ${STORE}`
  if (/^(export\s+)?[A-Za-z_]\w*\s*[=:]/.test(text) && JWT.test(text)) return `begins with the name of a variable or a field. ${STORE}`
  if (/\s/.test(text) && isToken(withoutSpace(text))) return `is broken into parts by blanks or line ends. ${STORE}`
  return decodings(text).some(isToken)
    ? "is the base64 of a token, as kubectl shows the data of a Secret. The token itself: kubectl get secret NAME -o jsonpath='{.data.token}' | base64 -d"
    : undefined
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
  if (pem === twice) return `is base64 twice over. ${PEM}`
  if (/\\+[rn]/.test(pem)) return `has \\n as text in place of its line ends. ${PEM}`
  if (/%0[ad]/i.test(pem)) return `has %0A as text in place of its line ends. ${PEM}`
  const [block, label = ''] = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/.exec(pem) ?? []
  if (block === undefined) return `lacks its line -----END: it was cut off. ${PEM}`
  if (!/[\r\n]/.test(block)) {
    const inside = block.slice(`-----BEGIN ${label}-----`.length, -`-----END ${label}-----`.length)
    return `${/\S\s+\S/.test(inside) ? 'has blanks in place of its line ends' : 'has lost its line ends'}. ${PEM}`
  }
  if (/^[ \t]+\S/m.test(pem)) return `has blanks before its lines. ${PEM}`
  if (isQuoted(pem)) return `is in quotes. ${PEM}`
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
  if (yaml === twice) return `is base64 twice over. ${KUBECONFIG}`
  if (isQuoted(text)) return `is in quotes. ${KUBECONFIG}`
  const lines = yaml.trim().split(/\r\n|\n|\r/)
  if (lines.length < 3 && /\\+n/.test(yaml)) return `has \\n as text in place of its line ends. ${KUBECONFIG}`
  if (lines.length === 1 && !yaml.trim().startsWith('{')) return `is on one line: its line ends are lost. ${KUBECONFIG}`
  if (lines.length > 1 && lines.every((line) => !/^[\s{]/.test(line)))
    return `has lost the blanks at the beginning of its lines. ${KUBECONFIG}`
  return yaml === once ? 'is base64, and must be decoded where a file holds it: base64 -d' : undefined
}

/** The faults that a text of any kind can have. */
function damageOfAny(text: string): string | undefined {
  return placeholderProblem(text) ?? (isUtf16(text) ? UTF_16 : undefined)
}

const UTF_16 = 'is UTF-16, as > of Windows PowerShell writes it. In UTF-8: | Out-File -Encoding ascii FILE'

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
