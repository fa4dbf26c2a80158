/** What holds for all sessions together: who comes too often, and whether there is room for more mail. */
import { Hold, type Overload, type Shortage } from '../base/overload.ts'
import type { RateName, Rates, Whose } from '../base/rates.ts'
import type { Address } from '../message/address.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'

export interface GuardDeps {
  readonly rates: Rates
  readonly load: Overload
}

/** Who is asked about. */
export interface Guest {
  readonly agent: { readonly kind: 'mx' | 'submission' }
  readonly remoteAddress: string
  readonly login: Address | undefined
}

/** Each method counts, and says no when it has to; `undefined` lets the guest go on. */
export class Guards {
  readonly #rates: Rates | undefined
  readonly #load: Overload | undefined

  /** Without `deps` everything is let in. */
  constructor(deps: GuardDeps | undefined) {
    this.#rates = deps?.rates
    this.#load = deps?.load
  }

  connection(address: string): Reply | undefined {
    if (this.#rates?.take('connectionsPerAddress', { address }) === false)
      return reply(421, '4.7.0', 'Too many connections from your address in a minute, try again later')
    if (this.#load?.shortage() === 'memory') return reply(421, '4.3.2', 'Too busy, try again later')
    return undefined
  }

  mail(guest: Guest): Reply | undefined {
    const shortage = this.#load?.shortage()
    if (shortage !== undefined) return SHORT_OF[shortage]
    return this.#counted(guest, 'mails', 'messages')
  }

  recipient(guest: Guest): Reply | undefined {
    const { agent, remoteAddress: address } = guest
    if (agent.kind === 'mx' && this.#rates?.has('refusedRecipientsPerAddress', { address }) === false)
      return reply(450, '4.7.1', 'Too many unknown recipients in a minute, try again later')
    return this.#counted(guest, 'recipients', 'recipients')
  }

  /** Guessing at addresses is not for ever. */
  recipientRefused({ agent, remoteAddress: address }: Guest): void {
    if (agent.kind === 'mx') this.#rates?.take('refusedRecipientsPerAddress', { address })
  }

  /** Memory for one message of which so much is said to come. */
  content(maxBytes: number, announcedBytes: number): Hold | Reply {
    const hold = this.#load?.hold(maxBytes) ?? new Hold(0, () => true)
    return hold.reserve(announcedBytes) ? hold : SHORT_OF.memory
  }

  /** Servers are counted by address; users by name, wherever they are. */
  #counted(
    { agent, remoteAddress: address, login }: Guest,
    what: 'mails' | 'recipients',
    text: string,
  ): Reply | undefined {
    const byUser = agent.kind === 'submission'
    const rate: RateName = `${what}Per${byUser ? 'User' : 'Address'}`
    const whose: Whose = { address, ...(login !== undefined && { user: login }) }
    if (this.#rates?.take(rate, whose) !== false) return undefined
    const whom = byUser ? 'account' : 'address'
    return reply(450, '4.7.1', `Too many ${text} from your ${whom} in a minute, try again later`)
  }
}

/** RFC 3463 §3.4: X.3.1, the mail system is full; X.3.2, it does not accept messages now. */
export const SHORT_OF: Readonly<Record<Shortage, Reply>> = {
  memory: reply(451, '4.3.2', 'Too busy, try again later'),
  threads: reply(451, '4.3.2', 'Too busy, try again later'),
  disk: reply(452, '4.3.1', 'Not enough disk space, try again later'),
}
