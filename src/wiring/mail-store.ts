/** The mail store behind us, which opened mail is taken to by LMTP or SMTP. */
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import type { Network } from '../keys/network.ts'
import { reply } from '../protocol/smtp-reply.ts'
import type { Deliverer } from '../queue/worker.ts'
import { MxResolver } from '../relay/mx.ts'
import { Relay } from '../relay/relay.ts'
import { mailStoreIn } from '../relay/route.ts'

/** A relay with one next hop. `undefined`: mailboxes are our own. */
export function mailStoreOf({ config }: Desk, { askDns: ask }: Network): Relay | undefined {
  const store = mailStoreIn(config.mailboxes)
  if (store === undefined) return undefined
  const { protocol, hop, mayBeRead } = store
  return new Relay({
    protocol,
    helo: config.hostname,
    routes: new Map([['*', hop]]),
    resolver: new MxResolver({
      ownNames: [],
      isOwnAddress: () => false,
      ask,
      hostsFile: config.dns.resolver === null,
      random: Math.random,
      allowLocalAddresses: true,
    }),
    stsPolicy: () => Promise.resolve(undefined),
    hopTls: () => (mayBeRead ? 'opportunistic' : 'verified'),
    clearAllowed: mayBeRead,
    events: {
      sessionOpened: () => undefined,
      hostFailed: ({ reply: { code, lines }, ...facts }) =>
        events.hostFailed({ ...facts, reply: [code, ...lines].join(' ') }),
    },
  })
}

/** For what is still on its way to a mail store that the configuration names no more. */
export const putOff: Deliverer = ({ recipients }) =>
  Promise.resolve(
    recipients.map(({ address }) => ({
      recipient: address,
      outcome: 'deferred',
      reply: reply(451, '4.3.5', 'No mail store is configured any more: mailboxes.lmtp, mailboxes.smtp'),
      dsnPassedOn: false,
    })),
  )
