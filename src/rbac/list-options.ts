import { nameSelectedBy } from './field-selector.ts'
import { isInt64 } from './int64.ts'
import { isLabelSelector } from './label-selector.ts'
import { firstValues } from './request-target.ts'

export interface ListOptions {
  readonly isWatch: boolean
  /** The only object that the field selector can choose. */
  readonly name: string | undefined
}

/** Reads the query of a list or watch as the API server reads it before it asks the authorizer. */
export function readListOptions(query: string): ListOptions {
  const values = firstValues(query)
  const watch = values.get('watch')
  const isReadable = ['limit', 'timeoutSeconds'].every((key) => isInt64(values.get(key) ?? '0'))
  const selected = nameSelectedBy(values.get('fieldSelector') ?? '')
  if (isReadable && 'name' in selected && isLabelSelector(values.get('labelSelector') ?? ''))
    // The flag u folds the case of letters beyond ASCII, as strings.EqualFold does.
    return { isWatch: watch !== undefined && watch !== '0' && !/^false$/iu.test(watch), name: nameOf(selected.name) }
  // If any option is wrong, the API server drops all of them and reads watch in another way.
  return { isWatch: watch !== undefined && !['false', '0'].includes(watch.toLowerCase()), name: undefined }
}

/** The API server ignores a name that no path can hold. */
function nameOf(selected: string | undefined): string | undefined {
  return selected === undefined || /^\.\.?$|[/%]/.test(selected) ? undefined : selected
}
