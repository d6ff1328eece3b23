import { createHash } from 'node:crypto'

/** Typical outputs of scans, and outputs that are slow to search. */
export const texts = {
  english: (size: number) => repeated(prose(ENGLISH), size),
  Thai: (size: number) => repeated(prose(THAI), size),
  'empty lines': (size: number) => Buffer.alloc(size, '\n'),
  spaces: (size: number) => Buffer.alloc(size, `${' '.repeat(119)}\n`),
  'progress with \\r': (size: number) => repeated(progressBars(), size),
  binary: (size: number) => repeated(bytes(1 << 20, 'binary'), size),
  'one line': (size: number) => repeated(Buffer.from(prose(ENGLISH).toString().replaceAll('\n', ' ')), size),
  'a token in each 64 KiB': (size: number) => withTokens(repeated(prose(ENGLISH), size)),
} satisfies Record<string, (size: number) => Buffer>

/** Outputs that the redactor searches for dumps, in its second pass. */
export const dumps = {
  'hexdump -C': (size: number) => repeated(hexDump(), size),
} satisfies Record<string, (size: number) => Buffer>

const ENGLISH =
  'INFO scanner checked the deployment frontend in namespace default: 3 of 4 containers run as an ordinary user, see https://kubernetes.io/docs/ (CIS 5.2.6) at 2026-01-30T12:34:56Z image registry.k8s.io/pause:3.9 status=ok severity HIGH'
const THAI = 'INFO ตรวจสอบ คลัสเตอร์ แล้ว พบ ปัญหา ด้าน ความปลอดภัย ใน เนมสเปซ เริ่มต้น กรุณา แก้ไข ก่อน นำไป ใช้งานจริง'

/** Makes tokens like those of renewals, whose payloads are almost equal. */
export function tokenOf(count: number): string {
  const claims = {
    aud: ['https://kubernetes.default.svc.cluster.local'],
    exp: 1_700_003_600 + 390 * count,
    iat: 1_700_000_000 + 390 * count,
    iss: 'https://kubernetes.default.svc.cluster.local',
    jti: digest(`jti ${String(count)}`),
    'kubernetes.io': {
      namespace: 'kubepass',
      secret: { name: `kubepass-4711-1-${digest(`name ${String(count)}`).slice(0, 16)}`, uid: digest(`uid ${String(count)}`) },
      serviceaccount: { name: 'scanner', uid: digest('scanner') },
    },
    nbf: 1_700_000_000 + 390 * count,
    sub: 'system:serviceaccount:kubepass:scanner',
  }
  const [header, payload] = [{ alg: 'RS256', kid: 'abc' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  return `${header ?? ''}.${payload ?? ''}.${bytes(256, `signature ${String(count)}`).toString('base64url')}`
}

/** Makes lines of 60 to 120 characters from the words, in a pseudo-random order. */
function prose(source: string): Buffer {
  const words = source.split(' ')
  let text = ''
  for (const [index, number] of bytes(1 << 17, source).entries())
    text += (words[number % words.length] ?? '') + (index % 13 === 12 ? '\n' : ' ')
  return Buffer.from(text)
}

function progressBars(): Buffer {
  const bars = Array.from(
    { length: 101 },
    (_, done) => `\rDownloading ${'='.repeat(done / 4)}>${' '.repeat(25 - done / 4)} ${String(done)}% 12.3 MB/s`,
  )
  return Buffer.from(bars.join(''))
}

function hexDump(): Buffer {
  const dumped = bytes(1 << 16, 'dump')
  const line = (at: number): string => {
    const part = dumped.subarray(at, at + 16)
    const hex = (part.toString('hex').match(/../g) ?? []).join(' ')
    return `${at.toString(16).padStart(8, '0')}  ${hex.slice(0, 23)}  ${hex.slice(24)}  |${part.toString('latin1').replaceAll(/[^ -~]/g, '.')}|\n`
  }
  return Buffer.from(Array.from({ length: dumped.length / 16 }, (_, index) => line(16 * index)).join(''))
}

function withTokens(text: Buffer): Buffer {
  for (let at = 1000, count = 0; at + 4096 < text.length; at += 1 << 16, count += 1) text.write(`\n${tokenOf(count % 2)}\n`, at)
  return text
}

function repeated(text: Buffer, size: number): Buffer {
  return Buffer.alloc(size, text)
}

function bytes(count: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: count }).update(seed).digest()
}

function digest(seed: string): string {
  return createHash('sha256').update(seed).digest('hex')
}
