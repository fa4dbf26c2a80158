/** Port 25: mail from the Internet for our own domains, from anybody, to users we know; never a relay. */
import { domainOf, type Address, type Domain } from '../message/address.ts'
import { type Reply, reply } from '../protocol/smtp-reply.ts'
import type { Inbox } from '../protocol/smtp-session.ts'
import type { Agent } from './agent.ts'

export interface MxDeps {
  readonly inbox: Inbox
  isOwnDomain(domain: Domain): boolean
  /** A reply when it cannot be told now. */
  recipientKnown(address: Address): Promise<boolean | Reply>
}

export function mxAgent(deps: MxDeps): Agent {
  return {
    kind: 'mx',
    inbox: deps.inbox,
    onMail: () => undefined,
    async onRcpt(_session, to) {
      if (!deps.isOwnDomain(domainOf(to.address))) return reply(550, '5.7.1', 'Relaying denied')
      const known = await deps.recipientKnown(to.address)
      if (known === false) return reply(550, '5.1.1', 'No such user here')
      return known === true ? undefined : known
    },
  }
}
