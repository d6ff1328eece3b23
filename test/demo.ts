// One GitHub job from end to end, on a real API server of its own: npm run demo
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { styleText } from 'node:util'
import { admin, apply, kubectl, waitForPolicies } from './cluster/admin.ts'
import { startCluster } from './cluster/cluster.ts'
import { startProxy } from './cluster/proxy.ts'
import { startJob } from './hosts/github.ts'
import { findLeftovers } from './leftovers.ts'

const command = `echo "namespaces that this scan can see:"
kubectl get namespaces
echo "and now, carelessly, its own token:"
kubectl config view --raw | grep token`

const resources = new AsyncDisposableStack()
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stop.abort()
    void resources.disposeAsync().finally(() => {
      console.error('\nInterrupted; the cluster is stopped.')
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
  heading('A cluster')
  say('starting etcd and a real kube-apiserver on this machine ...')
  const { info } = resources.use(await startCluster({ tokenCacheTTL: '10s', controllers: true, progress: say }))
  // It stands in front of the API server only to keep a copy of the token, so that the end can be checked from outside.
  const proxy = resources.use(await startProxy(info))
  const { body: version } = await admin(info).get<{ gitVersion: string }>('/version')
  say(`Kubernetes ${version.gitVersion} is ready at ${proxy.url}`)

  heading('Its side of the agreement, set up once')
  const setUp = async (...args: string[]): Promise<void> => {
    say(`$ kubectl ${args.join(' ')}`)
    say(await kubectl(info, ...args))
  }
  say('$ kubectl apply -k deploy/base')
  say(await apply(info, fileURLToPath(new URL('../deploy/base', import.meta.url))))
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
  say(asWorkflow(inputs))
  const step = job.step(inputs)

  heading('Its log, as a reader of the job sees it')
  say('running; the proof takes 10 s, for so long this API server trusts a token that it has accepted ...\n')
  const main = await step.main()
  say(main.log)
  const post = await step.post()
  say(`post step:\n${post.log}`)
  if (main.conclusion !== 'success' || post.conclusion !== 'success') throw new Error('the job should have succeeded; its log says why not')

  heading('The evidence, kept for an auditor')
  say(readFileSync(join(job.workspace, 'evidence.json'), 'utf8'))

  heading('The proof, checked from outside')
  const complaints = await findLeftovers({ info, proxy, host: job })
  if (complaints.length > 0) throw new Error(complaints.join('; '))
  const { status } = await admin(info).whoami(proxy.tokens[0] ?? '')
  say(`the token, sent to the API server once more:  ${String(status)} Unauthorized`)
  say('Secrets that the run left on the cluster:     none')
  say('files and processes that it left:             none')
  say('pieces of the token in log, files, outputs:   none, nor in base64 or hex')

  heading('What just happened')
  say('The job showed its GitHub ID token and got a ServiceAccount token of its own, bound to a Secret made for this run alone.')
  say('The scan used it, and printed it; the log shows *** in its place.')
  say('Then the Secret was deleted, the token died with it, and the API server was asked until it said so.')
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

function say(text: string): void {
  stop.signal.throwIfAborted()
  console.log(text.trimEnd().replaceAll(/^/gm, '  '))
}
