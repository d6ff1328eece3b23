// Node strips the types itself and keeps every position, so stack traces need no source maps.
import { createHash } from 'node:crypto'
import { stripTypeScriptTypes } from 'node:module'

export default {
  process: (source) => ({ code: stripTypeScriptTypes(source, { mode: 'strip' }) }),
  getCacheKey: (source, file, { instrument, configString }) =>
    createHash('sha256').update(`${process.version} ${instrument} ${configString} ${file}\0${source}`).digest('hex'),
}
