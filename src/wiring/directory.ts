/** The listener that hands out our users' OpenPGP keys. */
import type { Desk } from '../admin/desk.ts'
import type { LiveConfig } from '../config/live.ts'
import { startPublishing } from '../publish/publish.ts'
import { type Part, STOP_GRACE_MS } from './part.ts'
import type { TlsFiles } from './tls-files.ts'

export async function startDirectory(desk: Desk, live: LiveConfig, tls: TlsFiles, parts: Part[]): Promise<void> {
  const { listeners } = desk.config
  if (listeners.https === null) return
  const options = {
    ...listeners.https,
    tls,
    get connectionsMax() {
      return live.current.limits.connectionsMax
    },
    get connectionsPerPeerMax() {
      return live.current.limits.connectionsPerAddressMax
    },
    stopGraceMs: STOP_GRACE_MS,
  }
  const directory = await startPublishing(options, desk)
  parts.push({
    listening: ['https', directory.address],
    setTls: (fresh) => directory.setTls(fresh),
    connections: () => directory.connections(),
    stop: () => directory.stop(),
  })
}
