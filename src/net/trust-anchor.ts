import type { X509Certificate } from 'node:crypto'

/** More certificates than a chain has in practice. */
const MAX_CHAIN = 10

/**
 * Returns the CA certificate at which the verified chain of the server's certificate ends. Node.js does not expose that chain, so this function
 * follows the issuers as OpenSSL does: a trusted issuer takes precedence over one that the server sent.
 * @param serverCertificate its chain of issuers has the other certificates that the server sent
 * @param trusted the CAs against which the chain was verified
 * @returns undefined when no trusted certificate is found
 */
export function trustAnchor(
  serverCertificate: X509Certificate,
  trusted: readonly X509Certificate[],
  now = Date.now(),
): X509Certificate | undefined {
  const valid = trusted.filter(({ validFromDate, validToDate }) => validFromDate.getTime() <= now && now <= validToDate.getTime())
  const sent = chainOf(serverCertificate)
  let current = serverCertificate
  let anchor = valid.find(({ raw }) => raw.equals(serverCertificate.raw))
  for (let depth = 0; depth < MAX_CHAIN && !isIssuedBy(current, current); depth += 1) {
    const trustedIssuer = valid.find((each) => isIssuedBy(current, each))
    const issuer = trustedIssuer ?? (anchor === undefined ? sent.find((each) => isIssuedBy(current, each)) : undefined)
    if (issuer === undefined) return anchor
    anchor = trustedIssuer ?? anchor
    current = issuer
  }
  return anchor
}

function chainOf(serverCertificate: X509Certificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  for (let next = serverCertificate.issuerCertificate; next !== undefined && chain.length < MAX_CHAIN; next = next.issuerCertificate)
    chain.push(next)
  return chain
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
