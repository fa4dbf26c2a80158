/** SMTP in, from the connection up to "250": what wiring/ starts, stops, and hands in. */
import { once } from 'node:events'
import type { Address, Domain } from '../message/address.ts'
import type { Agent } from './agent.ts'
import { type GuardDeps, Guards } from './guards.ts'
import { RECEIVE_LIMITS, type ReceiveLimits } from './limits.ts'
import { NO_TRUST, type Trust } from './trust.ts'
import { SmtpListener } from './smtp-listener.ts'

export interface ListenerOptions {
  /** What this listener promises: `mxAgent(…)` or `submissionAgent(…)`. */
  readonly agent: Agent
  /** 0: a free one. */
  readonly port: number
  readonly host: string
  /** Our name, in the greeting and the answer to EHLO. */
  readonly hostname: Domain
  /** Who `RCPT TO:<postmaster>` is for (RFC 5321 §4.5.1). */
  readonly postmaster: Address
  readonly tls: TlsKeys
  /** TLS from the first byte (465, RFC 8314 §3.3); else STARTTLS is offered. */
  readonly implicitTls?: boolean
  /** AUTH without TLS for clients on this machine. */
  readonly allowPlainAuthOnLoopback?: boolean
  /** Default: nobody. */
  readonly trust?: Partial<Trust>
  readonly limits?: Partial<ReceiveLimits>
  /** Rates and overload, which all listeners share; without it only `limits` hold. */
  readonly guards?: GuardDeps
  readonly events: ReceiveEvents
}

/** PEM. */
export interface TlsKeys {
  readonly key: string
  readonly cert: string
}

/** What happens, for log, metrics and audit; the functions of base/events.ts fit. */
export interface ReceiveEvents {
  loginSucceeded(facts: LoginFacts): void
  loginFailed(facts: LoginFacts): void
  /** A command or a message was answered with 4yz or 5yz; without a session: a connection that never became one. */
  refused(facts: {
    readonly by: 'mx' | 'submission'
    readonly session?: string
    readonly peerAddress: string
    readonly reply: string
  }): void
  trouble(facts: { readonly during: string; readonly error: unknown; readonly session?: string }): void
  /** A TLS handshake or a socket failed; nothing was lost. */
  connectionFailed(facts: { readonly by: 'mx' | 'submission'; readonly why: string }): void
}

export interface LoginFacts {
  readonly by: 'submission'
  readonly name: string
  readonly peerAddress: string
  readonly session: string
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** For connections from now on. Throws when key and certificate are no pair, and keeps the old ones. */
  setTls(tls: TlsKeys): void
  /** For connections from now on. */
  setLimits(limits: Partial<ReceiveLimits>): void
  /** Open now. */
  connections(): number
  /** Accepts nobody any more; sessions end when nothing is under way in them, at the latest after `graceMs`. */
  stop(graceMs: number): Promise<void>
}

/** Listens. Rejects when the address cannot be used. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { agent, hostname, postmaster, events, implicitTls = false } = options
  const listener = new SmtpListener(
    {
      agent,
      hostname,
      postmaster,
      events,
      limits: { ...RECEIVE_LIMITS, ...options.limits },
      guards: new Guards(options.guards),
      allowPlainAuthOnLoopback: options.allowPlainAuthOnLoopback ?? false,
      startTlsOffered: !implicitTls,
      trust: { ...NO_TRUST, ...options.trust },
    },
    { implicitTls, tls: options.tls },
  )
  await once(listener.listen(options.port, options.host), 'listening')
  const address = listener.server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP listener')
  return {
    host: address.address,
    port: address.port,
    setTls: (tls) => listener.setTls(tls),
    setLimits: (limits) => listener.setLimits({ ...RECEIVE_LIMITS, ...limits }),
    connections: () => listener.connectionCount,
    stop: (graceMs) => listener.stop(graceMs),
  }
}
