/** The first free byte. */
let free: usize = __heap_base

/**
 * Gives out memory that holds zeros. Nobody gives it back: what grows doubles each time, so that less is lost than is in use.
 * @returns its address, a multiple of 16
 */
export function allocate(size: usize): usize {
  const at = (free + 15) & ~15
  free = at + size
  const missing = <i32>((free + 0xffff) >>> 16) - memory.size()
  if (missing > 0 && memory.grow(missing) < 0) unreachable()
  return at
}

/** Gives out the memory of an object, whose fields are 0. */
export function make<T>(): T {
  return changetype<T>(allocate(offsetof<T>()))
}
