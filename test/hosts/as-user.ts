/** Not 65534, as whom all appear whom a namespace does not know. */
export const ORDINARY_USER = 12345

/** Whether this machine lets us be another user. */
export const canBeAnother = process.getuid?.() === 0

/** Does what must be done in one go as an ordinary user, whom modes keep out of what root may do. */
export function asOrdinaryUser<T>(work: () => T): T {
  if (!canBeAnother) return work()
  process.setegid?.(ORDINARY_USER)
  process.seteuid?.(ORDINARY_USER)
  try {
    return work()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
}
