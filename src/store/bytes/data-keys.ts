/**
 * Data keys seal everything at rest; the master key wraps the data keys. So the master key touches a few rows only, and
 * changing it rewraps these rows and nothing else.
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { utf8 } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { Db, Tx } from '../schema.ts'
import type { Committer } from '../transaction.ts'
import type { DataKey } from './sealing.ts'

/** 32 bytes and the name they go by; keys/master-key.ts loads it. */
export interface MasterKey {
  /** First 8 bytes of the SHA-256 of the key, in hex. */
  readonly id: string
  readonly key: KeyObject
}

/** A data key seals new objects for a day, or for this many objects of one process, whichever ends first. */
const DATA_KEY_LIFE_MS = 24 * 60 * 60_000
const DATA_KEY_OBJECTS_MAX = 2 ** 20
/** Unwrapped keys kept in memory: two years of days. */
const UNWRAPPED_MAX = 750
const DATA_KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class DataKeys {
  readonly #db: Db
  readonly #committer: Committer
  readonly #clock: Clock
  #master: MasterKey
  #current: { readonly dataKey: DataKey; readonly untilMs: number; objects: number } | undefined
  #renewing: Promise<DataKey> | undefined
  readonly #unwrapped = new Map<number, DataKey>()

  constructor(db: Db, committer: Committer, master: MasterKey, clock: Clock) {
    this.#db = db
    this.#committer = committer
    this.#master = master
    this.#clock = clock
  }

  /** The key for one new object. Not to be called inside a transaction, which it would wait for: see `currentIn`. */
  async current(): Promise<DataKey> {
    const current = this.#usable()
    if (current !== undefined) return current
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined))
    return this.#renewing
  }

  /** The same inside a transaction; a key that is made here is part of it. */
  async currentIn(tx: Tx): Promise<DataKey> {
    return this.#usable() ?? (await this.#newest(tx))?.dataKey ?? (await this.#create(tx)).dataKey
  }

  /** The key that opens an older object. Throws when it is not there or wrapped by another master key. */
  async byId(id: number): Promise<DataKey> {
    const known = this.#unwrapped.get(id)
    if (known !== undefined) return known
    const row = await this.#db.selectFrom('data_keys').selectAll().where('id', '=', id).executeTakeFirst()
    if (row === undefined) throw new Error(`Data key ${id} is missing: the database is not complete`)
    return this.#keep({ id, key: unwrap(row, this.#master) })
  }

  /** Wraps every data key by `next` instead; what they have sealed stays as it is. */
  async rewrap(tx: Tx, next: MasterKey): Promise<number> {
    const rows = await tx.selectFrom('data_keys').selectAll().execute()
    for (const row of rows)
      await tx
        .updateTable('data_keys')
        .set({ master_key_id: next.id, wrapped: wrap(unwrap(row, this.#master), next) })
        .where('id', '=', row.id)
        .execute()
    return rows.length
  }

  /** Throws when the newest data key is wrapped by another master key: said at start, not with the first mail. */
  async check(): Promise<void> {
    const row = await this.#db.selectFrom('data_keys').selectAll().orderBy('id', 'desc').executeTakeFirst()
    if (row !== undefined) unwrap(row, this.#master)
  }

  #usable(): DataKey | undefined {
    const current = this.#current
    if (current === undefined || current.objects >= DATA_KEY_OBJECTS_MAX) return undefined
    if (this.#clock.nowMs() >= current.untilMs) return undefined
    current.objects += 1
    return current.dataKey
  }

  async #renew(): Promise<DataKey> {
    const full = (this.#current?.objects ?? 0) >= DATA_KEY_OBJECTS_MAX
    const next =
      (full ? undefined : await this.#newest(this.#db)) ?? (await this.#committer.commit((tx) => this.#create(tx)))
    this.#current = { ...next, objects: 1 }
    return this.#keep(next.dataKey)
  }

  async #newest(db: Db): Promise<{ dataKey: DataKey; untilMs: number } | undefined> {
    const row = await db.selectFrom('data_keys').selectAll().orderBy('id', 'desc').limit(1).executeTakeFirst()
    if (row === undefined || row.created_ms + DATA_KEY_LIFE_MS <= this.#clock.nowMs()) return undefined
    return {
      dataKey: { id: row.id, key: unwrap(row, this.#master) },
      untilMs: row.created_ms + DATA_KEY_LIFE_MS,
    }
  }

  async #create(tx: Tx): Promise<{ dataKey: DataKey; untilMs: number }> {
    const key = createSecretKey(randomBytes(DATA_KEY_BYTES))
    const nowMs = this.#clock.nowMs()
    const { id } = await tx
      .insertInto('data_keys')
      .values({ created_ms: nowMs, master_key_id: this.#master.id, wrapped: wrap(key, this.#master) })
      .returning('id')
      .executeTakeFirstOrThrow()
    return { dataKey: { id, key }, untilMs: nowMs + DATA_KEY_LIFE_MS }
  }

  #keep(dataKey: DataKey): DataKey {
    if (this.#unwrapped.size >= UNWRAPPED_MAX) this.#unwrapped.clear()
    this.#unwrapped.set(dataKey.id, dataKey)
    return dataKey
  }
}

/** Random nonces are safe here: a master key wraps thousands of keys in its life, not billions. */
function wrap(key: KeyObject, master: MasterKey): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', master.key, nonce)
  cipher.setAAD(utf8(`sealpost data key under ${master.id}`))
  const plain = key.export()
  const sealed = cipher.update(plain)
  plain.fill(0)
  cipher.final()
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()])
}

function unwrap(
  row: { readonly id: number; readonly master_key_id: string; readonly wrapped: Uint8Array },
  master: MasterKey,
): KeyObject {
  if (row.master_key_id !== master.id)
    throw new Error(
      `The data in this database is sealed under master key ${row.master_key_id}, but the master key given is ${master.id}`,
    )
  const { wrapped } = row
  const end = wrapped.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', master.key, wrapped.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(utf8(`sealpost data key under ${master.id}`))
  decipher.setAuthTag(wrapped.subarray(end))
  const plain = decipher.update(wrapped.subarray(NONCE_BYTES, end))
  decipher.final()
  const key = createSecretKey(plain)
  plain.fill(0)
  return key
}
