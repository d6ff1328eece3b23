/** Not 65534, which a namespace shows for every unmapped user. */
export const ORDINARY_USER = 12345

/** Whether this process may become another user. */
export const canBeAnother = process.getuid?.() === 0

/** Runs a synchronous function as an ordinary user, whom file modes keep out. */
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
