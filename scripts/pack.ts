// Makes the files of a release and their SHA256SUMS: the npm package, which GitLab's template also downloads, and a .tgz of each
// standalone program that exists in the folder.
//   npm run pack [-- FOLDER]
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { version } from '../src/base/version.ts'

const root = resolve(import.meta.dirname, '..')
const target = resolve(process.argv[2] ?? join(root, 'build'))

mkdirSync(target, { recursive: true })
execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', target], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
const archives = [`kubepass-${version}.tgz`]
for (const name of ['kubepass-linux-x64', 'kubepass-linux-arm64']) {
  if (!existsSync(join(target, name))) continue
  writeFileSync(join(target, `${name}.tgz`), archiveOf(name))
  archives.push(`${name}.tgz`)
}
writeFileSync(join(target, 'SHA256SUMS'), archives.map((name) => `${sha256(join(target, name))}  ${name}\n`).join(''))

/** An archive with the one file kubepass. Its bytes depend only on the bytes of the program. */
function archiveOf(name: string): Buffer {
  const same = ['--format=ustar', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=755', `--transform=s/.*/kubepass/`]
  return gzipSync(execFileSync('tar', ['-c', ...same, name], { cwd: target, maxBuffer: 512 << 20 }), { level: 9 })
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
