/**
 * The one ordered way to a correspondent's certificates (decision 0046): what 222 holds by a higher level of trust, else
 * what the sources on the network have, each asked when those before it had nothing. What is found goes into 222 with its
 * source and level; whoever encrypts or verifies reads 222 and nothing else.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'
import * as events from '../base/events.ts'
import { type Address, type Domain, addressKey, domainOf } from '../message/address.ts'
import type { Certificate, StandardName } from '../protection/standard.ts'
import type { Store } from '../store/database.ts'
import type { Tx } from '../store/schema.ts'
import type { KeySource, KeySourceName } from './key-sources.ts'
import type { PublicKeys, StoredCertificate } from './public-keys.ts'

/** One look-up at all its sources; whoever waits for it waits less. */
export const LOOK_UP_MAX_MS = 20_000
/** A key that was not seen at its source for so long is looked up again before it is used: it may be revoked by now. */
export const REFRESH_MS = 24 * 60 * 60_000
/** That there is no key is believed for so long. */
export const ABSENT_KEPT_MS = 60 * 60_000
/** After the first failure of all sources, doubled with each one that follows. */
const RETRY_FIRST_MS = 60_000
const RETRY_MAX_MS = 60 * 60_000
const ANSWERS_MAX = 10_000
/** Of one answer; more are left out. */
const CERTIFICATES_MAX = 8

export interface KeyFinderOptions {
  readonly store: Store
  readonly clock: Clock
  readonly publicKeys: PublicKeys
  /** In the order in which they are asked. */
  readonly sources: readonly KeySource[]
  /** Of our own users 222 knows all there is. */
  isOwnDomain(domain: Domain): boolean
  /** What one mail may wait. */
  readonly waitMs: number
  /** Gets ready to tell that a changed key is held; what it returns does so, in the transaction that keeps the key. */
  readonly prepareAlarm: (key: {
    readonly address: Address
    readonly fingerprint: string
  }) => Promise<(tx: Tx) => Promise<void>>
}

/** What one source had. */
export interface LookUpAnswer {
  readonly source: KeySourceName
  readonly outcome: 'found' | 'absent' | 'failed'
  readonly fingerprints: readonly string[]
  /** One sentence, when it failed. */
  readonly why?: string
}

export interface LookUp {
  /** In the order in which they were asked; none where the last look-up still counts. */
  readonly answers: readonly LookUpAnswer[]
  /** Whether 222 has something new. */
  readonly isNew: boolean
}

interface Remembered {
  readonly untilMs: number
  readonly failures: number
}

const NOTHING: LookUp = { answers: [], isNew: false }

export class KeyFinder {
  readonly #options: KeyFinderOptions
  /** Look-ups that need not be repeated yet, in order of last use. */
  readonly #answers = new Map<string, Remembered>()
  readonly #running = new Map<string, Promise<LookUp>>()
  readonly #stopped = new AbortController()

  constructor(options: KeyFinderOptions) {
    this.#options = options
  }

  /**
   * Before mail is encrypted to the address: looks up what is missing, or has not been seen for long. Resolves when 222 is
   * as good as it gets in time, never later than `waitMs`; never rejects.
   */
  async prepare(address: Address, atMs: number): Promise<void> {
    if (this.#asksNobody(address)) return
    try {
      if (await this.#isWanting(address, atMs)) await this.#inTime(this.lookUp(address))
    } catch (error) {
      events.trouble({ during: `looking for keys of ${address}`, error })
    }
  }

  /** Whether keys of this standard are looked up at all. */
  finds(standard: StandardName): boolean {
    return this.#options.sources.some((source) => source.standard === standard)
  }

  /** For a signature by an unknown key: whether 222 knows more of the address now. Waits as `prepare`; never rejects. */
  async learn(address: Address): Promise<boolean> {
    return !this.#asksNobody(address) && (await this.#inTime(this.lookUp(address)))?.isNew === true
  }

  /** One look-up for all who ask at once, and none where the last one still counts. Takes its time; never rejects. */
  lookUp(address: Address): Promise<LookUp> {
    const key = addressKey(address)
    if ((this.#answers.get(key)?.untilMs ?? 0) > this.#options.clock.nowMs()) return Promise.resolve(NOTHING)
    const running =
      this.#running.get(key) ??
      this.#ask(address)
        .catch((error: unknown) => {
          events.trouble({ during: `looking up keys of ${address}`, error })
          return NOTHING
        })
        .finally(() => this.#running.delete(key))
    this.#running.set(key, running)
    return running
  }

  /** Ends what is under way. */
  close(): void {
    this.#stopped.abort()
  }

  /** Whether there is none to encrypt to, or one that was not seen for long. */
  async #isWanting(address: Address, atMs: number): Promise<boolean> {
    const { publicKeys } = this.#options
    const usable = await publicKeys.encryptionCertificates(address, atMs)
    const known = (await publicKeys.known(address)).filter(({ certificate }) =>
      usable.some(({ fingerprint }) => fingerprint === certificate.fingerprint),
    )
    const isOld = ({ certificate, lastSeenMs, trust }: StoredCertificate): boolean =>
      trust !== 'own' && this.finds(certificate.standard) && lastSeenMs + REFRESH_MS < atMs
    return known.length === 0 || known.some(isOld)
  }

  #asksNobody(address: Address): boolean {
    const { sources, waitMs, isOwnDomain } = this.#options
    return sources.length === 0 || waitMs === 0 || isOwnDomain(domainOf(address))
  }

  async #inTime<T>(work: Promise<T>): Promise<T | undefined> {
    const over = new AbortController()
    const timer = sleep(this.#options.waitMs, undefined, { signal: over.signal }).catch(() => undefined)
    const done = await Promise.race([work, timer])
    over.abort()
    return done
  }

  async #ask(address: Address): Promise<LookUp> {
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(LOOK_UP_MAX_MS)])
    const answers: LookUpAnswer[] = []
    let isNew = false
    let found = false
    for (const source of this.#options.sources) {
      const answer = await source.ask(address, signal)
      if (signal.aborted && !answer.ok) break
      const certificates = answer.ok ? source.read(answer.value, address).slice(0, CERTIFICATES_MAX) : []
      const outcome = answer.ok ? (certificates.length > 0 ? 'found' : 'absent') : 'failed'
      const fingerprints = certificates.map(({ fingerprint }) => fingerprint)
      const said = { source: source.name, outcome, fingerprints, ...(!answer.ok && { why: answer.error }) } as const
      events.keyLookedUp({ address, ...said })
      answers.push(said)
      isNew = (await this.#keep(address, source, certificates)) || isNew
      found = await this.#suffices(address, fingerprints)
      if (found) break
    }
    const failed = this.#stopped.signal.aborted || answers.some(({ outcome }) => outcome === 'failed')
    this.#remember(addressKey(address), failed && !found)
    return { answers, isNew }
  }

  async #keep(address: Address, source: KeySource, certificates: readonly Certificate[]): Promise<boolean> {
    if (certificates.length === 0) return false
    const { store, publicKeys, clock, prepareAlarm } = this.#options
    const { trust, name } = source
    const nowMs = clock.nowMs()
    const known = (await publicKeys.known(address)).filter((each) => each.trust !== 'candidate')
    const ready = await Promise.all(
      certificates.map(async (certificate) => {
        const { fingerprint } = certificate
        const mayBeHeld = known.length > 0 && known.every((each) => each.certificate.fingerprint !== fingerprint)
        return { certificate, fingerprint, alarm: mayBeHeld ? await prepareAlarm({ address, fingerprint }) : undefined }
      }),
    )
    const kept = await store.commit(async (tx) => {
      const results = []
      for (const { certificate, fingerprint, alarm } of ready) {
        const result = await publicKeys.add(tx, { address, certificate, trust, source: name, nowMs })
        if (result.changed && result.held) await alarm?.(tx)
        results.push({ ...result, fingerprint })
      }
      return results
    })
    for (const { changed, held, fingerprint } of kept) if (changed) events.keyChanged({ address, fingerprint, held })
    return kept.some((each) => each.kept !== 'seen')
  }

  /** Whether mail may be encrypted to one of these. */
  async #suffices(address: Address, fingerprints: readonly string[]): Promise<boolean> {
    const { publicKeys, clock } = this.#options
    const usable = await publicKeys.encryptionCertificates(address, clock.nowMs())
    return usable.some(({ fingerprint }) => fingerprints.includes(fingerprint))
  }

  #remember(key: string, failed: boolean): void {
    const failures = failed ? (this.#answers.get(key)?.failures ?? 0) + 1 : 0
    const keptMs = failed ? Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_MAX_MS) : ABSENT_KEPT_MS
    this.#answers.delete(key)
    this.#answers.set(key, { untilMs: this.#options.clock.nowMs() + keptMs, failures })
    const oldest = this.#answers.keys().next()
    if (this.#answers.size > ANSWERS_MAX && !oldest.done) this.#answers.delete(oldest.value)
  }
}
