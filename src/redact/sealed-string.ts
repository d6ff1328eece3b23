import { inspect } from 'node:util'

/**
 * Holds a value in a private field, so that no print, template, JSON, inspect, spread or clone shows it. Only the redactor makes
 * sealed values, so that it knows each of them.
 */
class SealedValue {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** Returns the value itself. A contract test lists every caller. */
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

/** Only the redactor may call this function. */
export function sealedString(value: string): SealedString {
  return new SealedValue(value)
}
