/** What is wrong with a value: it follows the name of the input, or of the field, that holds it. */
export class InvalidValue extends Error {}
