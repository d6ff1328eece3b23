/** The fault of a value. The message follows the name of the input or of the field, such as "is too short". */
export class InvalidValue extends Error {}
