import { inspect } from 'node:util'

/**
 * A value that no print, template, JSON, inspect, spread or clone shows: it lives in a private field.
 * Only the redactor makes one, so no secret exists that the redactor does not know.
 */
class SealedValue {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Every caller is listed in a contract test. */
  reveal(): string {
    return this.#value
  }

  /** The length of the value as a string. */
  get length(): number {
    return this.#value.length
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

export type SealedString = SealedValue
export type Seal = (value: string) => SealedString

/** For the redactor alone. */
export function sealedString(value: string): SealedString {
  return new SealedValue(value)
}
