import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { chmodSync, closeSync, linkSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownKubeconfigs, problemOfKubeconfig } from '../../src/config/own-kubeconfig.ts'

const home = realpathSync(mkdtempSync(join(tmpdir(), 'own-kubeconfig-')))
const before = process.cwd()
const admin = join(home, 'admin.kubeconfig')
const spaced = join(home, 'of me = admin,x/kube config')
let descriptor = -1

beforeAll(() => {
  for (const folder of ['.kube', 'of me = admin,x', 'folder']) mkdirSync(join(home, folder))
  for (const file of [admin, spaced, join(home, '.kube/config'), join(home, 'issuer'), join(home, 'other'), join(home, 'folder/config')])
    writeFileSync(file, 'x')
  symlinkSync(admin, join(home, 'link'))
  symlinkSync(join(home, 'link'), join(home, 'folder/link'))
  linkSync(admin, join(home, 'hard'))
  descriptor = openSync(admin, 'r')
  process.chdir(join(home, '.kube'))
})

afterAll(() => {
  process.chdir(before)
  closeSync(descriptor)
  rmSync(home, { recursive: true })
})

const own = (): ReturnType<typeof ownKubeconfigs> =>
  ownKubeconfigs({ HOME: home, KUBECONFIG: `${admin}:/nowhere:${spaced}:/dev/null:` }, join(home, 'issuer'))

/** Command lines that name a kubeconfig of the caller. */
const refused: Record<string, string[]> = {
  'after the flag': ['kubectl', '--kubeconfig', admin, 'get', 'ns'],
  'after the flag and =': ['kubectl', `--kubeconfig=${admin}`],
  'a list of two': ['kubectl', '--kubeconfig', `${join(home, 'other')}:${admin}`],
  'the second path of KUBECONFIG, with blanks and separators in it': ['kubectl', '--kubeconfig', spaced],
  'the second path of KUBECONFIG, after the flag and =': ['kubectl', `--kubeconfig=${spaced}`],
  'the default file': ['kubectl', '--kubeconfig', `${home}/.kube/config`],
  'the file of the input kubeconfig': ['kubectl', '--kubeconfig', `${home}/issuer`],
  'another flag': ['prowler', 'kubernetes', '--kubeconfig-file', admin],
  'a short flag': ['tool', '-k', admin],
  'a short flag in one word': ['tool', `-k=${admin}`],
  'a link': ['kubectl', '--kubeconfig', `${home}/link`],
  'a link to a link': ['kubectl', '--kubeconfig', `${home}/folder/link`],
  'a hard link': ['kubectl', '--kubeconfig', `${home}/hard`],
  'a path with ..': ['kubectl', '--kubeconfig', `${home}/folder/../admin.kubeconfig`],
  'two slashes': ['kubectl', '--kubeconfig', `${home}//admin.kubeconfig`],
  'a relative path': ['kubectl', '--kubeconfig', '../admin.kubeconfig'],
  'a name alone': ['kubectl', '--kubeconfig', 'config'],
  'a name alone, after the flag and =': ['kubectl', '--kubeconfig=config'],
  'a relative path with a dot': ['kubectl', './config'],
  'no flag at all': ['cat', admin],
  'a variable by env': ['env', `KUBECONFIG=${admin}`, 'kubectl', 'get', 'ns'],
  'a list by env': ['env', `KUBECONFIG=/x:${admin}`, 'kubectl', 'get', 'ns'],
  'a mount': ['docker', 'run', '-v', `${admin}:/root/.kube/config:ro`, 'image'],
  'a mount with key=value pairs': ['docker', 'run', '--mount', `type=bind,src=${admin},dst=/k`, 'image'],
  'a file that is sent': ['curl', '--data', `@${admin}`],
  'in a shell': ['sh', '-c', `kubectl --kubeconfig ${admin} get ns`],
  'in a shell, quoted': ['sh', '-c', `kubectl --kubeconfig="${admin}" get ns`],
  'in a shell, with blanks': ['sh', '-c', `kubectl --kubeconfig '${spaced}' get ns`],
  'in a shell, with blanks that are escaped': ['sh', '-c', `kubectl --kubeconfig ${spaced.replaceAll(' ', '\\ ')} get ns`],
  'in a shell, by a redirection': ['sh', '-c', `kubectl --kubeconfig /dev/stdin<${admin}`],
  'in a shell, by HOME': ['sh', '-c', 'kubectl --kubeconfig $HOME/.kube/config get ns'],
  'in a shell, by HOME in braces and quotes': ['sh', '-c', 'kubectl --kubeconfig="${HOME}"/.kube/config get ns'],
  'in a shell, by a tilde': ['sh', '-c', 'export KUBECONFIG=~/.kube/config; kubectl get ns'],
  'in a script': [`kubectl get ns\nkubectl --kubeconfig ~/.kube/config get ns\n`],
}

test.each(Object.entries(refused))('a command that names a kubeconfig of the caller is refused: %s', (_name, words) => {
  expect(problemOfKubeconfig(words, own())).toMatch(/^names ".*", a kubeconfig of the caller: the scan would not be the ServiceAccount$/)
})

test('a command that names a descriptor of a kubeconfig of the caller is refused', () => {
  const problem = problemOfKubeconfig(['kubectl', '--kubeconfig', `/dev/fd/${String(descriptor)}`], own())
  expect(problem).toMatch(/^names "\/dev\/fd\/\d+", a kubeconfig of the caller/)
})

test.each([['--kubeconfig', '/dev/fd/63'], ['--kubeconfig=/proc/self/fd/63'], ['--kubeconfig-file', '/dev/fd/63']])(
  "a command that names a file descriptor of the caller's shell is refused: %s %s",
  (...words) => {
    expect(problemOfKubeconfig(['tool', ...words], own())).toMatch(/^names ".*\/fd\/63", which the caller's shell has opened/)
  },
)

const empty: Record<string, string[]> = {
  'an empty word': ['kubectl', '--kubeconfig', '', 'get', 'ns'],
  'nothing after =': ['kubectl', '--kubeconfig=', 'get', 'ns'],
  'the flag is the last word': ['kubectl', 'get', 'ns', '--kubeconfig'],
  'the flag --kubeconfig-file': ['prowler', '--kubeconfig-file', ''],
  'the flag --kubeconfig-file with =': ['prowler', '--kubeconfig-file='],
  'the flag --kube-config': ['tool', '--kube-config', ''],
  'one dash, as in Go programs': ['tool', '-kubeconfig='],
  'a variable by env': ['env', 'KUBECONFIG=', 'kubectl', 'get', 'ns'],
  'in a shell': ['sh', '-c', 'kubectl --kubeconfig "" get ns'],
  'in a shell, after the flag and =': ['sh', '-c', "kubectl --kubeconfig='' get ns"],
  'in a shell, nothing after =': ['sh', '-c', 'kubectl --kubeconfig= get ns'],
  'in a shell, at the end': ['sh', '-c', 'kubectl get ns --kubeconfig='],
}

test.each(Object.entries(empty))('a command that gives the kubeconfig flag an empty value is refused: %s', (_name, words) => {
  expect(problemOfKubeconfig(words, own())).toMatch(/^gives no value to "[\w-]+": the client would look for a kubeconfig of the caller$/)
})

const allowed: Record<string, string[]> = {
  'no kubeconfig': ['kubectl', 'get', 'ns'],
  "the scan's own, in a shell": ['sh', '-c', 'kubectl --kubeconfig "$KUBECONFIG" get ns'],
  "the scan's own, in a script": ['kubectl --kubeconfig="$KUBECONFIG" get ns; KUBECONFIG=$KUBECONFIG kubectl get ns'],
  "a kubeconfig that is not the caller's": ['kubectl', '--kubeconfig', join(home, 'other')],
  'a missing kubeconfig': ['kubectl', '--kubeconfig', '/nowhere'],
  'the subcommand config, in a folder with a file config': ['kubectl', 'config', 'view'],
  'the subcommand config in a shell': ['sh', '-c', 'kubectl config view; kubectl -v=6 config view; kubectl --insecure config view'],
  'a device that stands for no kubeconfig': ['sh', '-c', 'kubectl get ns > /dev/null'],
  'a folder': ['ls', home],
  "a path that begins with the path of a caller's kubeconfig": ['cat', `${admin}.example`],
  'a flag without a value that begins with --kubeconfig': ['k3d', 'cluster', 'create', '--kubeconfig-switch-context'],
  'a word that is also a file in the folder': ['kind', 'get', 'config'],
  'no words': [],
  'a NUL': ['cat', 'a\0b'],
  'a subcommand that ends in kubeconfig': ['aws', 'eks', 'update-kubeconfig', ''],
}

test.each(Object.entries(allowed))('a command is not refused: %s', (_name, words) => {
  expect(problemOfKubeconfig(words, own())).toBeUndefined()
})

test('without HOME and KUBECONFIG the caller has no kubeconfig', () => {
  const none = ownKubeconfigs({}, undefined)
  expect(problemOfKubeconfig(['kubectl', '--kubeconfig', admin], none)).toBeUndefined()
})

test('a command that names an unreadable kubeconfig of the caller is refused', () => {
  chmodSync(admin, 0)
  expect(problemOfKubeconfig(['kubectl', '--kubeconfig', admin], own())).toContain('a kubeconfig of the caller')
  chmodSync(admin, 0o600)
})
