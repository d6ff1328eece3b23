import { markdownTable } from '../markdown.ts'
import { sections } from './cases.ts'
import { kubernetesVersions } from './kubernetes.ts'
import type { Row } from './run-case.ts'

const INTRODUCTION = `# Compatibility with kubectl

Each row is a kubeconfig, or what surrounds one. The tests give it to kubectl 1.36 (\`kubectl auth whoami\`) and to kubepass (\`kubepass run\`) in the
same shell, and this page is generated from what both do. Where both accept it, the API server sees the same user. Where kubepass refuses, the last
column has its reason; a second line of the message names what to do. 80 means that nothing was sent to the network, 83 that the certificate does not
verify, 82 that the API server refuses ([troubleshooting](troubleshooting.md)).

kubepass refuses on purpose what kubectl accepts in these cases: a credential would go to a server that nobody has checked, the scan would act as
somebody else, or two parts of the kubeconfig contradict each other.
`

const NOTES: Record<string, string> = {
  'Trust anchors':
    'Nothing is trusted but the certificates that are given. `system` stands for the CA bundle of the Linux distribution, read at the paths that Go knows. ' +
    'SSL_CERT_FILE, SSL_CERT_DIR, NODE_EXTRA_CA_CERTS and the switches of Node.js have no effect on it, because an earlier step can set them. The\n' +
    "scan's kubeconfig holds the whole bundle (about 300 kB), so that those variables do not redirect the scan either.",
  Pipes:
    'A pipe is read once, before all else, up to 1 MiB and for as long as `deadline` says; a renewal and the revocation use the same text. In a CI job the\n' +
    'end of the job reads the inputs again, so that a pipe is refused there.',
  Proxies:
    "kubepass follows the rules of Go's [httpproxy](https://pkg.go.dev/golang.org/x/net/http/httpproxy), for the API server and for the service that\n" +
    'issues ID tokens: HTTPS_PROXY goes before https_proxy, NO_PROXY before no_proxy, and the first that is not empty counts. No variable sends a\n' +
    'loopback address or `localhost` to a proxy. An entry of NO_PROXY is a host with its subdomains, `.host` or `*.host` for its subdomains alone, an IP address,\n' +
    'a CIDR block, each but the last with or without a port, or `*`. The input `proxy_url` and `proxy-url` of a kubeconfig go before all variables.',
}

/** The document: generated, and compared with the one that is committed. */
export function documentOf(rows: ReadonlyMap<string, readonly Row[]>): string {
  const parts = sections.map(({ title }) => {
    const note = NOTES[title]
    return `## ${title}\n\n${note === undefined ? '' : `${note}\n\n`}${tableOf(rows.get(title) ?? [])}`
  })
  return [INTRODUCTION, ...parts, kubernetesVersions()].join('\n')
}

/** The rows of such a document, by section and title. */
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
