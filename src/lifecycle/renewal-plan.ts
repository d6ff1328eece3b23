import type { CredentialState } from '../state/credential-state.ts'

/** The next thing to do while a scan runs, at a time in ms since 1970. */
export type RenewalStep =
  { readonly do: 'renew'; readonly at: number } | { readonly do: 'revoke'; readonly number: number; readonly at: number }

/**
 * @param renewAt when the credential in use is to be renewed, ms since 1970
 * @param tried the replaced credentials that this process has already tried to revoke
 */
export function nextStep(credentials: readonly CredentialState[], renewAt: number, tried: ReadonlySet<number>): RenewalStep {
  const replaced = credentials.flatMap((credential) => {
    const isDue = credential.phase === 'issued' && credential.revokeAt !== undefined && credential.slot !== 'unbound'
    return isDue && !tried.has(credential.number) ? [{ number: credential.number, at: Date.parse(credential.revokeAt ?? '') }] : []
  })
  const [first] = replaced.toSorted((one, other) => one.at - other.at)
  return first !== undefined && first.at < renewAt ? { do: 'revoke', ...first } : { do: 'renew', at: renewAt }
}

/** The slot of the next credential: a free one, or else the one whose token is dead first; never the one in use. */
export function nextSlot(credentials: readonly CredentialState[], numberInUse: number | undefined): 0 | 1 | 2 {
  const endOf = (slot: number): number => Date.parse(credentials.find((each) => each.slot === slot)?.deadBy ?? '') || 0
  const slots = ([0, 1, 2] as const).filter((slot) => credentials.find((each) => each.slot === slot)?.number !== (numberInUse ?? -1))
  return slots.reduce((first, slot) => (endOf(slot) < endOf(first) ? slot : first))
}
