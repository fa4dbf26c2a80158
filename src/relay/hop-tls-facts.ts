/** What TLS with a next hop has shown: what was negotiated, who the server is, and what later connections may take up. */
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { HopFacts } from '../base/mail-events.ts'
import { fail, ok, type Result } from '../base/result.ts'
import type { TlsFacts } from '../protocol/smtp-session.ts'
import type { ConnectTo } from './connection.ts'
import { matchChain } from './dane.ts'
import type { TlsVerdict } from './tls-policy.ts'

export interface HopTlsFacts extends TlsFacts {
  readonly verified: boolean
  /** Why its certificate does not prove its name, when nobody asked it to. */
  readonly distrust?: string
  /** An earlier session was taken up again. */
  readonly resumed: boolean
}

export function tlsOf(socket: Socket | undefined, proven: boolean): HopTlsFacts | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const cipher = socket.getCipher()
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: cipher.standardName,
    verified: proven || socket.authorized,
    ...(socket.authorizationError && { distrust: String(socket.authorizationError) }),
    resumed: socket.isSessionReused(),
  }
}

/** What is told of a session with `address` that `verdict` has asked for. */
export function hopFacts(address: string, { by, verify }: TlsVerdict, tls: HopTlsFacts | undefined): HopFacts {
  if (tls === undefined) return { address, tls: 'none', verified: 'none' }
  const verified = verify === 'nothing' || by === 'nobody' ? 'opportunistic' : by
  return { address, tls: tls.protocol, cipher: tls.cipher, verified }
}

/** The server's ticket comes after the handshake, before its next reply (RFC 8446 §4.6.1); it is good for many times. */
export function keepSession(socket: TLSSocket, { keepSession: keep }: ConnectTo): void {
  if (keep === undefined) return
  const session = socket.isSessionReused() ? undefined : socket.getSession()
  if (session !== undefined) keep(session)
}

/** Against what the host's domain has signed (RFC 7672 §3.2); nothing has been sent but EHLO. */
export function provesItself(socket: Socket | undefined, { verify, hostName, domain }: ConnectTo): Result<void> {
  if (typeof verify === 'string' || !(socket instanceof TLSSocket)) return fail('there is no TLS')
  if (socket.isSessionReused()) return ok(undefined) // it did when that session began
  const chain: X509Certificate[] = []
  for (let at = socket.getPeerX509Certificate(); at && !chain.includes(at); at = at.issuerCertificate) chain.push(at)
  return matchChain(chain, verify.tlsa, [...new Set([verify.base ?? hostName, domain])], Date.now())
}
