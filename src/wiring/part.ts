/** What a server is made of: a listener each, started and stopped as one. */
import type * as events from '../base/events.ts'
import type { Config } from '../config/load.ts'
import type { TlsFiles } from './tls-files.ts'

export interface Part {
  readonly listening: readonly [name: string, at: events.Listening]
  setTls(tls: TlsFiles): void
  /** For connections from now on. */
  setLimits?(limits: Config['limits']): void
  /** Open now. */
  connections(): number
  stop(): Promise<void>
}

/** SIGTERM to exit takes 10 s at most (contract); this much of it is for what runs. */
export const STOP_GRACE_MS = 6_000
