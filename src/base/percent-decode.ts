/** Decodes percent escapes once; undefined if one of them is wrong. */
export function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
