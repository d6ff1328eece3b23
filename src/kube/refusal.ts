import { KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { type ApiResponse, statusOf, quotedMessage } from './answer.ts'
import { hintFor } from './hint.ts'

/** A server that gives one of these answers has not read the whole request, and so has handed nothing on. https://www.rfc-editor.org/rfc/rfc6585#section-5 */
const REQUEST_NOT_READ = [413, 414, 431]

/** What the server kubeStatus, as an error for the user: its own words quoted, and what to do about them. */
export function refusalOf(answer: ApiResponse, what: string, auth: AuthInfo): KubepassError {
  const kubeStatus = statusOf(answer)
  const hint = hintFor(answer.request, { ...answer, kubeStatus }, auth)
  if (kubeStatus === undefined) {
    return new KubepassError(
      'UNREACHABLE',
      `Asked to ${what}, something that is no Kubernetes API server answered ${answer.status} with ${answer.bodyKind}.`,
      { hint, noEffect: REQUEST_NOT_READ.includes(answer.status) && !answer.mayHaveActed },
    )
  }
  return new KubepassError('REFUSED', `The API server refused to ${what}: ${answer.status}${quotedMessage(kubeStatus)}.`, {
    hint,
    noEffect: !answer.mayHaveActed,
  })
}

export function incompleteResponse(what: string): KubepassError {
  return new KubepassError('UNREACHABLE', `What answered for the API server said yes, but sent no ${what}.`, {
    hint: 'Is there a gateway in between that rewrites answers?',
  })
}
