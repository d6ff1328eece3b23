import { make } from './memory'

/**
 * Classifies 16 bytes at once. Two tables give bits for the upper and the lower half of a byte. A byte is of a kind if both halves
 * share one of the kind's bits. A kind has one bit for each upper half, so that no byte is of a kind by mistake.
 */
@unmanaged
export class ByteKinds {
  /** Tables of 16 bytes, one for each upper and for each lower half. */
  upper: v128
  lower: v128
  private bits: i32

  static none(): ByteKinds {
    return make<ByteKinds>()
  }

  /**
   * Adds a kind. All kinds together may have 8 bits.
   * @returns the bits of the kind
   */
  add(bytes: string): i8 {
    const upperHalves = changetype<usize>(this) + offsetof<ByteKinds>('upper')
    const lowerHalves = changetype<usize>(this) + offsetof<ByteKinds>('lower')
    let bits = 0
    for (let i = 0; i < bytes.length; i += 1) {
      const upper = upperHalves + (bytes.charCodeAt(i) >>> 4)
      const lower = lowerHalves + (bytes.charCodeAt(i) & 15)
      let bit = load<u8>(upper) & bits
      if (bit == 0) {
        bit = this.bits + 1
        if (bit > 0x80) unreachable()
        this.bits |= bit
        bits |= bit
      }
      store<u8>(upper, load<u8>(upper) | bit)
      store<u8>(lower, load<u8>(lower) | bit)
    }
    return <i8>bits
  }
}

/** Looks up the bits of each of 16 bytes in the tables of some kinds. A byte that is of no kind gets no bit. */
export function kindsOf(bytes: v128, upper: v128, lower: v128): v128 {
  return v128.and(i8x16.swizzle(upper, i8x16.shr_u(bytes, 4)), i8x16.swizzle(lower, v128.and(bytes, i8x16.splat(15))))
}

/** Returns one bit for each of 16 bytes: 1 if the byte has one of these bits. */
export function whichHave(kinds: v128, bits: i8): i32 {
  return ~i8x16.bitmask(i8x16.eq(v128.and(kinds, i8x16.splat(bits)), i8x16.splat(0))) & 0xffff
}

/** Returns one bit for each of 16 bytes: 1 if it equals `byte`. */
export function whichAre(bytes: v128, byte: i32): i32 {
  return i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(<i8>byte)))
}
