import { InvalidValue } from './invalid-value.ts'

/**
 * Parses the documents of a YAML text strictly.
 * @throws InvalidValue, which quotes nothing of the text
 */
export async function parseYaml(text: string): Promise<unknown[]> {
  // Imported only here, because few jobs give YAML.
  const { parseAllDocuments } = await import('yaml')
  const documents = [...parseAllDocuments(text, { strict: true, uniqueKeys: true, stringKeys: true, merge: false, prettyErrors: false })]
  return documents.map((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined)
      throw new InvalidValue(`is no YAML (${problem.code} in line ${text.slice(0, problem.pos[0]).split('\n').length})`)
    try {
      return document.toJS({ maxAliasCount: 0 }) as unknown
    } catch {
      throw new InvalidValue('holds YAML aliases, which kubepass does not read')
    }
  })
}

/** Writes each object as a YAML document. */
export async function writeYaml(objects: readonly object[]): Promise<string> {
  const { stringify } = await import('yaml')
  return objects.map((each) => `---\n${stringify(each, { lineWidth: 0, aliasDuplicateObjects: false })}`).join('')
}
