import { problemOfProxy } from '../net/proxy-variables.ts'
import { providedInputs } from './cluster-source.ts'
import { commandOf } from './command.ts'
import { wantsProxy } from './delivery.ts'
import type { GivenInputs, Rule } from './given-inputs.ts'
import { type InputId, inputs, NO_AUDIENCE } from './inputs.ts'

/** The rules about what surrounds the inputs, and who provides the cluster. No input need be read for them. */
export const sourceRules: readonly Rule[] = [
  { name: 'the proxy variable is a URL', problem: ({ source }) => problemOfProxy(source.env) },
  ...providedInputs.map((id): Rule => ({
    name: `the identity provides ${id}, or the input does`,
    problem: (given) =>
      given.isSuperfluous(id)
        ? `${given.nameOf(id)} is given, but the identity ${given.clusterSource} provides it: leave one of them out`
        : undefined,
  })),
]

export const tokenRule: Rule = {
  name: 'the token is given once',
  problem: (given) =>
    given.value('token') !== undefined && given.has('token_file')
      ? `${given.nameOf('token')} and ${given.nameOf('token_file')} are both given: leave one out`
      : undefined,
}

/** The rules between inputs, in the order of their problems. */
export const inputRules: readonly Rule[] = [
  { name: 'a run without later steps has a command', problem: problemOfNoCommand },
  {
    name: 'isolate: required needs a command',
    problem: (given) =>
      given.purpose === 'start' && given.source.hasLaterSteps && given.value('isolate') === 'required' && commandOf(given) === undefined
        ? `${given.nameOf('isolate')} is required, but later steps cannot be isolated: set ${given.nameOf('command')}`
        : undefined,
  },
  {
    name: 'delivery: output excludes a command',
    problem: (given) =>
      given.value('delivery') === 'output' && commandOf(given) !== undefined
        ? `${given.nameOf('delivery')} is output, which is for later steps: with a command use env`
        : undefined,
  },
  {
    name: 'delivery: proxy needs a command',
    problem: (given) =>
      given.purpose === 'start' && given.value('delivery') === 'proxy' && commandOf(given) === undefined
        ? `${given.nameOf('delivery')} is proxy, but there is no command: set ${given.nameOf('command')}, or leave ${given.nameOf('delivery')} out`
        : undefined,
  },
  needsProxy('requests'),
  needsProxy('allow'),
  {
    name: 'rotate_grace excludes the API proxy',
    problem: (given) =>
      given.purpose === 'start' && given.has('rotate_grace') && usesProxy(given)
        ? `${given.nameOf('rotate_grace')} is for scans that hold the token: leave it out, or set ${given.nameOf('delivery')} to kubeconfig`
        : undefined,
  },
  {
    name: 'identity: token needs token or token_file',
    problem: (given) =>
      given.value('identity') === 'token' && !given.has('token') && !given.has('token_file')
        ? `${given.nameOf('identity')} is token, but neither ${given.nameOf('token')} nor ${given.nameOf('token_file')} is given`
        : undefined,
  },
  {
    name: 'prove: post needs a post step that can fail the job',
    problem: (given) =>
      given.value('prove') === 'post' && !given.source.postFailsJob
        ? `${given.nameOf('prove')} is post, but here ${given.source.hasPost ? 'after_script cannot fail the job' : 'no post step follows'}`
        : undefined,
  },
  {
    name: 'prove: post excludes the API proxy',
    problem: (given) =>
      given.purpose === 'start' && given.value('prove') === 'post' && given.source.postFailsJob && usesProxy(given)
        ? `${given.nameOf('prove')} is post, but with the API proxy no file keeps the token for the post step: leave it out, or set ${given.nameOf('delivery')} to kubeconfig`
        : undefined,
  },
  {
    name: 'report: check needs github_token',
    problem: (given) =>
      given.value('report') === 'check' && !given.has('github_token')
        ? `${given.nameOf('report')} is check, but ${given.nameOf('github_token')} is empty`
        : undefined,
  },
  {
    name: 'a log that shows every variable needs allow_debug_trace',
    problem: (given) =>
      given.purpose === 'start' && given.source.debugTraceVariable !== undefined && !given.value('allow_debug_trace')
        ? `${given.source.debugTraceVariable} is true: the log shows every variable, the ID token among them; unset it, or set ${given.nameOf('allow_debug_trace')} to true`
        : undefined,
  },
  {
    name: 'identity: gitlab-oidc needs an audience',
    problem: (given) =>
      given.value('identity') === 'gitlab-oidc' && given.value('audience') === NO_AUDIENCE
        ? `${given.nameOf('audience')} is missing: the ID token is issued for it; for example: ${given.value('server') || inputs.audience.example}`
        : undefined,
  },
  {
    name: 'identity: kubeconfig needs kubeconfig',
    problem: (given) =>
      given.value('identity') === 'kubeconfig' && !given.has('kubeconfig')
        ? `${given.nameOf('identity')} is kubeconfig, but ${given.nameOf('kubeconfig')} is not given`
        : undefined,
  },
  {
    name: 'kubeconfig excludes other identities',
    problem: (given) => {
      const identity = given.value('identity')
      return given.has('kubeconfig') && identity !== 'auto' && identity !== 'kubeconfig'
        ? `${given.nameOf('kubeconfig')} is given, but ${given.nameOf('identity')} is ${identity}`
        : undefined
    },
  },
  needsKubeconfig('context'),
  needsKubeconfig('allow_exec'),
]

/** The text of the default counts as not given, because templates give it. */
function needsProxy(id: 'requests' | 'allow'): Rule {
  return {
    name: `${id} needs the API proxy`,
    problem: (given) =>
      given.purpose === 'start' && given.has(id) && given.text(id) !== inputs[id].default && !usesProxy(given)
        ? `${given.nameOf(id)} needs the API proxy, but the scan gets the token: give a command, and set ${given.nameOf('delivery')} to proxy`
        : undefined,
  }
}

function usesProxy(given: GivenInputs): boolean {
  return wantsProxy({ command: commandOf(given), delivery: given.value('delivery') })
}

function problemOfNoCommand(given: GivenInputs): string | undefined {
  const { hasLaterSteps, hasPost } = given.source
  if (given.purpose === 'finish' || hasLaterSteps || commandOf(given) !== undefined) return undefined
  return `no command was given${hasPost ? `: set ${given.nameOf('command')}` : ': kubepass run [FLAGS] -- COMMAND'}`
}

/** The text of the default counts as not given, because templates give it. */
function needsKubeconfig(id: InputId): Rule {
  return {
    name: `${id} needs kubeconfig`,
    problem: (given) =>
      given.has(id) && given.text(id) !== inputs[id].default && !given.has('kubeconfig')
        ? `${given.nameOf(id)} is given without ${given.nameOf('kubeconfig')}`
        : undefined,
  }
}
