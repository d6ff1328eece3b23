import { existsSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { currentPath, removeMovedDirectory, removePrivateDirectory } from '../scan/private-directory.ts'
import { acceptanceOf } from '../state/credential-state.ts'
import { warn, type Run } from './run-context.ts'

/** @returns true if kubepass removed everything that must not stay */
export async function removeFiles(run: Run, keepToken: boolean): Promise<boolean> {
  const { options, platform } = run
  const { directory } = run.journal.state
  const moved = whereMoved(run)
  const why = removePrivateDirectory(directory, options.directory, platform.ownerUid, keepToken)
  const facts = why === undefined ? moved : [`The directory ${directory} was not removed: ${why}.`, ...moved]
  if (facts.length > 0) await warn(run, facts.join(' '))
  return why === undefined && !keepToken
}

/** Removes a private directory that the scan moved. The process that made the directory finds it by its descriptor. */
function whereMoved({ directoryDescriptor: made, journal, provenance, platform }: Run): string[] {
  const { directory, credentials, cleanupAttempted } = journal.state
  if (made === undefined) {
    const wasWritten = credentials.some((credential) => acceptanceOf(credential) !== undefined)
    const isMissing = (provenance === 'saved' || provenance === 'merged') && wasWritten && !cleanupAttempted && !existsSync(directory)
    // This is no warning: an earlier post step may have removed the directory.
    if (isMissing) platform.log.info(`The directory ${directory} does not exist: a step removed it, or moved it with the token in it.`)
    return []
  }
  try {
    const place = currentPath(directory, made)
    if (place === undefined || place === directory) return []
    const why = removeMovedDirectory(place, made, platform.ownerUid)
    const outcome = why === undefined ? 'It was removed there.' : `It was not removed there: ${why}.`
    return [`The scan moved the directory ${directory} to ${quote(place)}. ${outcome}`]
  } catch (error) {
    return [`The scan moved the directory ${directory}, and it cannot be found (${errnoOf(error)}).`]
  }
}
