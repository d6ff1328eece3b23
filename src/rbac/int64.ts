const LIMIT = 2n ** 63n

/** Whether Go's strconv.ParseInt accepts the text as a decimal number of 64 bits. */
export function isInt64(text: string): boolean {
  if (!/^[+-]?[0-9]+$/.test(text) || text.replace(/^[+-]?0*/, '').length > 19) return false
  const value = BigInt(text.replace('+', ''))
  return value >= -LIMIT && value < LIMIT
}
