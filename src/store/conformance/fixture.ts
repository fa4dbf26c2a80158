/** What the suites need: a store with a clock that they turn, and some mail. */
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { TestContext } from 'node:test'
import { domainOf, parseAddress, type Address } from '../../message/address.ts'
import type { MasterKey } from '../bytes/data-keys.ts'
import { BYTES_FOLDER, openStore, type Store, type StoreOptions } from '../database.ts'
import type { BytesId, Tx } from '../schema.ts'
import type { NewQueueItem } from '../queue.ts'

export interface Opened {
  readonly store: Store
  readonly dir: string
  readonly masterKey: MasterKey
  readonly clock: { now: number; nowMs(): number }
  /** The same store once more, as another process would. */
  again(more?: Partial<StoreOptions>): Promise<Store>
  /** Its large messages, behind its back. */
  readonly large: LargeAtRest
  /** All that is kept of mails, wherever it lies. */
  atRest(): Promise<readonly Uint8Array[]>
}

export interface LargeAtRest {
  names(): Promise<string[]>
  read(name: string): Promise<Buffer>
  replace(name: string, sealed: Uint8Array): Promise<void>
  /** As if it had been written then. */
  date(name: string, atMs: number): Promise<void>
}

/** Opens an empty store that the test removes at its end. */
export type Open = (t: TestContext) => Promise<Opened>

export const START_MS = Date.UTC(2026, 10, 22)

export async function openSqliteStore(t: TestContext): Promise<Opened> {
  const opened = await openEmpty(t, {})
  const { dir } = opened
  return { ...opened, large: largeFiles(join(dir, BYTES_FOLDER)), atRest: () => filesIn(dir) }
}

/** `options`: where the store is. */
export async function openEmpty(
  t: TestContext,
  options: Pick<StoreOptions, 'url' | 'migrate' | 'bucket'>,
): Promise<Omit<Opened, 'large' | 'atRest'>> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-store-'))
  const clock = { now: START_MS, nowMs: () => clock.now }
  const masterKey = { id: '0123456789abcdef', key: createSecretKey(randomBytes(32)) }
  const again = (more: Partial<StoreOptions> = {}): Promise<Store> =>
    openStore({ dir, masterKey, clock, ...options, ...more })
  const store = await again()
  t.after(async () => {
    await store.close()
    await rm(dir, { recursive: true })
  })
  return { store, dir, masterKey, clock, again }
}

const largeFiles = (folder: string): LargeAtRest => ({
  async names() {
    const all = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
    return all.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  },
  read: (name) => readFile(join(folder, name)),
  replace: (name, sealed) => writeFile(join(folder, name), sealed),
  date: (name, atMs) => utimes(join(folder, name), new Date(atMs), new Date(atMs)),
})

async function filesIn(dir: string): Promise<readonly Uint8Array[]> {
  const all = await readdir(dir, { recursive: true, withFileTypes: true })
  return Promise.all(all.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name))))
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
