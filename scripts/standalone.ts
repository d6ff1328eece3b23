// Builds the program for machines without Node.js: one executable that includes Node.js 24, and a file with its licences.
//   npm run build:standalone [-- FOLDER]
import { build } from 'esbuild'
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { licenceOfSearch, licencesOf } from './licences.ts'

const root = resolve(import.meta.dirname, '..')
const modules = join(root, 'node_modules')
const target = resolve(process.argv[2] ?? join(root, 'build'))
const name = `kubepass-linux-${process.arch}`
const nodePackage = join(modules, `node-linux-${process.arch}`)
const node = join(nodePackage, 'bin/node')
if (!existsSync(node)) throw new Error(`There is no Node.js for linux-${process.arch} in node_modules: run npm ci.`)

mkdirSync(target, { recursive: true })
const work = mkdtempSync(join(tmpdir(), 'kubepass-standalone-'))
try {
  const { metafile } = await build({
    entryPoints: ['src/cli.ts'],
    absWorkingDir: root,
    outfile: join(work, 'kubepass.cjs'),
    bundle: true,
    // Node.js can embed a CommonJS script, but not a module.
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  // The program holds tokens, so it ignores NODE_OPTIONS (execArgvExtension). The paths are relative, because Node.js writes them into
  // the executable.
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
  const ofNode = `Node.js ${process.versions.node}\n\n${readFileSync(join(nodePackage, 'LICENSE'), 'utf8')}`
  writeFileSync(join(target, `${name}.licenses.txt`), [...licencesOf(metafile, root), licenceOfSearch(root), ofNode].join('\n\n'))
} finally {
  rmSync(work, { recursive: true })
}

/** Removes the symbols of Node.js. This must come before the injection: a program that is stripped later does not start. */
function strip(program: string): void {
  try {
    execFileSync('strip', [program])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    console.error('There is no strip (binutils): the program is 18 MB larger.')
  }
}
