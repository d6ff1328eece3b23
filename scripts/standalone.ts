// Builds the program for machines without Node.js: one executable file, with Node.js 24 inside, and its licences beside it.
//   npm run build:standalone [-- FOLDER]
import { build, type Metafile } from 'esbuild'
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const modules = join(root, 'node_modules')
const target = resolve(process.argv[2] ?? join(root, 'build'))
const name = `kubepass-linux-${process.arch}`
const nodePackage = join(modules, `node-linux-${process.arch}`)
const node = join(nodePackage, 'bin/node')
if (!existsSync(node)) throw new Error(`There is no Node.js for linux-${process.arch} in node_modules: npm ci`)

mkdirSync(target, { recursive: true })
const work = mkdtempSync(join(tmpdir(), 'kubepass-standalone-'))
try {
  const { metafile } = await build({
    entryPoints: ['src/cli.ts'],
    absWorkingDir: root,
    outfile: join(work, 'kubepass.cjs'),
    bundle: true,
    // An embedded program is one script, and no module.
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  // What NODE_OPTIONS holds is nothing to a program that holds tokens. Paths are relative: they end up in the file.
  const config = {
    main: 'kubepass.cjs',
    output: 'kubepass.blob',
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgvExtension: 'none',
  }
  writeFileSync(join(work, 'sea.json'), JSON.stringify(config))
  execFileSync(node, ['--experimental-sea-config', 'sea.json'], { cwd: work, stdio: 'pipe' })

  const program = join(work, name)
  copyFileSync(node, program)
  strip(program)
  const postject = join(modules, 'postject/dist/cli.js')
  const fuse = ['--sentinel-fuse', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2']
  execFileSync(node, [postject, program, 'NODE_SEA_BLOB', join(work, 'kubepass.blob'), ...fuse], { stdio: 'pipe' })
  chmodSync(program, 0o755)
  copyFileSync(program, join(target, name))
  writeFileSync(join(target, `${name}.licenses.txt`), licences(metafile))
} finally {
  rmSync(work, { recursive: true })
}

/** Before the injection: after it, the program would not start. */
function strip(program: string): void {
  try {
    execFileSync('strip', [program])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    console.error('There is no strip (binutils): the program gets 18 MB larger.')
  }
}

/** Of every package with a file in the bundle, and of Node.js. */
function licences({ inputs }: Metafile): string {
  const packages = Object.keys(inputs).flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
  const parts = [...new Set(packages)].toSorted().map((folder) => licence(join(root, folder)))
  return [...parts, `Node.js ${process.versions.node}\n\n${readFileSync(join(nodePackage, 'LICENSE'), 'utf8')}`].join('\n\n')
}

function licence(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry))
  return `${name} ${version} (${license})\n${file === undefined ? '' : `\n${readFileSync(join(folder, file), 'utf8')}`}`
}
