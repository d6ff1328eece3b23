/** A CI variable: the value, or an object with GitLab's settings for it. */
export type Given = string | { value: string; expand?: boolean; masked?: boolean }

export interface Variable {
  value: string
  expand: boolean
  masked: boolean
}

/** Merges levels of variables. Each level takes precedence over the levels before it. */
export function outrank(...levels: Record<string, Given>[]): Map<string, Variable> {
  const variables = new Map<string, Variable>()
  for (const [name, given] of levels.flatMap((level) => Object.entries(level))) {
    // The deletion moves the variable to the end, so that the shell exports the strongest level last.
    variables.delete(name)
    variables.set(name, { expand: true, masked: false, ...(typeof given === 'string' ? { value: given } : given) })
  }
  for (const [name, { value, masked }] of variables)
    if (masked && !isMaskable(value))
      throw new Error(`GitLab masks no value like that of ${name}: a masked value is one line with at least 8 characters and no space`)
  return variables
}

/** The values of the variables. References to other variables are replaced, except in variables with `expand: false`. */
export function expandAll(variables: Map<string, Variable>): Map<string, string> {
  const expand = (name: string, within: string[]): string => {
    if (within.includes(name)) throw new Error(`circular variable reference: ${[...within, name].join(', ')}`)
    const variable = variables.get(name)
    if (variable === undefined) return ''
    return variable.expand ? expandText(variable.value, (other) => expand(other, [...within, name])) : variable.value
  }
  return new Map([...variables.keys()].map((name) => [name, expand(name, [])]))
}

/** Replaces `$NAME`, `${NAME}` and `$$`, and keeps every other dollar sign. */
export function expandText(text: string, valueOf: (name: string) => string): string {
  return text.replaceAll(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_, dollar?: string, name?: string, braced?: string) =>
    dollar === undefined ? valueOf(name ?? braced ?? '') : '$',
  )
}

export function isMaskable(value: string): boolean {
  return /^\S{8,}$/.test(value)
}
