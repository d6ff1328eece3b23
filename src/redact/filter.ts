/**
 * Takes the next piece of an output and returns the text to show, which is valid until the next call. A filter holds nothing
 * back. It returns the piece itself if it changes nothing.
 */
export type Filter = (piece: Buffer) => Buffer
