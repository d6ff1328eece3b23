import { exchangeOnLoopback, Http, type HttpRequest, type HttpResponse } from './http.ts'
import { proxyFor } from './proxy-variables.ts'

/** Exchanges with a web service, until it is closed. */
export interface WebExchange {
  send(request: HttpRequest): Promise<HttpResponse>
  close(): void
}

/**
 * Opens exchanges with a service whose certificate the system's CAs verify, through the proxy that the environment names. Plain HTTP works
 * for a loopback address only, and uses no proxy.
 * @throws INPUT if the proxy is neither http nor https
 */
export function openWebExchange(url: URL, env: NodeJS.ProcessEnv): WebExchange {
  if (url.protocol === 'http:') return { send: exchangeOnLoopback, close: () => undefined }
  const http = new Http({ ca: undefined, serverName: undefined, proxyUrl: proxyFor(url, env) })
  return { send: (request) => http.exchange(request), close: () => http.close() }
}
