/** Some connections to one directory, each lent to one at a time. */
import type { Client } from 'ldapts'
import { Turns } from '../../../base/turns.ts'
import { SourceDown } from '../user-source.ts'
import type { LdapConnection } from './connection.ts'

const CONNECTIONS_MAX = 4
/** More than these are told to come back. */
const WAITING_MAX = 200
/** Directories, and what stands in front of them, drop connections that say nothing. */
const IDLE_MAX_MS = 60_000

/** The directory has hung up, perhaps long ago. */
class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

interface Idle {
  readonly connection: LdapConnection
  readonly sinceMs: number
}

export class LdapPool {
  readonly #open: () => Promise<LdapConnection>
  readonly #idle: Idle[] = []
  readonly #turns = new Turns({ runningMax: CONNECTIONS_MAX, waitingMax: WAITING_MAX })

  constructor(open: () => Promise<LdapConnection>) {
    this.#open = open
  }

  /** `work` may be done a second time: when a connection that was open before turns out to be closed by the directory. */
  use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return this.#turns.run(
      () => this.#lendAny(work),
      () => new SourceDown('too much is asked of the directory now'),
    )
  }

  close(): void {
    for (const { connection } of this.#idle.splice(0)) connection.close()
  }

  async #lendAny<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const before = this.#takeIdle()
    if (before !== undefined)
      try {
        return await this.#lend(before, work)
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
      }
    return await this.#lend(await this.#open(), work)
  }

  /** What has failed is not used again: who knows what is still to come on it. */
  async #lend<T>(connection: LdapConnection, work: (client: Client) => Promise<T>): Promise<T> {
    try {
      const result = await work(connection.client)
      this.#idle.push({ connection, sinceMs: performance.now() })
      return result
    } catch (error) {
      const wasOpen = connection.isOpen()
      connection.close()
      throw wasOpen ? error : new ConnectionLost(error)
    }
  }

  #takeIdle(): LdapConnection | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.connection.isOpen() && performance.now() - idle.sinceMs < IDLE_MAX_MS) return idle.connection
      idle.connection.close()
    }
    return undefined
  }
}
