import { quote } from '../base/quote.ts'
import { GUARD } from './missing-namespace.ts'
import type { Attributes } from './request-attributes.ts'

/**
 * The RBAC rule that a 403 asks for, and the other possible causes: a 403 does not say whether the object exists.
 * @param user whom the API server takes the identity for, as its message says
 */
export function missingRule(what: Attributes, user: string): string {
  const { verb, resource } = what
  if (resource === 'serviceaccounts/token') return ruleForTokens(what, user)
  if (resource === 'secrets' && verb === 'list') return ruleForSweep(what, user)
  if (resource === 'secrets' && verb === 'create') return ruleForBoundSecrets(what, user)
  return ruleToAdd(what, user, [verb])
}

function ruleForTokens(what: Attributes, user: string): string {
  const { namespace = '', name = '' } = what
  return (
    `The ServiceAccount ${quote(name)} may not exist in namespace ${quote(namespace)}, or the Role of ${quote(user)} does not have its name in resourceNames. ` +
    `Correct service_account if it is misspelled: kubectl get serviceaccounts -n ${namespace}\nIf it is right: ${ruleToAdd(what, user, [what.verb], [name])}`
  )
}

function ruleForSweep(what: Attributes, user: string): string {
  const { namespace = '' } = what
  return (
    `${isNamespaceRight(namespace)} If it is right: ${ruleToAdd(what, user, ['list', 'delete'])}\n` +
    `An identity that may list Secrets can read them. Add the rule only if the namespace ${quote(namespace)} holds no Secrets but bound Secrets. deploy/sweeper has the Role.`
  )
}

function ruleForBoundSecrets(what: Attributes, user: string): string {
  const { namespace = '' } = what
  return (
    `${isNamespaceRight(namespace)} If it is right: ${ruleToAdd(what, user, ['create', 'delete'])}\n` +
    `Add the rule only if the namespace ${quote(namespace)} holds nothing but scanner ServiceAccounts, has the label ${GUARD}, and the cluster has the ` +
    'admission policies of deploy/base: without these, an identity that may create and delete Secrets can make a token that never expires.\n' +
    'Or set revocation: best-effort to go on with a token that cannot be revoked.'
  )
}

function isNamespaceRight(namespace: string): string {
  return `Is service_account right? The namespace ${quote(namespace)} may not exist.`
}

/** @param resourceNames the only objects that the rule is for; all objects if undefined */
function ruleToAdd({ group, resource, namespace }: Attributes, user: string, verbs: string[], resourceNames?: string[]): string {
  const place = namespace === undefined ? 'a ClusterRole' : `a Role in namespace ${quote(namespace)}`
  const names = resourceNames === undefined ? '' : `resourceNames: ${listed(resourceNames)}, `
  return (
    `Add this RBAC rule to ${place} that is bound to ${quote(user)}: ` +
    `{apiGroups: ${listed([group])}, resources: ${listed([resource])}, ${names}verbs: ${listed(verbs)}}`
  )
}

function listed(words: string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(', ')}]`
}
