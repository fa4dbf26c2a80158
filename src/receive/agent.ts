/** What a kind of listener promises: who may send, and to whom (mx.ts, submission.ts). */
import type { Address } from '../message/address.ts'
import type { ForwardPath } from '../protocol/smtp-envelope.ts'
import type { MailCommand } from '../protocol/smtp-path.ts'
import type { Reply } from '../protocol/smtp-reply.ts'
import type { Inbox, SessionFacts } from '../protocol/smtp-session.ts'

export interface Agent {
  readonly kind: 'mx' | 'submission'
  readonly inbox: Inbox
  /**
   * Present where AUTH is offered, and a login then needed before MAIL. `undefined`: wrong name or password; a reply: it
   * was not looked at.
   */
  readonly login?: Login
  /** Of submission: the user with this address, whom a trusted server vouches for; or why there is none. */
  userNamed?(address: Address): MaybeLater<Address | Reply>
  /** The refusal of this sender, or `undefined`. */
  onMail(session: SessionFacts, mail: MailCommand): MaybeLater<Reply | undefined>
  /** The refusal of this recipient, or `undefined`. */
  onRcpt(session: SessionFacts, to: ForwardPath): MaybeLater<Reply | undefined>
}

export type Login = (name: string, password: string, peerAddress: string) => Promise<Address | Reply | undefined>
export type MaybeLater<T> = T | Promise<T>
