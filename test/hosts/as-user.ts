/** The uid of an ordinary user. It differs from 65534, which a user namespace shows for every unmapped user. */
export const ORDINARY_USER = 12345

/** Whether this process may become another user. */
export const canBeAnother = process.getuid?.() === 0

/** Runs a synchronous function as an ordinary user, because file modes do not stop root. */
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
