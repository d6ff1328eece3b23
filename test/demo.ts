// Plays one GitHub job on a real API server: npm run demo
import { execFile } from 'node:child_process'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify, styleText } from 'node:util'
import { admin, apply, kubectl, waitForPolicies } from './cluster/admin.ts'
import { startCluster } from './cluster/cluster.ts'
import { startProxy } from './cluster/proxy.ts'
import { startJob } from './hosts/github.ts'
import { findLeftovers } from './leftovers.ts'

const run = promisify(execFile)

const command = `echo "The scan lists the namespaces:"
kubectl get namespaces
echo "The scan tries to make a token that outlives it:"
kubectl create token scanner --namespace kubepass || true
echo "The scan prints its own credential by mistake:"
kubectl config view --raw | grep token`

const resources = new AsyncDisposableStack()
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stop.abort()
    void resources.disposeAsync().finally(() => {
      console.error('\nInterrupted. The demo has stopped the cluster.')
      process.exit(130)
    })
  })
}
try {
  await demo()
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : 'unknown error'}`)
    process.exitCode = 1
  }
} finally {
  await resources.disposeAsync()
}

async function demo(): Promise<void> {
  heading('The cluster')
  print('starting etcd and kube-apiserver on this machine ...')
  const { info } = resources.use(await startCluster({ tokenCacheTTL: '10s', controllers: true, progress: print }))
  // The proxy records the token, so that the demo can check the revocation independently of kubepass.
  const proxy = resources.use(await startProxy(info))
  const { body: version } = await admin(info).get<{ gitVersion: string }>('/version')
  print(`Kubernetes ${version.gitVersion} is ready at ${proxy.url}`)

  heading('The setup of the cluster, once')
  const setUp = async (...args: string[]): Promise<void> => {
    print(`$ kubectl ${args.join(' ')}`)
    print(await kubectl(info, ...args))
  }
  print('$ kubectl apply -k deploy/base')
  print(await apply(info, fileURLToPath(new URL('../deploy/base', import.meta.url))))
  await setUp('create', 'clusterrole', 'look', '--verb=get,list', '--resource=namespaces,pods')
  await setUp('create', 'clusterrolebinding', 'scanner-looks', '--clusterrole=look', '--serviceaccount=kubepass:scanner')
  await setUp('create', 'rolebinding', 'our-repository', '-n=kubepass', '--role=issuer', '--group=ci:github:repo:123456')
  await waitForPolicies(info)

  heading('The step of a GitHub job')
  const job = resources.use(await startJob(info, { repository: 'octo-org/octo-repo' }))
  copyFileSync(info.ca, join(job.workspace, 'ca.crt'))
  const inputs = {
    server: proxy.url,
    certificate_authority: 'ca.crt',
    service_account: 'kubepass/scanner',
    evidence: 'evidence.json',
    command,
  }
  print(asWorkflow(inputs))
  const step = job.step(inputs)

  heading('The log of the job')
  print('running; the proof takes 10 s, because the API server caches an accepted token for 10 s ...\n')
  const main = await step.main()
  print(main.log)
  const post = await step.post()
  print(`post step:\n${post.log}`)
  if (main.conclusion !== 'success' || post.conclusion !== 'success') throw new Error('the job failed; its log has the reason')

  heading('The evidence for an auditor')
  print(readFileSync(join(job.workspace, 'evidence.json'), 'utf8'))

  heading('The smallest Role for this scan')
  print('$ kubepass suggest evidence.json')
  const cli = fileURLToPath(new URL('../dist/cli/index.js', import.meta.url))
  print((await run(process.execPath, [cli, 'suggest', join(job.workspace, 'evidence.json')])).stdout)

  heading('The independent check of the proof')
  const leftovers = await findLeftovers({ info, proxy, host: job })
  if (leftovers.length > 0) throw new Error(leftovers.join('; '))
  const { status } = await admin(info).whoami(proxy.tokens[0] ?? '')
  print(`the API server's answer to the token:          ${String(status)} Unauthorized`)
  print('Secrets of this run on the cluster:            none')
  print('files and processes of this run:               none')
  print('parts of the token in log, files and outputs:  none, also not in base64 or hex')

  heading('Summary')
  print('The job authenticated with its GitHub ID token and got a ServiceAccount token that is bound to a Secret of this run.')
  print('The scan used the token through the API proxy of kubepass and never got it. The evidence lists each of its requests.')
  print('The scan printed the credential for the proxy; the log shows *** in its place.')
  print('Then kubepass closed the proxy and deleted the Secret, which invalidated the token.')
  print('kubepass tested the token until the API server refused it.')
}

function asWorkflow(inputs: Record<string, string>): string {
  const lines = Object.entries(inputs).map(([id, value]) => {
    const text = value.includes('\n') ? `|\n${value.replaceAll(/^/gm, ' '.repeat(8))}` : value
    return `      ${id}: ${text}`
  })
  return ['permissions:', '  id-token: write', 'steps:', '  - uses: kubepass/kubepass@v0', '    with:', ...lines].join('\n')
}

function heading(text: string): void {
  stop.signal.throwIfAborted()
  console.log(`\n${styleText('bold', text)}\n${styleText('dim', '-'.repeat(text.length))}`)
}

function print(text: string): void {
  stop.signal.throwIfAborted()
  console.log(text.trimEnd().replaceAll(/^/gm, '  '))
}
