/** The object that a field selector chooses by its name, if it chooses one; a problem if the API server cannot read the selector. */
export function nameSelectedBy(selector: string): { readonly name: string | undefined } | { readonly problem: true } {
  // The API server sorts the terms by their bytes, and uses the first that names an object.
  const terms = termsOf(selector).toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  let name: string | undefined
  for (const term of terms.filter((each) => each !== '')) {
    const [, field, operator, escaped] = /^(.*?)(!=|==|=)(.*)$/s.exec(term) ?? []
    const value = escaped === undefined ? undefined : unescapeValue(escaped)
    if (value === undefined) return { problem: true }
    if (field === 'metadata.name' && operator !== '!=') name ??= value
  }
  return { name }
}

/** The parts between commas. A backslash makes the next character a part of the term. */
function termsOf(selector: string): string[] {
  const terms = ['']
  for (const [character] of selector.matchAll(/\\.|./gsu)) {
    if (character === ',') terms.push('')
    else terms.push(`${terms.pop() ?? ''}${character}`)
  }
  return terms
}

/** @returns undefined if the API server refuses the value */
function unescapeValue(text: string): string | undefined {
  return /^(?:\\[\\,=]|[^\\,=])*$/s.test(text) ? text.replaceAll(/\\(.)/gs, '$1') : undefined
}
