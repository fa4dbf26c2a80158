/** Ports 587 and 465 (RFC 6409, RFC 8314): mail from our own users, signed in, under their own address. */
import assert from 'node:assert/strict'
import { sameAddress, type Address } from '../message/address.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import type { Inbox, SessionFacts } from '../protocol/smtp-session.ts'
import type { Agent, Login } from './agent.ts'

export interface SubmissionDeps {
  readonly inbox: Inbox
  readonly login: Login
  /** The active user with this address, or a reply when that cannot be told now. */
  user(address: Address): Promise<Address | Reply | undefined>
  /** May this user send as that address? Without it: only as the address they signed in as. */
  maySendAs?(login: Address, sender: Address): Promise<boolean>
  /** Sees each recipient as it is named: policy may refuse here, and key look-ups start early. */
  onRcpt?(session: SessionFacts, to: Address): Promise<Reply | undefined>
}

export function submissionAgent(deps: SubmissionDeps): Agent {
  const maySendAs = deps.maySendAs ?? ((login, sender): Promise<boolean> => Promise.resolve(sameAddress(login, sender)))
  return {
    kind: 'submission',
    inbox: deps.inbox,
    login: deps.login,
    async userNamed(address) {
      return (await deps.user(address)) ?? reply(550, '5.7.1', 'This is no user of ours')
    },
    async onMail(session, { reversePath: { address } }) {
      assert(session.login !== undefined) // MAIL is let in only after a login
      // a user has a name: reports without sender are made by servers (RFC 5321 §4.5.5)
      if (address === '') return reply(550, '5.7.1', 'Send under your own address')
      if (await maySendAs(session.login, address)) return undefined
      return reply(550, '5.7.1', 'This is not an address of yours')
    },
    onRcpt: (session, to) => deps.onRcpt?.(session, to.address),
  }
}
