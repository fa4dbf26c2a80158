/** A copy of everything while the server runs, and a provider made from such a copy. */
import { mkdir, open, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import type { Result } from '../../base/result.ts'
import { withDataBeside } from '../../config/initial.ts'
import { MASTER_KEY_FILE, writeMasterKey } from '../../keys/master-key.ts'
import { openMasterKey, PASSWORD_MIN_LENGTH, sealMasterKey } from '../../keys/sealed-master-key.ts'
import { audit } from '../../store/audit.ts'
import { type BackupProgress, copyDurably, copyStore, countRows, type RowCounts } from '../../store/backup.ts'
import type { MasterKey } from '../../store/bytes/data-keys.ts'
import { DATABASE_FILE, openStore, type Store } from '../../store/database.ts'
import { damageOf } from '../../store/dialect/snapshot.ts'
import { type BackupFile, faultOf, hashFile, type Manifest, readManifest, writeManifest } from '../../store/manifest.ts'
import { holdItems, listQueue } from '../../store/queue.ts'
import type { BytesId } from '../../store/schema.ts'
import { type Desk, OperationRefused } from '../desk.ts'
import { CONFIG_FILE } from './init.ts'

export const SEALED_MASTER_KEY_FILE = `${MASTER_KEY_FILE}.sealed`
/** Messages asked for at once. */
const IDS_AT_ONCE = 1_000

/** `none`: it is kept elsewhere, and without it the backup is noise. */
export type MasterKeyInBackup =
  { readonly kind: 'none' } | { readonly kind: 'clear' } | { readonly kind: 'sealed'; readonly password: string }

export interface BackupMade {
  readonly dir: string
  readonly files: number
  readonly sizeBytes: number
  readonly rows: RowCounts
  readonly missing: readonly string[]
}

/** Into a new or empty folder. What is finished has a manifest; what has none is no backup. */
export async function makeBackup(
  desk: Desk,
  input: { readonly to: string; readonly masterKey: MasterKeyInBackup; readonly progress: BackupProgress },
): Promise<BackupMade> {
  const { config, store, clock, actor } = desk
  if (store.isShared)
    throw new OperationRefused(
      `The database is on a server: copy it with pg_dump${config.store.bucket === null ? '' : ', then what is in the bucket'}, and keep master.key apart from the copy`,
    )
  const to = resolve(input.to)
  const { masterKey } = store.dataKeys
  await needEmptyFolder(to)
  const nowMs = clock.nowMs()
  const copied = await copyStore(store, {
    dataDir: config.dataDir,
    to,
    note: (tx) =>
      audit(tx, { nowMs, actor, operation: 'backup', subject: to, detail: `master key: ${input.masterKey.kind}` }),
    progress: input.progress,
  })
  await copyDurably(config.file, join(to, CONFIG_FILE))
  const names = [CONFIG_FILE, ...(await addMasterKey(to, masterKey, input.masterKey))]
  const files = [...copied.files, ...(await Promise.all(names.map((name) => hashFile(to, name))))]
  await writeManifest(to, { createdMs: nowMs, masterKeyId: masterKey.id, rows: copied.rows, files })
  await syncFolder(to)
  return { dir: to, files: files.length, sizeBytes: sizeOf(files), rows: copied.rows, missing: copied.missing }
}

/** Reads the whole backup again; the faults, one sentence each. */
export async function verifyBackup(
  from: string,
  progress: BackupProgress,
): Promise<{ readonly manifest: Manifest; readonly faults: readonly string[] }> {
  const manifest = needManifest(await readManifest(from))
  const faults: string[] = []
  for (const [index, file] of manifest.files.entries()) {
    const fault = await faultOf(from, file)
    if (fault !== undefined) faults.push(fault)
    progress('verified', (index + 1) / manifest.files.length)
  }
  const damage = faults.length === 0 ? damageOf(join(from, DATABASE_FILE)) : undefined
  return { manifest, faults: damage === undefined ? faults : [`${DATABASE_FILE}: ${damage}`] }
}

export interface Restored {
  readonly dir: string
  readonly config: string
  readonly rows: RowCounts
  readonly messages: number
  /** Ids of messages that cannot be opened. */
  readonly damaged: readonly number[]
  /** Recipients in the queue that are held until somebody releases them. */
  readonly held: number
}

export interface RestoreInput {
  readonly from: string
  readonly dir: string
  /** For a master key under a password. */
  readonly password?: string
  /** A master key that was kept elsewhere. */
  readonly masterKey?: Result<MasterKey>
  /** Go on with the queue at the start, as if nothing had happened since. */
  readonly sendQueue: boolean
  readonly clock: Clock
  readonly actor: string
  readonly progress: BackupProgress
}

/** Makes a provider in a new or empty folder; every message in it is opened once. */
export async function restoreBackup(input: RestoreInput): Promise<Restored> {
  const { clock, progress } = input
  const [from, dir] = [resolve(input.from), resolve(input.dir)]
  const { manifest, faults } = await verifyBackup(from, progress)
  if (faults.length > 0)
    throw new OperationRefused(`The backup is damaged, nothing was restored:\n${faults.join('\n')}`)
  const keyBytes = await masterKeyBytes(from, manifest, input)
  await needEmptyFolder(dir)
  for (const { name } of manifest.files)
    if (!name.startsWith(MASTER_KEY_FILE) && name !== CONFIG_FILE) await copyDurably(join(from, name), join(dir, name))
  const config = join(dir, CONFIG_FILE)
  await writeFile(config, withDataBeside(await readFile(join(from, CONFIG_FILE), 'utf8')), { mode: 0o600 })
  const masterKey = await writeMasterKey(dir, keyBytes)
  await using store = await openStore({ dir, masterKey, clock })
  const rows = await countRows(store.db)
  const { messages, damaged } = await openAll(store, progress)
  const held = input.sendQueue ? 0 : await holdQueue(store)
  await store.commit((tx) =>
    audit(tx, { nowMs: clock.nowMs(), actor: input.actor, operation: 'restore', subject: from, detail: '' }),
  )
  await syncFolder(dir)
  return { dir, config, rows, messages, damaged, held }
}

async function addMasterKey(to: string, masterKey: MasterKey, wish: MasterKeyInBackup): Promise<string[]> {
  switch (wish.kind) {
    case 'none':
      return []
    case 'clear':
      await writeMasterKey(to, masterKey.key.export())
      return [MASTER_KEY_FILE]
    case 'sealed': {
      if (wish.password.length < PASSWORD_MIN_LENGTH)
        throw new OperationRefused(`The password needs ${PASSWORD_MIN_LENGTH} characters at least`)
      await using file = await open(join(to, SEALED_MASTER_KEY_FILE), 'wx', 0o600)
      await file.writeFile(await sealMasterKey(masterKey, wish.password))
      await file.sync()
      return [SEALED_MASTER_KEY_FILE]
    }
  }
}

async function masterKeyBytes(
  from: string,
  { files, masterKeyId }: Manifest,
  input: RestoreInput,
): Promise<Uint8Array> {
  const has = (file: string): boolean => files.some(({ name }) => name === file)
  if (input.masterKey !== undefined) {
    if (!input.masterKey.ok) throw new OperationRefused(input.masterKey.error)
    const { id, key } = input.masterKey.value
    if (id !== masterKeyId)
      throw new OperationRefused(`The backup was made under the master key ${masterKeyId}; this one is ${id}`)
    return key.export()
  }
  if (has(MASTER_KEY_FILE)) return Buffer.from((await readFile(join(from, MASTER_KEY_FILE), 'utf8')).trim(), 'hex')
  if (!has(SEALED_MASTER_KEY_FILE))
    throw new OperationRefused('The master key is not in the backup: give it with --master-key FILE')
  if (input.password === undefined)
    throw new OperationRefused('The master key in the backup is under a password: --password-stdin')
  const opened = await openMasterKey(await readFile(join(from, SEALED_MASTER_KEY_FILE), 'utf8'), input.password)
  if (!opened.ok) throw new OperationRefused(`The master key cannot be opened: ${opened.error}`)
  return opened.value
}

async function openAll(
  store: Store,
  progress: BackupProgress,
): Promise<{ readonly messages: number; readonly damaged: readonly number[] }> {
  const damaged: number[] = []
  const { all } = await store.db
    .selectFrom('bytes')
    .select((eb) => eb.fn.countAll<number>().as('all'))
    .executeTakeFirstOrThrow()
  let messages = 0
  for (let after = 0 as BytesId; ;) {
    const ids = await store.db
      .selectFrom('bytes')
      .select('id')
      .where('id', '>', after)
      .orderBy('id')
      .limit(IDS_AT_ONCE)
      .execute()
    for (const { id } of ids) {
      if (!(await canBeOpened(store, id))) damaged.push(id)
      progress('messages opened', ++messages / all)
      after = id
    }
    if (ids.length < IDS_AT_ONCE) return { messages, damaged }
  }
}

async function canBeOpened(store: Store, id: BytesId): Promise<boolean> {
  try {
    const chunks = store.bytes.stream(id)
    while ((await chunks.next()).done !== true);
    return true
  } catch {
    return false
  }
}

/** Most of it has been delivered since: what goes out again is for a person to say. */
async function holdQueue(store: Store): Promise<number> {
  const ids = (await listQueue(store.db)).map(({ id }) => id)
  await store.commit((tx) => holdItems(tx, ids, 'restored from a backup; it may have been delivered since'))
  return ids.length
}

function needManifest(read: Result<Manifest>): Manifest {
  if (!read.ok) throw new OperationRefused(read.error)
  return read.value
}

async function needEmptyFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if ((await readdir(dir)).length > 0) throw new OperationRefused(`${dir} is not empty; give a new or an empty folder`)
}

async function syncFolder(dir: string): Promise<void> {
  for (const folder of [dir, dirname(dir)]) {
    await using handle = await open(folder, 'r')
    await handle.sync()
  }
}

const sizeOf = (files: readonly BackupFile[]): number => files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
