import { ByteKinds, kindsOf, whichHave } from './byte-kinds'
import { allocate, make } from './memory'
import { afterRun, nextRun, runEnd } from './runs'
import { BEYOND, mark } from './text'

const LF = 0x0a
/** For each of the 256 subsets of 8 bytes: the indices of its members, in order. */
const orders = newOrders()

function newOrders(): usize {
  const orders = allocate(256 * 8)
  for (let set = 0; set < 256; set += 1) {
    let length = 0
    for (let index = 0; index < 8; index += 1)
      if (((set >>> index) & 1) != 0) {
        store<u8>(orders + (set << 3) + length, index)
        length += 1
      }
  }
  return orders
}

/** What to do with each byte: drop it, return it to the caller for a closer look, or else keep it. */
@unmanaged
export class Actions {
  kinds: ByteKinds
  drop: i8
  inspect: i8

  static of(drop: string, inspect: string): Actions {
    const actions = make<Actions>()
    actions.kinds = ByteKinds.none()
    actions.drop = actions.kinds.add(drop)
    actions.inspect = actions.kinds.add(inspect)
    return actions
  }
}

/** A text without the bytes that a dump puts between its characters, with the original address of each byte. */
@unmanaged
export class Reading {
  bytes: usize
  places: usize
  length: usize

  /** Creates an empty reading with room for this many bytes. */
  static of(capacity: usize): Reading {
    const reading = make<Reading>()
    reading.bytes = allocate(capacity + BEYOND)
    reading.places = allocate(4 * (capacity + BEYOND))
    return reading
  }

  add(byte: u8, place: usize): void {
    store<u8>(this.bytes + this.length, byte)
    store<u32>(this.places + (this.length << 2), <u32>place)
    this.length += 1
  }

  /**
   * Adds bytes up to the first one that the caller must inspect.
   * @returns the address of that byte, or `to`
   */
  addUntil(to: usize, from: usize, actions: Actions): usize {
    let at = from
    while (true) {
      const bytes = v128.load(at)
      const kinds = kindsOf(bytes, actions.kinds.upper, actions.kinds.lower)
      const inspected = whichHave(kinds, actions.inspect) & 0xff
      const kept = ~whichHave(kinds, actions.drop) & 0xff
      if (inspected != 0 || at + 8 >= to) {
        const count = min(<i32>(to - at), ctz(inspected | 0x100))
        this.addSome(at, bytes, kept & ((1 << count) - 1))
        return at + count
      }
      this.addSome(at, bytes, kept)
      at += 8
    }
  }

  /** Adds each of the first 8 bytes whose bit is set in `kept`. */
  private addSome(at: usize, bytes: v128, kept: i32): void {
    const length = this.length
    const order = v128.load64_zero(orders + (kept << 3))
    v128.store64_lane(this.bytes + length, i8x16.swizzle(bytes, order), 0)
    const places = this.places + (length << 2)
    const indices = i16x8.extend_low_i8x16_u(order)
    v128.store(places, i32x4.add(i32x4.splat(<i32>at), i32x4.extend_low_i16x8_u(indices)))
    v128.store(places, i32x4.add(i32x4.splat(<i32>at), i32x4.extend_high_i16x8_u(indices)), 16)
    this.length = length + popcnt(kept)
  }

  /** Marks the runs of this reading at their original addresses in the text. */
  markPlacesOfRuns(): void {
    const end = this.bytes + this.length
    for (let run = nextRun(this.bytes, end); run != 0; run = nextRun(afterRun(), end))
      for (let at = run; at < runEnd; at += 1) {
        const place = this.placeOf(at)
        const next = at + 1 < runEnd ? this.placeOf(at + 1) : place + 1
        mark(place, hasLineEnd(place, next) ? place + 1 : next)
      }
  }

  private placeOf(at: usize): usize {
    return load<u32>(this.places + ((at - this.bytes) << 2))
  }
}

function hasLineEnd(from: usize, to: usize): bool {
  for (let at = from; at < to; at += 1) if (load<u8>(at) == LF) return true
  return false
}
