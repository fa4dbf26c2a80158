/** The listeners that take mail: from the Internet, and from our users. */
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import { readSecret } from '../base/secret-file.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Config } from '../config/load.ts'
import { IN_MEMORY_MAX_BYTES } from '../gateway/arrived-mail.ts'
import type { Outbound } from '../gateway/outbound.ts'
import { ONE_PIECE_MAX_BYTES } from '../gateway/protect.ts'
import { secretHeader } from '../gateway/secret-header.ts'
import { isWithin, networkList } from '../keys/public-address.ts'
import type { Users } from '../keys/user-sources/users.ts'
import { type Address, domainOf } from '../message/address.ts'
import { type Reply, reply } from '../protocol/smtp-reply.ts'
import type { Inbox, SecretHeader } from '../protocol/smtp-session.ts'
import type { Agent } from '../receive/agent.ts'
import type { ReceiveLimits } from '../receive/limits.ts'
import { mxAgent } from '../receive/mx.ts'
import { startListener } from '../receive/receive.ts'
import { submissionAgent } from '../receive/submission.ts'
import { orTryLater } from './ask-user.ts'
import type { SharedGuards } from './guards.ts'
import { within } from './networks.ts'
import { type Part, STOP_GRACE_MS } from './part.ts'
import { postmasterOf } from './postmaster.ts'
import type { TlsFiles } from './tls-files.ts'

/** Each listener is in `parts` as soon as it listens, so that it is closed when a later one cannot. */
export async function startReceive(
  desk: Desk,
  live: LiveConfig,
  tls: TlsFiles,
  guards: SharedGuards,
  { inbound, outbound, users }: { readonly inbound: Inbox; readonly outbound: Outbound; readonly users: Users },
  parts: Part[],
): Promise<void> {
  const mx = mxAgent({
    inbox: inbound,
    isOwnDomain: (domain) => desk.domains.includes(domain),
    recipientKnown: (address) => userKnown(users, address),
  })
  const submission = submissionAgent({
    inbox: outbound,
    login: (...login) => loginFor(guards, ...login),
    user: (address) => activeUser(users, address),
    async onRcpt(_session, to) {
      // one of ours who is new here is given keys now, so that this mail is sealed already
      const known = desk.domains.includes(domainOf(to)) && (await userKnown(users, to))
      return typeof known === 'object' ? known : await outbound.refuseRecipient(to)
    },
  })
  const agents: readonly [name: 'mx' | 'submission' | 'submissions', agent: Agent][] = [
    ['mx', mx],
    ['submission', submission],
    ['submissions', submission],
  ]
  for (const [name, agent] of agents) parts.push(...(await startSmtp(desk, live, tls, guards, name, agent)))
}

const userKnown = async (users: Users, address: Address): Promise<boolean | Reply> =>
  orTryLater(async () => (await users.receiving(address)) !== undefined)

const activeUser = async (users: Users, address: Address): Promise<Address | Reply | undefined> =>
  orTryLater(async () => {
    const account = await users.receiving(address)
    return account?.status === 'active' ? account.address : undefined
  })

async function loginFor(
  guards: SharedGuards,
  name: string,
  password: string,
  peerAddress: string,
): Promise<Address | Reply | undefined> {
  const account = await guards.signIn(name, password, peerAddress)
  switch (account) {
    case 'wrong':
      return undefined
    case 'busy':
      return reply(454, '4.7.0', 'Too many sign-ins at once, try again later')
    case 'unavailable':
      return reply(454, '4.7.0', 'Cannot check this now, try again later')
    case 'too-many-failures':
      return reply(454, '4.7.0', 'Too many failed sign-ins, try again later')
    default:
      return account.address
  }
}

async function startSmtp(
  desk: Desk,
  live: LiveConfig,
  tls: TlsFiles,
  guards: SharedGuards,
  name: 'mx' | 'submission' | 'submissions',
  agent: Agent,
): Promise<Part[]> {
  const { config } = desk
  const at = config.listeners[name]
  if (at === null) return []
  const trust = {
    sendsProxyHeader: within(() => live.current.listeners[name]?.proxyProtocol),
    namesClient: within(() => live.current.listeners[name]?.trustedProxies),
    submits: within(() => live.current.submission.trustedNetworks),
    submitsWith: await secretsWithin(config.submission.sharedNetworks),
  }
  const listener = await startListener({
    agent,
    host: at.host,
    port: at.port,
    hostname: config.hostname,
    postmaster: postmasterOf(desk),
    tls,
    implicitTls: name === 'submissions',
    allowPlainAuthOnLoopback: config.submission.allowPlainAuthOnLoopback,
    trust,
    limits: limitsOf(config.limits, agent),
    guards,
    events,
  })
  return [
    {
      listening: [name, { host: listener.host, port: listener.port }],
      setTls: (fresh) => listener.setTls(fresh),
      setLimits: (limits) => listener.setLimits(limitsOf(limits, agent)),
      connections: () => listener.connections(),
      stop: () => listener.stop(STOP_GRACE_MS),
    },
  ]
}

/** Rejects, naming the file, when a secret cannot be read or could be guessed. */
async function secretsWithin(
  shared: Config['submission']['sharedNetworks'],
): Promise<(address: string) => readonly SecretHeader[]> {
  const rows = await Promise.all(
    shared.map(async ({ network, header, valueFile }) => {
      const value = await readSecret(valueFile)
      if (!SECRET_FORM.test(value)) throw new Error(`${valueFile}: write 20 to 200 letters and digits, by chance`)
      return { list: networkList([network]), secret: secretHeader(header, value) }
    }),
  )
  return (address) => rows.filter(({ list }) => isWithin(list, address)).map(({ secret }) => secret)
}

/** Survives every rewriting of a header, and is not guessed. */
const SECRET_FORM = /^[A-Za-z0-9_-]{20,200}$/

function limitsOf(limits: Config['limits'], { kind }: Agent): Partial<ReceiveLimits> {
  return {
    messageMaxBytes: limits.messageSizeMaxBytes,
    recipientsMax: limits.recipientsMax,
    connectionsMax: limits.connectionsMax,
    connectionsPerPeerMax: limits.connectionsPerAddressMax,
    heldPerMessageMaxBytes: kind === 'mx' ? IN_MEMORY_MAX_BYTES : ONE_PIECE_MAX_BYTES,
  }
}
