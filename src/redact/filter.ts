/**
 * Takes the next piece of an output and returns the text to show. The text is valid until the next call. A filter delays no
 * bytes. It returns the piece itself if it changes nothing.
 */
export type Filter = (piece: Buffer) => Buffer
