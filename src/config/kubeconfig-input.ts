import { dirname, resolve } from 'node:path'
import { quote } from '../base/quote.ts'
import type { KubeconfigInput } from './cluster-access.ts'
import { damageOfKubeconfig } from './damage.ts'
import type { GivenInputs } from './given-inputs.ts'
import { InvalidValue } from './invalid-value.ts'
import { isNoPath, kubeconfigContent } from './path-or-content.ts'
import { isInside, realpathOr } from './paths.ts'
import { textOfPath } from './read-pipes.ts'
import type { InputSource } from './source.ts'

/**
 * Reads the kubeconfig from its content, the base64 of it, or its path. Also reads the inputs that say how to use it.
 * @throws InvalidValue if the text is damaged, or the file cannot be read
 */
export function parseKubeconfigInput(text: string, given: GivenInputs): KubeconfigInput {
  const settings = {
    context: given.value('context'),
    allowExec: given.value('allow_exec'),
    systemRoots: given.value('certificate_authority') || undefined,
  }
  const content = kubeconfigContent(text)
  if (content !== undefined) return { ...settings, text: () => content, files: { refused: 'it was given as content' } }
  // The message does not quote the text, because it may be a part of a kubeconfig.
  if (isNoPath(text)) throw new InvalidValue(damageOfKubeconfig(text) ?? 'is neither a kubeconfig nor the path of one')
  const file = textOfPath(text, given.source.pipeTexts)
  return { ...settings, text: () => file, files: filesBeside(text, given.source) }
}

/** The base of relative paths in the kubeconfig with this path, or why it may name no file. */
function filesBeside(path: string, { whyNoFilesInKubeconfig, workspace }: InputSource): KubeconfigInput['files'] {
  if (whyNoFilesInKubeconfig !== undefined) return { refused: whyNoFilesInKubeconfig }
  const folder = dirname(resolve(path))
  // Not trusted, like content: files of the job, and files that GitLab makes of variables. The runner's owner did not write them.
  const ofTheJob = workspace === undefined ? [] : [workspace, `${workspace}.tmp`].map(realpathOr)
  const jobFolder = ofTheJob.find((place) => [realpathOr(folder), realpathOr(path)].some((real) => isInside(real, place)))
  return jobFolder === undefined ? { folder } : { refused: `it lies in ${quote(jobFolder)}` }
}
