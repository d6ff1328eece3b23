import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'

const schema = JSON.parse(readFileSync(new URL('../../docs/evidence.schema.json', import.meta.url), 'utf8')) as object
const conforms = new Ajv2020({
  allErrors: true,
  allowUnionTypes: true,
  formats: { 'date-time': true, uri: (text: string) => URL.canParse(text) },
}).compile(schema)

/** How the evidence differs from docs/evidence.schema.json. */
export function schemaErrors(evidence: unknown): unknown[] {
  return conforms(evidence) ? [] : (conforms.errors ?? [])
}
