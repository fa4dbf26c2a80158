/**
 * All users there are: those of our own table, and those whom a source vouches for. The latter get a row, and keys, when
 * they are first needed; what the source has no longer is marked absent, and loses nothing.
 */
import type { Clock } from '../../base/clock.ts'
import * as events from '../../base/events.ts'
import { Turns } from '../../base/turns.ts'
import { type Address, addressKey, domainOf } from '../../message/address.ts'
import { type Account, findAccount, setAccountSource, type AccountStatus } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import { type EnrolDeps, type KeyOrder, enrol } from '../enrol.ts'
import { acceptablePassword, type Passwords } from '../password.ts'
import { sameEntry } from './same-entry.ts'
import { type FoundUser, SourceDown, type UserSource } from './user-source.ts'

/** Keys are made for so many at once: half a core-second each. */
const ENROLLING_MAX = 2
/** More new users than these are told to come back. */
const ENROLMENTS_WAITING_MAX = 50

export interface UsersDeps extends EnrolDeps {
  readonly clock: Clock
  readonly passwords: Passwords
  /** Asked in this order; the first that knows an address decides. */
  readonly sources: readonly UserSource[]
  readonly newKeys: Pick<KeyOrder, 'algorithms' | 'openpgp' | 'validityDays'>
}

/** `busy`, `unavailable`: it could not be found out now; try again. */
export type SignIn = Account | 'wrong' | 'busy' | 'unavailable'

interface Vouched {
  readonly source: UserSource
  readonly user: FoundUser
}

export class Users {
  readonly #deps: UsersDeps
  /** By `addressKey`: whoever asks meanwhile waits for the same. */
  readonly #enrolling = new Map<string, Promise<Account>>()
  readonly #turns = new Turns({ runningMax: ENROLLING_MAX, waitingMax: ENROLMENTS_WAITING_MAX })
  readonly #down = new Set<string>()

  constructor(deps: UsersDeps) {
    this.#deps = deps
  }

  /**
   * Whose mail it is that comes for `address`. Rejects with `SourceDown` when it cannot be told now, with `AddressDisputed`
   * when an administrator must say first whose it is.
   */
  async receiving(address: Address): Promise<Account | undefined> {
    const { store, sources, domains } = this.#deps
    const known = await findAccount(store.db, address)
    if (known?.source === 'table' || known?.status === 'removed') return takesMail(known)
    if (sources.length === 0 || !domains.includes(domainOf(address))) return undefined
    const vouched = await this.#whoVouches(address)
    if (vouched !== undefined) return takesMail(await this.#accountOf(vouched))
    if (known?.status === 'active') await this.#mark(known, { source: known.source, status: 'absent' })
    return undefined
  }

  /** An unknown name and a wrong password look the same, and take as long. */
  async signIn(address: Address | undefined, password: string): Promise<SignIn> {
    const { store, passwords, sources } = this.#deps
    const known = address === undefined ? undefined : await findAccount(store.db, address)
    const own = known?.source === 'table' || known?.status === 'suspended' || known?.status === 'removed'
    if (address === undefined || own || sources.length === 0 || !acceptablePassword(password)) {
      const active = known?.status === 'active' ? known : undefined
      const verdict = await passwords.verify(password, active?.passwordHash)
      return verdict === 'right' && active !== undefined ? active : verdict === 'busy' ? 'busy' : 'wrong'
    }
    try {
      return await this.#signInAtSource(address, password)
    } catch (error) {
      if (error instanceof SourceDown) return 'unavailable'
      throw error
    }
  }

  /** Asks all sources about somebody, and does nothing with the answer; rejects with `SourceDown` when one has none. */
  async reach(address: Address): Promise<void> {
    for (const source of this.#deps.sources) await this.#asked(source, () => source.find(address))
  }

  /** Whether a source has entries, and does not say which is which: one that gets another's address would get their keys. */
  async mixesEntriesUp(): Promise<boolean> {
    const says = this.#deps.sources.map(async (source) => {
      try {
        return await source.saysWhichEntry?.()
      } catch (error) {
        if (error instanceof SourceDown) return undefined // that it finds single ones is what mail needs
        throw error
      }
    })
    return (await Promise.all(says)).includes(false)
  }

  close(): void {
    for (const source of this.#deps.sources) source.close()
  }

  async #signInAtSource(address: Address, password: string): Promise<SignIn> {
    const { passwords, domains } = this.#deps
    if (domains.includes(domainOf(address)))
      for (const source of this.#deps.sources) {
        const proof = await this.#asked(source, () => source.verify(address, password))
        if (proof.kind === 'nobody') continue
        if (proof.kind === 'busy') return 'busy'
        if (proof.kind !== 'right') break
        const account = await this.#accountOf({ source, user: proof.user })
        return account.source === source.name && account.status === 'active' ? account : 'wrong'
      }
    return (await passwords.verify(password, undefined)) === 'busy' ? 'busy' : 'wrong'
  }

  async #whoVouches(address: Address): Promise<Vouched | undefined> {
    for (const source of this.#deps.sources) {
      const found = await this.#asked(source, () => source.find(address))
      if (found !== undefined) return { source, user: found }
    }
    return undefined
  }

  /** That a source does not answer is said once, and once that it does again. */
  async #asked<T>(source: UserSource, ask: () => Promise<T>): Promise<T> {
    const check = `users-${source.name}`
    try {
      const answer = await ask()
      if (this.#down.delete(check)) events.checkPassed({ check })
      return answer
    } catch (error) {
      if (error instanceof SourceDown && !this.#down.has(check)) {
        this.#down.add(check)
        events.checkFailed({ check, why: error.message })
      }
      throw error
    }
  }

  async #accountOf({ source, user }: Vouched): Promise<Account> {
    const { store, domains } = this.#deps
    const { address } = user
    if (!domains.includes(domainOf(address))) throw new SourceDown(`${address} is in none of our domains`)
    const stored = (await findAccount(store.db, address)) ?? (await this.#enrolOnce(source, user))
    if (stored.source === 'table' || stored.status === 'removed') return stored
    const known = await sameEntry(this.#deps, stored, user, source.name)
    if (known.source === source.name && known.status !== 'absent') return known
    const status = known.status === 'absent' ? 'active' : known.status
    return await this.#mark(known, { source: source.name, status })
  }

  async #mark(known: Account, to: { source: Account['source']; status: AccountStatus }): Promise<Account> {
    const { store, clock } = this.#deps
    return await store.commit(async (tx) => {
      const now = await findAccount(tx, known.address)
      // an administrator was faster
      if (now === undefined || now.status !== known.status || now.source !== known.source) return now ?? known
      await setAccountSource(tx, known.address, to)
      const change = { operation: `user ${to.status}`, subject: known.address, detail: `by ${to.source}` }
      await audit(tx, { nowMs: clock.nowMs(), actor: `users:${to.source}`, ...change })
      return { ...now, ...to }
    })
  }

  #enrolOnce(source: UserSource, user: FoundUser): Promise<Account> {
    const key = addressKey(user.address)
    const running = this.#enrolling.get(key)
    if (running !== undefined) return running
    const enrolling = this.#turns
      .run(
        () => this.#enrol(source, user),
        () => new SourceDown('too many new users at once'),
      )
      .finally(() => this.#enrolling.delete(key))
    this.#enrolling.set(key, enrolling)
    return enrolling
  }

  async #enrol(source: UserSource, { address, entryId }: FoundUser): Promise<Account> {
    const { clock, newKeys, store } = this.#deps
    const order = { address, ...newKeys, nowMs: clock.nowMs(), actor: `users:${source.name}` }
    const enrolled = await enrol(this.#deps, { ...order, passwordHash: '', source: source.name, entryId })
    if (enrolled.ok) return enrolled.value.account
    const taken = enrolled.error === 'taken' ? await findAccount(store.db, address) : undefined
    if (taken !== undefined) return taken // another process was faster
    throw new SourceDown(`no keys can be made for ${address}: ${enrolled.error}`)
  }
}

const takesMail = (account: Account): Account | undefined =>
  account.status === 'active' || account.status === 'suspended' ? account : undefined
