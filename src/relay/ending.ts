/** How a transaction ended, and what that means for each recipient. Pure. */
import type { OutgoingMail, RecipientResult } from '../protocol/delivery.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import { outcomeOf, outcomeOfRcpt, parseRemoteReply } from './remote-reply.ts'

/** How far the client came. `sent`: every byte has been handed to the session. */
export type Stage = 'envelope' | 'sending' | 'sent'

/** The SMTP library's error, as far as we read it. */
export interface Failure {
  readonly code?: string | undefined
  readonly message: string
  readonly response?: string | undefined
  readonly recipient?: string | undefined
  readonly command?: string | undefined
}

export interface Ending {
  readonly stage: Stage
  /** The session cannot be used any more. */
  readonly lost: boolean
  readonly timedOut: boolean
  /** What went wrong; `undefined` when the data was accepted. */
  readonly why: string | undefined
  /** The message itself cannot be sent to any host. */
  readonly cannotBeSent: boolean
  /** Why our own content could not be read. */
  readonly unreadable: Error | undefined
  /** The reply that decided. */
  readonly said: Reply | undefined
  /** Recipients that were refused one by one, by address as given. */
  readonly refused: ReadonlyMap<string, Reply>
  /** Recipients that have the message, by LMTP: whatever happens to the session then. */
  readonly taken: ReadonlyMap<string, Reply>
}

/** The SMTP library would "repair" such a message, and break its signature. */
export class BareLineEnd extends Error {
  override readonly name = 'BareLineEnd'
  constructor() {
    super('The message has a bare CR or LF')
  }
}

/** What was said at the end of a transaction. */
interface Said {
  readonly error: Failure | undefined
  /** The reply to the final dot, when there was one. */
  readonly response: string | undefined
  /** By LMTP: the replies that took the message. */
  readonly taken: ReadonlyMap<string, Reply> | undefined
}

/** Puts what the library reports into our words. */
export function endingOf(stage: Stage, rejected: readonly Failure[], { error, response, taken }: Said): Ending {
  const refused = new Map<string, Reply>()
  for (const one of rejected) {
    const answer = parseRemoteReply(one.response ?? '')
    if (answer !== undefined && one.recipient !== undefined) refused.set(one.recipient, answer)
  }
  // EPROTOCOL: a reply that nobody asked for speaks about nothing
  const words = response ?? (error?.code === 'EPROTOCOL' ? undefined : error?.response)
  const cannotBeSent = error instanceof BareLineEnd || (error?.code === 'EENVELOPE' && error.command === 'API')
  return {
    stage,
    // a refusal in words leaves the session usable; anything else that went wrong does not
    lost: error !== undefined && (error.response === undefined || LOST_CODES.has(error.code ?? '')),
    timedOut: error?.code === 'ETIMEDOUT',
    why: error?.message,
    cannotBeSent,
    unreadable: error?.code === 'ESTREAM' && error instanceof Error && !cannotBeSent ? error : undefined,
    said: words === undefined ? undefined : parseRemoteReply(words),
    refused,
    taken: taken ?? new Map(),
  }
}

/** One result for each recipient of `mail`. `knowsDsn`: the host offered DSN, and so was told what to notify of. */
export function resultsOf(
  mail: OutgoingMail,
  ending: Ending,
  host: string,
  knowsDsn: boolean,
): readonly RecipientResult[] {
  const rest = verdictOnTheRest(ending, host)
  return mail.recipients.map(({ address }) => {
    const answer = ending.refused.get(address)
    if (answer !== undefined)
      return {
        recipient: address,
        outcome: outcomeOfRcpt(answer),
        reply: answer,
        remote: host,
        dsnPassedOn: false,
      }
    const thanks = ending.taken.get(address)
    if (thanks !== undefined)
      return { recipient: address, outcome: 'delivered', reply: thanks, remote: host, dsnPassedOn: knowsDsn }
    return { recipient: address, ...rest, dsnPassedOn: rest.outcome === 'delivered' && knowsDsn }
  })
}

/** What holds for the recipients that were not refused one by one. */
function verdictOnTheRest(ending: Ending, host: string): Pick<RecipientResult, 'outcome' | 'reply' | 'remote'> {
  const { said, why } = ending
  if (why === undefined && said !== undefined) {
    if (ending.stage === 'sent') return { outcome: 'delivered', reply: said, remote: host }
    // accepted before it had been sent: whatever was accepted, it was not this message
    return { outcome: 'deferred', reply: reply(451, '4.5.0', `${host} answered before the end of the data`) }
  }
  if (ending.cannotBeSent) return { outcome: 'failed', reply: reply(554, '5.6.0', why ?? 'The message cannot be sent') }
  if (said !== undefined && said.code >= 400) return { outcome: outcomeOf(said), reply: said, remote: host }
  // lost without a word, or with words that fit nothing: also after the final dot, where the host may have taken it.
  // Twice is better than never (RFC 1047)
  const what = said === undefined ? (why ?? 'no reply') : `unexpected reply ${said.code}`
  return {
    outcome: 'deferred',
    reply: reply(451, '4.4.2', `Session with ${host}: ${what}`),
  }
}

const LOST_CODES = new Set(['ECONNECTION', 'EPROTOCOL', 'ESOCKET', 'ETIMEDOUT'])
