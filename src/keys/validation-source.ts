/**
 * Fetches what judging certificates wished for, and keeps it: in memory, and in the store for other processes and the
 * next start. A mail waits for it no longer than its budget; what comes later is there for the next one.
 */
import { hash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'
import * as events from '../base/events.ts'
import type { StatusWish, ValidationData, ValidationWish } from '../protection/standard.ts'
import { NONCE_BYTES } from '../protection/smime/x509/ocsp.ts'
import type { Store } from '../store/database.ts'
import { findValidationData, keepValidationData } from '../store/validation-data.ts'
import type { Fetch } from './http-fetch.ts'
import { HostGate } from './host-gate.ts'
import { type ValidationItem, crlItems, issuerItems, issuersIn, ocspItems } from './validation-items.ts'

/** Of one mail; more are left open. */
export const WISHES_MAX = 20
/** Larger ones are kept in memory only, so that writing them keeps nobody else's commit waiting. */
const STORED_MAX_BYTES = 4 * 2 ** 20
const MEMORY_ENTRIES_MAX = 10_000
const MEMORY_MAX_BYTES = 128 * 2 ** 20
/** What was fetched and did not help is not asked for again, nor used, for this long. */
const DOUBT_MS = 10 * 60_000
/** After the first failure, doubled with each one that follows. */
const RETRY_FIRST_MS = 60_000
const RETRY_MAX_MS = 60 * 60_000

export interface ValidationSourceOptions {
  readonly store: Store
  readonly clock: Clock
  readonly fetch: Fetch
  /** What one mail may wait. */
  readonly budgetMs: number
  /** Also certificates of issuers that a mail does not bring: from URLs that anybody can write into a certificate. */
  readonly fetchIssuers: boolean
}

export interface Waiting {
  /** What of the wishes can be had in time. Never rejects. */
  gather(wishes: readonly ValidationWish[]): Promise<ValidationData>
}

interface Entry {
  /** Missing: it could not be had. */
  readonly encoded?: Uint8Array
  readonly id: string
  readonly untilMs: number
  readonly failures: number
}

export class ValidationSource {
  readonly #options: ValidationSourceOptions
  readonly #gate: HostGate
  /** In order of last use. */
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Map<string, Promise<Entry>>()
  readonly #stopped = new AbortController()
  #bytes = 0

  constructor(options: ValidationSourceOptions) {
    this.#options = options
    this.#gate = new HostGate(options.clock)
  }

  /** For one mail; the budget of time begins now, and holds for all that it asks. */
  startWaiting(): Waiting {
    const endMs = this.#options.clock.nowMs() + this.#options.budgetMs
    return { gather: (wishes) => this.#gather(wishes, endMs - this.#options.clock.nowMs()) }
  }

  async #gather(wishes: readonly ValidationWish[], budgetMs: number): Promise<ValidationData> {
    const found = new Found()
    const wanted = distinct(wishes).slice(0, WISHES_MAX)
    const all = Promise.all(wanted.map((wish) => this.#grant(wish, found)))
    const over = new AbortController()
    const timer = sleep(Math.max(0, budgetMs), undefined, { signal: over.signal }).catch(() => undefined)
    await Promise.race([all, timer])
    over.abort()
    return found.taken()
  }

  /** What was fetched for these wishes has not told: it may have been put there by somebody on the line. */
  doubt(wishes: readonly ValidationWish[]): void {
    const untilMs = this.#options.clock.nowMs() + DOUBT_MS
    for (const wish of wishes) {
      if (wish.kind === 'issuer') continue
      for (const { key } of [...ocspItems(wish, NO_NONCE), ...crlItems(wish)])
        if (this.#entries.has(key)) this.#remember(key, { id: '', untilMs, failures: 1 })
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#stopped.abort()
  }

  async #grant(wish: ValidationWish, found: Found): Promise<void> {
    if (wish.kind === 'status') return this.#grantStatus(wish, found)
    if (!this.#options.fetchIssuers) return
    for (const item of issuerItems(wish.urls)) {
      const entry = await this.#entry(item)
      if (entry.encoded !== undefined) return found.addIssuers(entry.encoded)
    }
  }

  /** OCSP is asked first, for it is small; lists where no responder has told. */
  async #grantStatus(wish: StatusWish, found: Found): Promise<void> {
    for (const item of ocspItems(wish, randomBytes(NONCE_BYTES))) {
      const { encoded } = await this.#entry(item)
      if (encoded !== undefined) return found.addOcspResponse(encoded)
    }
    const lists = crlItems(wish).map(async (item) => {
      const { encoded, id } = await this.#entry(item)
      if (encoded !== undefined) found.addCrl({ id, encoded })
    })
    await Promise.all(lists)
  }

  #entry(item: ValidationItem): Promise<Entry> {
    const nowMs = this.#options.clock.nowMs()
    const known = this.#entries.get(item.key)
    if (known !== undefined && known.untilMs > nowMs) {
      this.#remember(item.key, known)
      return Promise.resolve(known)
    }
    const running =
      this.#running.get(item.key) ?? this.#obtain(item, known).finally(() => this.#running.delete(item.key))
    this.#running.set(item.key, running)
    return running
  }

  async #obtain(item: ValidationItem, before: Entry | undefined): Promise<Entry> {
    const entry =
      (before === undefined ? await this.#stored(item.key) : undefined) ?? (await this.#fetched(item, before))
    this.#remember(item.key, entry)
    return entry
  }

  async #stored(key: string): Promise<Entry | undefined> {
    try {
      const row = await findValidationData(this.#options.store.db, key, this.#options.clock.nowMs())
      return row && entryOf(row.encoded, row.untilMs)
    } catch (error) {
      events.trouble({ during: 'looking for fetched validation data', error })
      return undefined
    }
  }

  async #fetched(item: ValidationItem, before: Entry | undefined): Promise<Entry> {
    const { fetch, clock, store } = this.#options
    const { url } = item.request
    const answer = await this.#gate.run(url, () => fetch(item.request, this.#stopped.signal))
    const nowMs = clock.nowMs()
    const accepted = answer.ok ? item.accept(answer.value, nowMs) : answer
    if (!accepted.ok) {
      const failures = (before?.encoded === undefined ? (before?.failures ?? 0) : 0) + 1
      if (!this.#stopped.signal.aborted) events.fetchFailed({ url, why: accepted.error })
      return { id: '', untilMs: nowMs + Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_MAX_MS), failures }
    }
    const { encoded, untilMs } = accepted.value
    if (encoded.length <= STORED_MAX_BYTES)
      store
        .commit((tx) => keepValidationData(tx, { key: item.key, encoded, untilMs }))
        .catch((error: unknown) => events.trouble({ during: 'keeping fetched validation data', error }))
    return entryOf(encoded, untilMs)
  }

  #remember(key: string, entry: Entry): void {
    this.#forget(key)
    this.#entries.set(key, entry)
    this.#bytes += entry.encoded?.length ?? 0
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MEMORY_ENTRIES_MAX && this.#bytes <= MEMORY_MAX_BYTES) break
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#entries.get(key)?.encoded?.length ?? 0
    this.#entries.delete(key)
  }
}

const NO_NONCE = new Uint8Array(NONCE_BYTES)

/** In memory that all threads share: a long list goes to each of them at no cost. */
function entryOf(encoded: Uint8Array, untilMs: number): Entry {
  const shared = new Uint8Array(new SharedArrayBuffer(encoded.length))
  shared.set(encoded)
  return { encoded: shared, id: hash('sha256', encoded), untilMs, failures: 0 }
}

function distinct(wishes: readonly ValidationWish[]): readonly ValidationWish[] {
  const idOf = (wish: ValidationWish): string =>
    wish.kind === 'issuer' ? wish.urls.join(' ') : `${hash('sha256', wish.certificate)} ${hash('sha256', wish.issuer)}`
  return [...new Map(wishes.map((wish) => [idOf(wish), wish])).values()]
}

/** Grows while the mail waits. */
class Found {
  readonly #crls: ValidationData['crls'][number][] = []
  readonly #ocspResponses: Uint8Array[] = []
  readonly #certificates: Uint8Array[] = []

  addCrl(crl: ValidationData['crls'][number]): void {
    this.#crls.push(crl)
  }

  addOcspResponse(encoded: Uint8Array): void {
    this.#ocspResponses.push(encoded)
  }

  addIssuers(encoded: Uint8Array): void {
    this.#certificates.push(...issuersIn(encoded))
  }

  taken(): ValidationData {
    return { crls: [...this.#crls], ocspResponses: [...this.#ocspResponses], certificates: [...this.#certificates] }
  }
}
