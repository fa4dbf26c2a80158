/**
 * Whether the domains that a mail names have sent it (SPF, DKIM, ARC, DMARC). It is about the mail as it came, and goes on
 * beside its opening; no answer of the name server is waited for without end, and none that is missing refuses a mail.
 */
import { setImmediate as afterOthers } from 'node:timers/promises'
import {
  type Authentication,
  type Begun,
  beginAuthentication,
  finishAuthentication,
} from '../authentication/authenticate.ts'
import type { DnsAsk } from '../base/dns-client.ts'
import type { Domain } from '../message/address.ts'
import type { Incoming } from './settle-inbound.ts'

/** For all look-ups of one mail together; a sender's server waits ten minutes for the reply to its data. */
const WAIT_MAX_MS = 20_000
/** Of the body, hashed in one go: a fraction of a millisecond. */
const SLICE_BYTES = 64 * 1024

export interface SenderRules {
  readonly ask: DnsAsk
  /** Nobody is asked about what this client brings. */
  isExempt(peerAddress: string): boolean
  /** Intermediaries whose word counts (ARC). */
  readonly trustedSealers: readonly Domain[]
}

/** `undefined` of mail that is not to be judged: our own, and what trusted hosts bring. */
export async function authenticateSender(
  { ask, isExempt }: SenderRules,
  { arrived, client, mailFrom, nowMs }: Incoming,
): Promise<Authentication | undefined> {
  if (client === undefined || isExempt(client.peerAddress)) return undefined
  const begun = beginAuthentication(arrived.message.fields)
  if (begun.needsBody) await hashBody(begun, arrived)
  const query = { ip: client.peerAddress, mailFrom, helo: client.helo }
  const late = Promise.withResolvers<Authentication>()
  let isLate = false
  const limit = setTimeout(() => {
    isLate = true
    late.resolve(undecided(begun, query))
  }, WAIT_MAX_MS)
  const askInTime: DnsAsk = (name, type) => (isLate ? Promise.resolve(TOO_LATE) : ask(name, type))
  try {
    return await Promise.race([finishAuthentication(begun, query, { ask: askInTime, nowMs }), late.promise])
  } finally {
    clearTimeout(limit)
  }
}

async function hashBody({ bodies }: Begun, arrived: Incoming['arrived']): Promise<void> {
  for await (const chunk of arrived.body())
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      if (at > 0) await afterOthers()
      bodies.write(chunk.subarray(at, at + SLICE_BYTES))
    }
  bodies.end()
}

const TOO_LATE = { kind: 'trouble', why: 'no time is left' } as const

const undecided = (
  { signatures }: Begun,
  query: { readonly mailFrom: string; readonly helo: string },
): Authentication => ({
  spf: {
    result: 'temperror',
    identity: query.mailFrom === '' ? 'helo' : 'mailfrom',
    domain: query.mailFrom === '' ? query.helo : query.mailFrom.slice(query.mailFrom.lastIndexOf('@') + 1),
  },
  dkim: signatures.map(() => ({ result: 'temperror' })),
  arc: { result: 'none', sealers: [] },
  dmarc: { result: 'temperror' },
})
