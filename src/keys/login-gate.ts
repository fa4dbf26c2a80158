/**
 * Who may try another password: each address and each name has so many failures a minute, whatever the protocol. Guessing
 * at a user's name from elsewhere does not lock the user out where they have signed in before.
 */
import { peerGroup } from '../base/peer-address.ts'
import type { Rates } from '../base/rates.ts'

const KNOWN_MAX = 50_000

export class LoginGate {
  readonly #rates: Rates
  /** Names with the addresses where they have signed in, the last one last. */
  readonly #known = new Set<string>()

  constructor(rates: Rates) {
    this.#rates = rates
  }

  /** Counted as a failure until `succeeded` says otherwise, so that tries at the same time are no way around. */
  mayTry(user: string, address: string): boolean {
    if (!this.#rates.take('loginFailuresPerAddress', { address })) return false
    if (this.#known.has(pair(user, address)) || this.#rates.take('loginFailuresPerUser', { address, user })) return true
    this.#rates.giveBack('loginFailuresPerAddress', { address })
    return false
  }

  succeeded(user: string, address: string): void {
    this.notFailed(user, address)
    const key = pair(user, address)
    this.#known.delete(key)
    this.#known.add(key)
    if (this.#known.size <= KNOWN_MAX) return
    for (const oldest of this.#known) {
      this.#known.delete(oldest)
      return
    }
  }

  /** The try was let in, and nothing came out of it, good or bad. */
  notFailed(user: string, address: string): void {
    this.#rates.giveBack('loginFailuresPerAddress', { address })
    if (!this.#known.has(pair(user, address))) this.#rates.giveBack('loginFailuresPerUser', { address, user })
  }
}

const pair = (user: string, address: string): string => `${user.toLowerCase()} ${peerGroup(address)}`
