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

/** After a day, or this many objects of one process, whichever comes first, a data key is replaced for new objects. */
const DATA_KEY_LIFE_MS = 24 * 60 * 60_000
const DATA_KEY_OBJECTS_MAX = 2 ** 20
/** Unwrapped keys kept in memory: two years of days. */
const UNWRAPPED_MAX = 750
const DATA_KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

interface Current {
  readonly dataKey: DataKey
  readonly createdMs: number
}

export class DataKeys {
  readonly #db: Db
  readonly #committer: Committer
  readonly #clock: Clock
  readonly #master: MasterKey
  #current: Current
  #objects = 0
  #renewing = false
  readonly #unwrapped = new Map<number, DataKey>()

  /** Throws when the newest data key is wrapped by another master key: said at the start, not with the first mail. */
  static async open(db: Db, committer: Committer, master: MasterKey, clock: Clock): Promise<DataKeys> {
    const current =
      (await newestKey(db, master)) ?? (await committer.commit((tx) => createKey(tx, master, clock.nowMs())))
    return new DataKeys(db, committer, master, clock, current)
  }

  private constructor(db: Db, committer: Committer, master: MasterKey, clock: Clock, current: Current) {
    this.#db = db
    this.#committer = committer
    this.#master = master
    this.#clock = clock
    this.#current = current
  }

  /** Under which the others are wrapped. */
  get masterKey(): MasterKey {
    return this.#master
  }

  /**
   * The key for one new object. Never waits: a key that is due stays in use until its successor is committed, so this can
   * be called inside a transaction as well as outside.
   */
  current(): DataKey {
    this.#objects += 1
    const due =
      this.#objects > DATA_KEY_OBJECTS_MAX || this.#clock.nowMs() >= this.#current.createdMs + DATA_KEY_LIFE_MS
    if (due && !this.#renewing) void this.#renew()
    return this.#current.dataKey
  }

  /** The key that opens an older object. Throws when it is not there or wrapped by another master key. */
  async byId(id: number): Promise<DataKey> {
    const known = this.#unwrapped.get(id)
    if (known !== undefined) return known
    const row = await this.#db.selectFrom('data_keys').selectAll().where('id', '=', id).executeTakeFirst()
    if (row === undefined) throw new Error(`Data key ${id} is missing: the database is not complete`)
    return this.#keep({ id, key: unwrap(row, this.#master) })
  }

  /** Wraps every data key by `next` instead; what they have sealed stays as it is. Afterwards every store is opened anew. */
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

  /** Takes over the key that another process has made meanwhile, or makes one. When that fails, the next use tries again. */
  async #renew(): Promise<void> {
    this.#renewing = true
    try {
      const newest = await newestKey(this.#db, this.#master)
      const another = newest !== undefined && newest.dataKey.id !== this.#current.dataKey.id
      const fresh = another && this.#clock.nowMs() < newest.createdMs + DATA_KEY_LIFE_MS
      this.#current = fresh
        ? newest
        : await this.#committer.commit((tx) => createKey(tx, this.#master, this.#clock.nowMs()))
      this.#objects = 0
    } catch {
      // the old key is as good as it was; what made the commit fail is heard from every other commit
    } finally {
      this.#renewing = false
    }
  }

  #keep(dataKey: DataKey): DataKey {
    if (this.#unwrapped.size >= UNWRAPPED_MAX) this.#unwrapped.clear()
    this.#unwrapped.set(dataKey.id, dataKey)
    return dataKey
  }
}

async function newestKey(db: Db, master: MasterKey): Promise<Current | undefined> {
  const row = await db.selectFrom('data_keys').selectAll().orderBy('id', 'desc').limit(1).executeTakeFirst()
  return row && { dataKey: { id: row.id, key: unwrap(row, master) }, createdMs: row.created_ms }
}

async function createKey(tx: Tx, master: MasterKey, nowMs: number): Promise<Current> {
  const key = createSecretKey(randomBytes(DATA_KEY_BYTES))
  const { id } = await tx
    .insertInto('data_keys')
    .values({ created_ms: nowMs, master_key_id: master.id, wrapped: wrap(key, master) })
    .returning('id')
    .executeTakeFirstOrThrow()
  return { dataKey: { id, key }, createdMs: nowMs }
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
