import { markdownTable } from '../markdown.ts'
import { sections } from './cases.ts'
import { kubernetesVersions } from './kubernetes.ts'
import type { Row } from './run-case.ts'

const INTRODUCTION = `# Compatibility with kubectl

Each row is a kubeconfig or its environment. The tests pass it to kubectl 1.36 (\`kubectl auth whoami\`) and to kubepass (\`kubepass run\`) in the same
shell, and generate this page from the results. If both programs accept the kubeconfig, the API server sees the same user. If kubepass refuses it, the
last column shows the first line of the error; the second line names the remedy. Exit code 80 means that kubepass sent nothing to the network. Exit
code 83 means that kubepass could not verify the certificate. Exit code 82 means that the API server refused the request. See
[troubleshooting](troubleshooting.md).

kubepass deliberately refuses some kubeconfigs that kubectl accepts. With such a kubeconfig, a credential would go to an unverified server, the scan
would act as another user, or two parts of the kubeconfig contradict each other.
`

const NOTES: Record<string, string> = {
  'Trust anchors':
    'kubepass trusts only the given certificates. `system` stands for the CA bundle of the Linux distribution, which kubepass reads at the same paths as Go.\n' +
    "SSL_CERT_FILE, SSL_CERT_DIR, NODE_EXTRA_CA_CERTS and the options of Node.js do not change this bundle, because an earlier step can set them. The scan's\n" +
    'kubeconfig contains the whole bundle (about 300 kB), so that these variables do not redirect the scan either.',
  Pipes:
    'kubepass reads a pipe once, before all other work. It reads at most 1 MiB, for at most the time of `deadline`. A renewal and the revocation use the\n' +
    'same text. In a CI job, the post step reads the inputs again, so kubepass refuses a pipe there.',
  Proxies:
    "kubepass follows the rules of Go's [httpproxy](https://pkg.go.dev/golang.org/x/net/http/httpproxy), for the API server and for the service that\n" +
    'issues ID tokens. HTTPS_PROXY takes precedence over https_proxy, and NO_PROXY over no_proxy. kubepass uses the first variable that is not empty. No\n' +
    'variable sends a loopback address or `localhost` to a proxy. An entry of NO_PROXY is a host with its subdomains, `.host` or `*.host` for the subdomains\n' +
    'only, an IP address, a CIDR block, or `*`. A host or an IP address may have a port. The input `proxy_url` and the field `proxy-url` of a kubeconfig\n' +
    'take precedence over all variables.',
}

/** The text of docs/compatibility.md. The test compares it with the committed page. */
export function documentOf(rows: ReadonlyMap<string, readonly Row[]>): string {
  const parts = sections.map(({ title }) => {
    const note = NOTES[title]
    return `## ${title}\n\n${note === undefined ? '' : `${note}\n\n`}${tableOf(rows.get(title) ?? [])}`
  })
  return [INTRODUCTION, ...parts, kubernetesVersions()].join('\n')
}

/** The rows in a text of docs/compatibility.md, by section and title. */
export function rowsIn(document: string): Map<string, Row> {
  const rows = new Map<string, Row>()
  for (const part of document.split(/^## /m).slice(1)) {
    const [section = '', ...lines] = part.split('\n')
    for (const text of lines.filter((line) => line.startsWith('|')).slice(2)) {
      const cells = text.split(/(?<!\\)\|/).slice(1, -1)
      const [title = '', kubectl = '', kubepass = '', remark = ''] = cells.map((cell) => cell.trim().replaceAll('\\|', '|'))
      rows.set(`${section}: ${title}`, { title, kubectl, kubepass, remark })
    }
  }
  return rows
}

function tableOf(rows: readonly Row[]): string {
  return markdownTable([
    ['case', 'kubectl', 'kubepass', 'remark'],
    ...rows.map((row) => [row.title, row.kubectl, row.kubepass, row.remark.replaceAll('|', '\\|')]),
  ])
}
