/** A CI variable: the value, or an object with GitLab's settings for it. */
export type Given = string | { value: string; expand?: boolean; masked?: boolean }

export interface Variable {
  value: string
  expand: boolean
  masked: boolean
}

/** Levels of variables, from the weakest to the strongest. */
export function outrank(...levels: Record<string, Given>[]): Map<string, Variable> {
  const variables = new Map<string, Variable>()
  for (const [name, given] of levels.flatMap((level) => Object.entries(level))) {
    // Deleted first, so that the strongest level is also exported last.
    variables.delete(name)
    variables.set(name, { expand: true, masked: false, ...(typeof given === 'string' ? { value: given } : given) })
  }
  for (const [name, { value, masked }] of variables)
    if (masked && !isMaskable(value)) throw new Error(`GitLab masks no value like that of ${name}: one line, 8 characters or more`)
  return variables
}

/** The values, with references to other variables replaced, except in variables that are not to be expanded. */
export function expandAll(variables: Map<string, Variable>): Map<string, string> {
  const expand = (name: string, within: string[]): string => {
    if (within.includes(name)) throw new Error(`circular variable reference: ${[...within, name].join(', ')}`)
    const variable = variables.get(name)
    if (variable === undefined) return ''
    return variable.expand ? expandText(variable.value, (other) => expand(other, [...within, name])) : variable.value
  }
  return new Map([...variables.keys()].map((name) => [name, expand(name, [])]))
}

/** `$NAME`, `${NAME}` and `$$`; every other dollar stays. */
export function expandText(text: string, valueOf: (name: string) => string): string {
  return text.replaceAll(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_, dollar?: string, name?: string, braced?: string) =>
    dollar === undefined ? valueOf(name ?? braced ?? '') : '$',
  )
}

export function isMaskable(value: string): boolean {
  return /^\S{8,}$/.test(value)
}
