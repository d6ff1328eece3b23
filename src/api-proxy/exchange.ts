/** One authenticated request of the scan, from its first byte to its end. */
export interface Exchange {
  /** Called when the response begins; `status` is that of the response, also of one that the proxy makes itself. */
  readonly begun: (status: number) => void
  /** Called once, when nothing of the exchange is left. */
  readonly ended: (bytesToServer: number, bytesToScan: number) => void
}
