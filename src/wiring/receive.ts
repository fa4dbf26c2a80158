/** The listeners that take mail: from the Internet, and from our users. */
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import type { Outbound } from '../gateway/outbound.ts'
import { signIn } from '../keys/sign-in.ts'
import type { Address } from '../message/address.ts'
import type { Inbox } from '../protocol/smtp-session.ts'
import type { Agent } from '../receive/agent.ts'
import { mxAgent } from '../receive/mx.ts'
import { startListener } from '../receive/receive.ts'
import { submissionAgent } from '../receive/submission.ts'
import { findAccount } from '../store/accounts.ts'
import { type Part, STOP_GRACE_MS } from './part.ts'
import { postmasterOf } from './postmaster.ts'
import type { TlsFiles } from './tls-files.ts'

/** Each listener is in `parts` as soon as it listens, so that it is closed when a later one cannot. */
export async function startReceive(
  desk: Desk,
  tls: TlsFiles,
  { inbound, outbound }: { readonly inbound: Inbox; readonly outbound: Outbound },
  parts: Part[],
): Promise<void> {
  const mx = mxAgent({
    inbox: inbound,
    isOwnDomain: (domain) => desk.domains.includes(domain),
    recipientKnown: async (address) => {
      const account = await findAccount(desk.store.db, address)
      return account !== undefined && account.status !== 'removed'
    },
  })
  const submission = submissionAgent({
    inbox: outbound,
    login: (name, password) => loginFor(desk, name, password),
    onRcpt: (_session, to) => outbound.refuseRecipient(to),
  })
  const agents: readonly [name: 'mx' | 'submission' | 'submissions', agent: Agent][] = [
    ['mx', mx],
    ['submission', submission],
    ['submissions', submission],
  ]
  for (const [name, agent] of agents) parts.push(...(await startSmtp(desk, tls, name, agent)))
}

async function loginFor(desk: Desk, name: string, password: string): Promise<Address | undefined> {
  const account = await signIn(desk, name, password)
  if (account === 'busy') throw new Error('too many sign-ins at once')
  return account === 'wrong' ? undefined : account.address
}

async function startSmtp(
  desk: Desk,
  tls: TlsFiles,
  name: 'mx' | 'submission' | 'submissions',
  agent: Agent,
): Promise<Part[]> {
  const { config } = desk
  const at = config.listeners[name]
  if (at === null) return []
  const { limits } = config
  const listener = await startListener({
    agent,
    host: at.host,
    port: at.port,
    hostname: config.hostname,
    postmaster: postmasterOf(desk),
    tls,
    implicitTls: name === 'submissions',
    allowPlainAuthOnLoopback: config.submission.allowPlainAuthOnLoopback,
    limits: {
      messageMaxBytes: limits.messageSizeMaxBytes,
      recipientsMax: limits.recipientsMax,
      connectionsMax: limits.connectionsMax,
      connectionsPerPeerMax: limits.connectionsPerAddressMax,
    },
    events,
  })
  return [
    {
      listening: [name, { host: listener.host, port: listener.port }],
      setTls: (fresh) => listener.setTls(fresh),
      stop: () => listener.stop(STOP_GRACE_MS),
    },
  ]
}
