/** The first free byte. */
let free: usize = __heap_base

/**
 * Allocates memory that holds zeros. Nothing is freed: each growing buffer doubles its size, so that less memory is lost than is
 * in use.
 * @returns the address, a multiple of 16
 */
export function allocate(size: usize): usize {
  const at = (free + 15) & ~15
  free = at + size
  const missing = <i32>((free + 0xffff) >>> 16) - memory.size()
  if (missing > 0 && memory.grow(missing) < 0) unreachable()
  return at
}

/** Allocates an object. All its fields are 0. */
export function make<T>(): T {
  return changetype<T>(allocate(offsetof<T>()))
}
