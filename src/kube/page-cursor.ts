/** Objects per page. A page of bound Secrets is far below the response limit. After a larger response the page size is divided by 8. */
const PAGE = 250

/** How often the continue token may expire before listing fails. */
const MAX_EXPIRED_LISTS = 5

/** The next page of a list that the API server gives page by page. */
export class PageCursor {
  /** The API server's continue token; empty for the first page. */
  #token = ''
  #size = PAGE
  #expired = 0

  /** The query parameters of the page. */
  parameters(): Record<string, string> {
    return { limit: String(this.#size), ...(this.#token === '' ? {} : { continue: this.#token }) }
  }

  /**
   * Goes on to the page that the API server names.
   * @param token empty or undefined after the last page
   * @returns whether there is a next page
   */
  advance(token: string | undefined): boolean {
    this.#token = token ?? ''
    return this.#token !== ''
  }

  /**
   * Goes on after the continue token has expired: with another token, or without one at the first page.
   * @returns whether to ask again; false when too many tokens have expired
   */
  restart(token: string | undefined): boolean {
    this.#expired += 1
    this.#token = token ?? ''
    return this.#expired <= MAX_EXPIRED_LISTS
  }

  /** @returns whether to ask again; false when a page of one object was too large */
  shrink(): boolean {
    if (this.#size === 1) return false
    this.#size = Math.ceil(this.#size / 8)
    return true
  }

  /** After a response, the next page may be larger again. */
  grow(): void {
    this.#size = Math.min(this.#size * 2, PAGE)
  }
}
