// Writes the go.mod and go.sum of another Kubernetes version: node test/cluster/add-version.ts 1.37.2
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'

const [, , version = ''] = process.argv
const [, minor, patch] = /^1\.(\d+)\.(\d+)$/.exec(version) ?? []
if (minor === undefined || patch === undefined) throw new Error('usage: node test/cluster/add-version.ts 1.MINOR.PATCH')

const sources = fileURLToPath(new URL('.', import.meta.url))
const env = { ...process.env, GOTOOLCHAIN: 'local' }
const go = (cwd: string, ...args: string[]): string =>
  execFileSync('go', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

const { GoMod: kubernetes } = JSON.parse(go(tmpdir(), 'mod', 'download', '-json', `k8s.io/kubernetes@v${version}`)) as { GoMod: string }
const goMod = readFileSync(kubernetes, 'utf8')
const etcd = /go\.etcd\.io\/etcd\/server\/v3 (\S+)/.exec(goMod)?.[1] ?? ''
// Kubernetes replaces these modules by folders of its own repository. The published modules have the same content.
const staged = [...goMod.matchAll(/(k8s\.io\/\S+) => \.\/staging\//g)].map(([, module = '']) => module)
const file = `versions/1.${minor}.mod`
writeFileSync(
  `${sources}${file}`,
  `module kubepass.test/cluster

go 1.26.0

require (
	go.etcd.io/etcd/server/v3 ${etcd}
	k8s.io/kubernetes v${version}
)

replace (
${staged.map((module) => `\t${module} => ${module} v0.${minor}.${patch}\n`).join('')})
`,
)
go(sources, 'mod', 'tidy', `-modfile=${file}`)
