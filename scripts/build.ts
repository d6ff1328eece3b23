// Builds dist: one bundle for each entry, and one that they share, which reads kubeconfigs. Each has the licences of its packages.
//   npm run build [-- FOLDER]
import { build, type Plugin } from 'esbuild'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { licenceOfSearch, licencesOf } from './licences.ts'

/** The part of ncc's interface that this script uses. ncc has no types. */
type Ncc = (
  entry: string,
  options: { externals: Record<string, string>; license: string; cache: false; quiet: true },
) => Promise<{ code: string; assets: Record<string, { source: string | Buffer }> }>

const root = resolve(import.meta.dirname, '..')
const target = resolve(process.argv[2] ?? join(root, 'dist'))
const LICENSES = 'licenses.txt'
const READER = '../kubeconfig/index.js'

// ncc searches for tsconfig.json in the working directory.
process.chdir(root)
rmSync(target, { recursive: true, force: true })
for (const entry of ['main', 'post', 'cli']) await bundleEntry(entry)
await bundleReader('kubeconfig')

async function bundleEntry(name: string): Promise<void> {
  const ncc = createRequire(import.meta.url)('@vercel/ncc') as Ncc
  const { code, assets } = await ncc(join(root, `src/${name}.ts`), {
    // Without this, ncc would put client-node beside each entry. TypeScript has already replaced .ts by .js in the import.
    externals: { './read-kubeconfig.js': READER },
    license: LICENSES,
    cache: false,
    quiet: true,
  })
  write(name, {
    'index.js': importedLate(code, READER),
    ...Object.fromEntries(Object.entries(assets).map(([file, { source }]) => [file, source])),
    // ncc does not see that src/redact/search-module.ts contains code of AssemblyScript.
    [LICENSES]: `${String(assets[LICENSES]?.source)}\n\n${licenceOfSearch(root)}`,
  })
}

/** Moves the import of an external module to where the source has `import()`. ncc puts it at the start of the bundle. */
function importedLate(code: string, module: string): string {
  const [statement = '', name = ''] = new RegExp(`^import \\* as (\\w+) from ${JSON.stringify(module)};\n`, 'm').exec(code) ?? []
  const [exported = ''] = new RegExp(`^module\\.exports = .*\\b${name}\\b.*$`, 'm').exec(code) ?? []
  const late = code.replace(statement, '').replace(exported, `module.exports = import(${JSON.stringify(module)});`)
  if (name === '' || exported === '' || late.includes(name)) throw new Error(`ncc writes the import of ${module} in an unknown form.`)
  return late
}

/** Builds the reader of kubeconfigs. client-node is large, so the bundle is minified and leaves out the classes of the API, which are unused. */
async function bundleReader(name: string): Promise<void> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/identity/read-kubeconfig.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    legalComments: 'none',
    // The CommonJS packages in it call require() for Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [withoutSideEffects('@kubernetes/client-node')],
    metafile: true,
    write: false,
  })
  const packageJson = `${JSON.stringify({ type: 'module' }, undefined, 2)}\n`
  write(name, { 'index.js': outputFiles[0]?.text ?? '', 'package.json': packageJson, [LICENSES]: licencesOf(metafile, root).join('\n\n') })
}

function write(folder: string, files: Record<string, string | Buffer>): void {
  for (const [file, content] of Object.entries(files)) {
    const path = join(target, folder, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content, { mode: content.toString().startsWith('#!') ? 0o777 : 0o666 })
  }
}

/** Lets esbuild leave out unused modules of the package. The package itself does not declare that its modules have no side effects. */
function withoutSideEffects(name: string): Plugin {
  const RESOLVED = 'resolved'
  return {
    name: 'without-side-effects',
    setup(esbuild) {
      esbuild.onResolve({ filter: /.*/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
        if (pluginData === RESOLVED || !(path.startsWith(name) || importer.includes(`/${name}/`))) return undefined
        const found = await esbuild.resolve(path, { importer, kind, resolveDir, pluginData: RESOLVED })
        return { ...found, sideEffects: found.sideEffects && packageOf(found.path) !== name }
      })
    },
  }
}

function packageOf(path: string): string | undefined {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]
}
