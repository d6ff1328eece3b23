import { KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { type ApiResponse, statusOf, quotedMessage } from './answer.ts'
import { hintFor } from './hint.ts'

/**
 * A server that sends one of these statuses has not read the whole request, so it has forwarded nothing.
 * https://www.rfc-editor.org/rfc/rfc6585#section-5
 */
const REQUEST_NOT_READ = [413, 414, 431]

/**
 * The error for a response that is no success: the API server's message, quoted, and a hint.
 * @param action completes "asked to ...": `create a Secret in namespace "x"`
 */
export function refusalOf(answer: ApiResponse, action: string, auth: AuthInfo): KubepassError {
  const kubeStatus = statusOf(answer)
  const hint = hintFor(answer.request, { ...answer, kubeStatus }, auth)
  if (kubeStatus === undefined) {
    return new KubepassError(
      'UNREACHABLE',
      `kubepass asked to ${action}, but a program that is not a Kubernetes API server answered ${answer.status} with ${answer.bodyKind}.`,
      { hint, noEffect: REQUEST_NOT_READ.includes(answer.status) && !answer.mayHaveActed },
    )
  }
  return new KubepassError('REFUSED', `The API server refused to ${action}: ${answer.status}${quotedMessage(kubeStatus)}.`, {
    hint,
    noEffect: !answer.mayHaveActed,
  })
}

export function incompleteResponse(what: string): KubepassError {
  return new KubepassError('UNREACHABLE', `The answer reports success, but contains no ${what}.`, {
    hint: 'Does a gateway before the API server rewrite answers?',
  })
}
