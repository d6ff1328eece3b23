import { createServer, connect, type Server, type Socket } from 'node:net'

export interface Relay {
  server: Server
  /** Closes all connections immediately. */
  cut(): void
}

/** Relays connections to `port`. Each round trip and each new connection takes `latency` ms longer. */
export function relay(port: number, latency: number): Relay {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    // The relay delays only the direction to the server. The first bytes also wait for the delay of the handshake.
    const connected = Date.now() + latency
    const later = (deliver: () => void): void => {
      setTimeout(deliver, Math.max(latency, connected + latency - Date.now()))
    }
    near.on('data', (chunk) => {
      later(() => far.write(chunk))
    })
    near.on('end', () => {
      later(() => far.end())
    })
    far.on('data', (chunk) => near.write(chunk))
    far.on('end', () => near.end())
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', (hadError) => {
        sockets.delete(socket)
        if (hadError) other.resetAndDestroy()
      })
    }
  })
  return {
    server,
    cut() {
      for (const socket of sockets) socket.destroy()
    },
  }
}
