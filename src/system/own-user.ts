/** The user id of this process, which owns the files that kubepass writes; -1 where the system has no user ids. */
export function ownUid(): number {
  return process.getuid?.() ?? -1
}
