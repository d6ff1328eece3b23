import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { admin, type KubeObject } from './cluster/admin.ts'
import type { ClusterInfo } from './cluster/cluster.ts'
import type { Proxy } from './cluster/proxy.ts'
import type { Host } from './hosts/host.ts'
import { processesWith } from './hosts/orphans.ts'

const WINDOW = 16
/** The number of characters that one turn of the event loop searches. */
const TURN = 10_000

/**
 * The texts that contain 16 consecutive characters of a token's payload or signature (its header is common
 * to all), plain, in base64 or base64url at any alignment, or in hex. The search yields to the event loop, in which proxies run.
 */
export async function leaks(tokens: string[], texts: Record<string, string | Buffer>): Promise<string[]> {
  const needles = new Set<string>()
  for (const token of new Set(tokens)) {
    await nextTurn()
    for (const part of sensitiveParts(token)) {
      for (let at = 0; at + WINDOW <= part.length; at += 1)
        for (const spelling of spellings(part.slice(at, at + WINDOW))) needles.add(spelling)
    }
  }
  const lengths = [...new Set([...needles].map((needle) => needle.length))]
  const places: string[] = []
  for (const [place, bytes] of Object.entries(texts)) {
    const text = Buffer.from(bytes).toString('latin1')
    for (let at = 0; at < text.length && places.at(-1) !== place; at += 1) {
      if (at % TURN === 0) await nextTurn()
      if (lengths.some((length) => needles.has(text.slice(at, at + length)))) places.push(place)
    }
  }
  return places
}

/** The parts of a JWT after its header, which is common to all; the lines of a key between its PEM labels. */
function sensitiveParts(secret: string): string[] {
  if (secret.startsWith('-----BEGIN')) return secret.split('\n').filter((line) => !line.startsWith('-----'))
  return secret.startsWith('eyJ') ? secret.split('.').slice(1) : [secret]
}

function spellings(window: string): string[] {
  const bytes = Buffer.from(window)
  const hex = bytes.toString('hex')
  const alignments = [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes, Buffer.alloc(2)])
    // Only characters whose six bits all come from the window.
    const from = Math.ceil((shift * 8) / 6)
    const to = Math.floor(((shift + bytes.length) * 8) / 6)
    return [shifted.toString('base64').slice(from, to), shifted.toString('base64url').slice(from, to)]
  })
  return [window, hex, hex.toUpperCase(), ...alignments]
}

export interface Fixture {
  info: ClusterInfo
  proxy: Proxy
  host: Host
  /** The namespace of the bound Secrets. */
  namespace?: string
  /** More secrets to search for, such as the identity in an input of a test. */
  secrets?: string[]
}

/** The living tokens, objects, files, processes and readable secrets that a scenario left behind. */
export async function findLeftovers({ info, proxy, host, namespace = 'kubepass', secrets = [] }: Fixture): Promise<string[]> {
  const tokens = [...proxy.tokens, ...proxy.exchanges.map(({ bearer }) => bearer), ...host.secrets, ...secrets]
  const complaints = await Promise.all([
    livingTokens(info, proxy),
    livingBoundSecrets(info, proxy, host, namespace),
    leftFiles(host),
    livingProcesses(host),
    leakedTokens(host, tokens),
  ])
  return complaints.flat()
}

async function livingTokens(info: ClusterInfo, { tokens }: Proxy): Promise<string[]> {
  const { whoami } = admin(info)
  const deadline = Date.now() + info.tokenCacheMs + 2_000
  const check = async (token: string, index: number): Promise<string[]> => {
    for (;;) {
      const { status } = await whoami(token)
      if (status === 401) return []
      if (Date.now() > deadline) return [`token ${String(index + 1)} still lives`]
      await delay(100)
    }
  }
  return (await Promise.all(tokens.map(check))).flat()
}

async function livingBoundSecrets(info: ClusterInfo, proxy: Proxy, { boundSecretPrefix }: Host, namespace: string): Promise<string[]> {
  const created = proxy
    .seen('POST', /^\/api\/v1\/namespaces\/[^/]+\/secrets(\?|$)/)
    .filter(({ status, path }) => status === 201 && !path.includes('dryRun='))
    .filter(({ responseBody }) => responseBody.startsWith('{'))
    .map(({ responseBody }) => (JSON.parse(responseBody) as KubeObject).metadata?.uid)
  const { body } = await admin(info).get('/api/v1/secrets')
  return (body.items ?? [])
    .map(({ metadata = {} }) => metadata)
    .filter(
      ({ uid, namespace: where, name = '' }) =>
        created.includes(uid) || (boundSecretPrefix !== undefined && where === namespace && name.startsWith(boundSecretPrefix)),
    )
    .map(({ namespace: where = '', name = '' }) => `Secret ${where}/${name} is left`)
}

async function leftFiles({ folder, temporary, ours }: Host): Promise<string[]> {
  const found = await Promise.all(temporary.map(async (path) => (await readdir(path)).map((name) => join(path, name))))
  return found
    .flat()
    .filter((path) => !ours.includes(path))
    .map((path) => `${relative(folder, path)} is left`)
}

async function livingProcesses({ trackingId }: Host): Promise<string[]> {
  // A process that was just killed may not have ended yet.
  for (const deadline = Date.now() + 1_000; ; await delay(20)) {
    const left = await processesWith(trackingId)
    if (left.length === 0 || Date.now() > deadline) return left.map((pid) => `process ${String(pid)} is left`)
  }
}

async function leakedTokens(host: Host, tokens: string[]): Promise<string[]> {
  const texts: Record<string, string | Buffer> = host.texts()
  for (const name of await readdir(host.folder, { recursive: true })) {
    texts[`the name of ${name}`] = name
    const path = join(host.folder, name)
    const status = await lstat(path)
    if (status.isFile()) texts[`file ${name}`] = await readFile(path)
    if (status.isSymbolicLink()) texts[`link ${name}`] = await readlink(path)
  }
  return (await leaks(tokens, texts)).map((place) => `a token can be read in ${place}`)
}
