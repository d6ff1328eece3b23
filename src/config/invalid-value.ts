/** The fault of a value. The message follows the name of the input or of the field, such as "is too short". */
export class InvalidValue extends Error {}

/**
 * Reads a value.
 * @param toError makes the error for the user from the fault of an invalid value
 * @throws what `toError` returns, or any other error of `read`
 */
export function explainInvalid<T>(read: () => T, toError: (fault: string) => Error): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof InvalidValue ? toError(error.message) : error
  }
}
