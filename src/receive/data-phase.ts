/** One message on its way in, from 354 to the answer. */
import type { SmtpEnvelope } from '../protocol/smtp-envelope.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import { ContentRefused, type Inbox, type SessionFacts } from '../protocol/smtp-session.ts'
import type { Hold } from '../base/overload.ts'
import { ContentPipe } from './content-pipe.ts'
import { SHORT_OF } from './guards.ts'
import type { ReceiveEvents } from './receive.ts'

export class DataPhase {
  readonly #pipe = new ContentPipe()
  readonly #answer: Promise<Reply>
  readonly #events: ReceiveEvents
  readonly #hold: Hold
  #refusal: Reply | undefined

  /** `hold`: the memory for it; it is freed when the inbox is done with the message. */
  constructor(inbox: Inbox, session: SessionFacts, envelope: SmtpEnvelope, events: ReceiveEvents, hold: Hold) {
    this.#events = events
    this.#hold = hold
    this.#answer = this.#offer(inbox, session, envelope)
  }

  /** What `refuse` was given first. */
  get refusal(): Reply | undefined {
    return this.#refusal
  }

  /** Hands on a chunk; `next` is called when the reader wants more. */
  push(chunk: Uint8Array, next: () => void): void {
    if (!this.#hold.grow(chunk.length)) this.refuse(SHORT_OF.memory)
    this.#pipe.push(chunk, next)
  }

  /** The message cannot be accepted: the reader is told now, the client by `answer`. */
  refuse(refusal: Reply): void {
    this.#refusal ??= refusal
    this.#pipe.fail(new ContentRefused(refusal))
  }

  /** The client is gone before the end of its data. After the end, what was promised goes on (RFC 1047). */
  abort(): void {
    this.#pipe.fail(new ContentRefused(undefined))
  }

  /** The data has ended. Resolves to what the client is to hear; never rejects. */
  async answer(): Promise<Reply> {
    this.#pipe.end()
    const answer = await this.#answer
    return this.#refusal ?? answer
  }

  async #offer(inbox: Inbox, session: SessionFacts, envelope: SmtpEnvelope): Promise<Reply> {
    try {
      const answer = await inbox.accept({ session, envelope, content: this.#pipe })
      if (answer.code >= 400 || (answer.code >= 200 && answer.code < 300 && this.#pipe.readToEnd)) return answer
      throw new Error(`accepted with ${answer.code} before the end of the message`)
    } catch (error) {
      if (!(error instanceof ContentRefused))
        this.#events.trouble({ session: session.id, during: 'receiving a message', error })
      return reply(451, '4.3.0', 'Local error, try again later')
    } finally {
      this.#pipe.close()
      this.#hold.free()
    }
  }
}
