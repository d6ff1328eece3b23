// Writes the digests of a release's programs into the template of that release, so that a job can check its download.
//   node scripts/digests.ts build/SHA256SUMS gitlab/scan.yml
import { readFileSync, writeFileSync } from 'node:fs'
import { version } from '../src/base/version.ts'

const programs = {
  sha256_node: `kubepass-${version}.tgz`,
  sha256_x64: 'kubepass-linux-x64.tgz',
  sha256_arm64: 'kubepass-linux-arm64.tgz',
}

/**
 * Fills in the digests of all three programs.
 * @param sums lines in the format of sha256sum
 * @returns the template with the digests
 */
export function withDigests(template: string, sums: string): string {
  const lines = sums.split('\n').map((line) => line.split('  '))
  return Object.entries(programs).reduce((text, [variable, file]) => {
    const [digest = ''] = lines.find(([, name]) => name === file) ?? []
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`SHA256SUMS has no digest of ${file}`)
    const place = new RegExp(`^( *${variable}=)'[^']*'$`, 'gm')
    const places = text.match(place)?.length ?? 0
    if (places !== 1) throw new Error(`the template has ${String(places)} lines ${variable}='', not one`)
    return text.replace(place, `$1'${digest}'`)
  }, template)
}

if (import.meta.main) {
  const [sums = '', template = ''] = process.argv.slice(2)
  writeFileSync(template, withDigests(readFileSync(template, 'utf8'), readFileSync(sums, 'utf8')))
}
