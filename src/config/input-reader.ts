import type { Code } from '../base/errors.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { type ClusterSource, clusterSourceOf, isSuperfluous } from './cluster-source.ts'
import type { GivenInputs, InputValues, Rule } from './given-inputs.ts'
import { type InputParser, inputParsers } from './input-parsers.ts'
import { exampleOf, type InputId, inputs } from './inputs.ts'
import { InvalidValue } from './invalid-value.ts'
import type { InputSource } from './source.ts'

/** A fault of the inputs. */
export interface Problem {
  /** The name of the input and its fault. */
  readonly text: string
  readonly code: Code
}

/** Reads each input at most once, and collects the problems in the order in which they are found. */
export class InputReader implements GivenInputs {
  readonly source: InputSource
  readonly purpose: 'start' | 'finish'
  readonly clusterSource: ClusterSource | undefined
  readonly #seal: Seal
  readonly #values: { -readonly [Id in InputId]?: InputValues[Id] } = {}
  readonly #wrong = new Set<InputId>()
  readonly #problems: Problem[] = []

  constructor(source: InputSource, seal: Seal, purpose: 'start' | 'finish') {
    this.source = source
    this.purpose = purpose
    this.#seal = seal
    this.clusterSource = clusterSourceOf((id) => this.text(id), source.env)
  }

  /** The problems of the inputs that were read and the rules that were checked. */
  get problems(): readonly Problem[] {
    return this.#problems
  }

  text(id: InputId): string {
    return (this.source.input(id) ?? '').trim()
  }

  has(id: InputId): boolean {
    return this.text(id) !== ''
  }

  nameOf(id: InputId): string {
    return this.source.nameOf(id)
  }

  isSuperfluous(id: InputId): boolean {
    return isSuperfluous(id, this.text(id), this.clusterSource)
  }

  isWrong(id: InputId): boolean {
    return this.#wrong.has(id)
  }

  value<Id extends InputId>(id: Id): InputValues[Id] {
    if (!Object.hasOwn(this.#values, id)) this.#values[id] = this.#read(id)
    return this.#values[id] as InputValues[Id]
  }

  check(rule: Rule): void {
    const text = rule.problem(this)
    if (text !== undefined) this.#problems.push({ text, code: rule.code ?? 'INPUT' })
  }

  #read<Id extends InputId>(id: Id): InputValues[Id] {
    const parser: InputParser<InputValues[Id]> = inputParsers[id]
    if (this.isSuperfluous(id) || parser.isNeeded?.(this) === false) return parser.fallback
    const text = this.text(id) || (parser.defaultText?.(this.source) ?? inputs[id].default)
    try {
      if (text !== '') return parser.parse(text, this, this.#seal)
      if (this.#isRequired(id)) throw new InvalidValue('is missing')
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error
      this.#wrong.add(id)
      this.#problems.push({ text: `${this.nameOf(id)} ${error.message}; ${exampleOf(id)}`, code: 'INPUT' })
    }
    return parser.fallback
  }

  #isRequired(id: InputId): boolean {
    const { required } = inputs[id]
    return required === 'unless kubeconfig or in-cluster' ? this.clusterSource === undefined && this.#isIdentityKnown() : required === true
  }

  /** If the identity is misspelled, a missing server is not reported, because the intended identity may provide it. */
  #isIdentityKnown(): boolean {
    return inputs.identity.options?.includes(this.text('identity') || inputs.identity.default) ?? true
  }
}
