/** What an LMTP server says after the final dot: a reply for each recipient that RCPT took, in that order (RFC 2033). */
import type { Reply } from '../protocol/smtp-reply.ts'
import type { Failure } from './ending.ts'
import type { HearsReply, OpenEnvelope } from './inside-library.ts'
import { parseRemoteReply } from './remote-reply.ts'

export class LmtpReplies {
  /** Who has the message, whatever becomes of the others. */
  readonly taken = new Map<string, Reply>()
  readonly #envelope: OpenEnvelope
  readonly #waiting: string[]
  readonly #isDue: () => boolean
  readonly #done: HearsReply
  #refusal: Failure | undefined
  #lastTaken = ''

  /** `isDue`: all of the message has been sent. `done`: hears the last reply, or a refusal when nobody has the message. */
  constructor(envelope: OpenEnvelope, isDue: () => boolean, done: HearsReply) {
    this.#envelope = envelope
    this.#waiting = [...envelope.accepted]
    this.#isDue = isDue
    this.#done = done
  }

  get expected(): number {
    return this.#waiting.length
  }

  hear(response: string): void {
    const recipient = this.#waiting.shift()
    const answer = parseRemoteReply(response)
    // what is said before the end of the data is not about this message
    if (recipient === undefined || answer === undefined || !this.#isDue())
      return this.#done({ code: 'EPROTOCOL', message: `unexpected reply: ${response.slice(0, 3)}` })
    if (answer.code < 300) {
      this.taken.set(recipient, answer)
      this.#lastTaken = response
    } else {
      this.#refusal = { code: 'EMESSAGE', message: 'Message refused', response, recipient }
      this.#envelope.rejectedErrors.push(this.#refusal)
    }
    if (this.#waiting.length > 0) return undefined
    return this.taken.size === 0 && this.#refusal ? this.#done(this.#refusal) : this.#done(null, this.#lastTaken)
  }
}
