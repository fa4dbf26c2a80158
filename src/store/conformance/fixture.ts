/** What the suites need: a store with a clock that they turn, and some mail. */
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { domainOf, parseAddress, type Address } from '../../message/address.ts'
import type { MasterKey } from '../bytes/data-keys.ts'
import { openStore, type Store } from '../database.ts'
import type { BytesId, Tx } from '../schema.ts'
import type { NewQueueItem } from '../queue.ts'

export interface Opened {
  readonly store: Store
  readonly dir: string
  readonly masterKey: MasterKey
  readonly clock: { now: number; nowMs(): number }
}

/** Opens an empty store that the test removes at its end. */
export type Open = (t: TestContext) => Promise<Opened>

export const START_MS = Date.UTC(2026, 10, 22)

export async function openSqliteStore(t: TestContext): Promise<Opened> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-store-'))
  const clock = { now: START_MS, nowMs: () => clock.now }
  const masterKey = { id: '0123456789abcdef', key: createSecretKey(randomBytes(32)) }
  const store = await openStore({ dir, masterKey, clock })
  t.after(async () => {
    await store.close()
    await rm(dir, { recursive: true })
  })
  return { store, dir, masterKey, clock }
}

export function address(text: string): Address {
  const parsed = parseAddress(text)
  assert.ok(parsed, text)
  return parsed
}

/** A message of this size with a row, which nobody refers to yet. */
export async function putBytes(store: Store, tx: Tx, finished = store.bytes.seal(randomBytes(100))): Promise<BytesId> {
  return store.bytes.insert(tx, await finished)
}

export function queueItem(bytesId: BytesId, recipient: string, more: Partial<NewQueueItem> = {}): NewQueueItem {
  const to = address(recipient)
  return {
    bytesId,
    mailFrom: address('t-azuma@biglobe.ne.jp'),
    recipient: to,
    domain: domainOf(to),
    queuedMs: START_MS,
    messageId: '<1@biglobe.ne.jp>',
    dsn: {},
    smtpUtf8: false,
    eightBit: false,
    bodyKind: 'sealed',
    ...more,
  }
}
