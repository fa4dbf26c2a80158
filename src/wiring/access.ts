/** The listeners where users fetch their mail. */
import { openMaildrop } from '../access/mailbox-maildrop.ts'
import type { Pop3Deps } from '../access/pop3/deps.ts'
import { startPop3 } from '../access/pop3/server.ts'
import type { Desk } from '../admin/desk.ts'
import * as events from '../base/events.ts'
import type { Pop3Limits } from '../access/pop3/limits.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Config } from '../config/load.ts'
import type { SharedGuards } from './guards.ts'
import { within } from './networks.ts'
import { type Part, STOP_GRACE_MS } from './part.ts'
import type { TlsFiles } from './tls-files.ts'

export async function startAccess(
  desk: Desk,
  live: LiveConfig,
  tls: TlsFiles,
  guards: SharedGuards,
  parts: Part[],
): Promise<void> {
  const { config } = desk
  const deps: Pop3Deps = {
    mayConnect: (address) => guards.rates.take('connectionsPerAddress', { address }),
    async login(name, password, peerAddress) {
      const account = await guards.signIn(name, password, peerAddress)
      if (typeof account === 'string') return { ok: false, temporary: account !== 'wrong' }
      return { ok: true, open: () => openMaildrop(desk.store, account.id) }
    },
    events: pop3Events,
  }
  for (const name of ['pop3', 'pop3s'] as const) {
    const at = config.listeners[name]
    if (at === null) continue
    const server = await startPop3(
      {
        host: at.host,
        port: at.port,
        sendsProxyHeader: within(() => live.current.listeners[name]?.proxyProtocol),
        implicitTls: name === 'pop3s',
        tls: { certificatePem: tls.cert, keyPem: tls.key },
        allowPlainOnLoopback: config.pop3.allowPlainAuthOnLoopback,
        limits: limitsOf(config.limits),
      },
      deps,
    )
    parts.push({
      listening: [name, server.address],
      setTls: ({ cert, key }) => server.setTls({ certificatePem: cert, keyPem: key }),
      setLimits: (limits) => server.setLimits(limitsOf(limits)),
      connections: () => server.connections,
      stop: () => server.stop(),
    })
  }
}

function limitsOf({ connectionsMax, connectionsPerAddressMax }: Config['limits']): Partial<Pop3Limits> {
  return { connectionsMax, connectionsPerAddressMax, stopGraceMs: STOP_GRACE_MS }
}

const pop3Events: Pop3Deps['events'] = {
  loggedIn: ({ id, peerAddress, login = '' }) =>
    events.loginSucceeded({ by: 'pop3', name: login, peerAddress, session: id }),
  loginFailed: ({ id, peerAddress }, { name }) => events.loginFailed({ by: 'pop3', name, peerAddress, session: id }),
  retrieved: ({ peerAddress, login = '' }) => events.fetched({ address: login, peerAddress, messages: 1, deleted: 0 }),
  removed: ({ peerAddress, login = '' }, ids) =>
    events.fetched({ address: login, peerAddress, messages: 0, deleted: ids.length }),
  turnedAway: (peerAddress, why) => events.refused({ by: 'pop3', peerAddress, reply: why }),
  closed: ({ peerAddress, login }, why) => {
    if (why !== 'quit' && why !== 'client-gone')
      events.sessionEnded({ by: 'pop3', peerAddress, name: login ?? '', why })
  },
  failed: (_session, error) => events.trouble({ during: 'pop3', error }),
}
