/** The listener that hands out our users' OpenPGP keys. */
import type { Desk } from '../admin/desk.ts'
import { startPublishing } from '../publish/publish.ts'
import { type Part, STOP_GRACE_MS } from './part.ts'
import type { TlsFiles } from './tls-files.ts'

export async function startDirectory(desk: Desk, tls: TlsFiles, parts: Part[]): Promise<void> {
  const { listeners, limits } = desk.config
  if (listeners.https === null) return
  const { connectionsMax, connectionsPerAddressMax: connectionsPerPeerMax } = limits
  const options = { ...listeners.https, tls, connectionsMax, connectionsPerPeerMax, stopGraceMs: STOP_GRACE_MS }
  const directory = await startPublishing(options, desk)
  parts.push({
    listening: ['https', directory.address],
    setTls: (fresh) => directory.setTls(fresh),
    stop: () => directory.stop(),
  })
}
