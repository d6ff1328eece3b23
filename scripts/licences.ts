import type { Metafile } from 'esbuild'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The licences of every package that has a byte in the output of esbuild. */
export function licencesOf({ outputs }: Metafile, root: string): string[] {
  const used = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0))
  const packages = used.flatMap(([file]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
  return [...new Set(packages)].toSorted().map((folder) => licence(join(root, folder)))
}

/** The licence of AssemblyScript. A part of its library is in src/redact/search-module.ts, where no bundler sees it. */
export function licenceOfSearch(root: string): string {
  return licence(join(root, 'node_modules/assemblyscript'))
}

function licence(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>
  const files = readdirSync(folder).filter((entry) => /^(licen[cs]e|notice)(\.|$)/i.test(entry))
  return [`${name} ${version} (${license})\n`, ...files.map((file) => readFileSync(join(folder, file), 'utf8'))].join('\n')
}
