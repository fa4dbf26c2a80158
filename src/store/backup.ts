/**
 * Copies the store while the server runs: the database as it is at one moment, and just the message files that it speaks of
 * at that moment. Writers wait only while links to these files are made.
 */
import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BYTES_FOLDER, DATABASE_FILE, type Store } from './database.ts'
import { Snapshot } from './dialect/snapshot.ts'
import { type BackupFile, hashFile } from './manifest.ts'
import type { Db, Schema, Tx } from './schema.ts'

const LINKS_PREFIX = '.backup-'
/** Tables whose rows are counted: what a provider would miss. */
const COUNTED = ['accounts', 'private_keys', 'certificates', 'mailbox', 'queue', 'quarantine'] as const
/** File names read at once. */
const NAMES_AT_ONCE = 10_000

export type RowCounts = Readonly<Record<string, number>>

export interface BackupProgress {
  (what: string, share: number): void
}

export async function countRows(db: Db): Promise<RowCounts> {
  const count = async (table: keyof Schema): Promise<[string, number]> => {
    const { rows } = await db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('rows'))
      .executeTakeFirstOrThrow()
    return [table, rows]
  }
  return Object.fromEntries(await Promise.all(COUNTED.map(count)))
}

export interface CopiedStore {
  readonly files: readonly BackupFile[]
  readonly rows: RowCounts
  /** Message files that the database speaks of and that are not there: lost before the backup. */
  readonly missing: readonly string[]
}

/** Into the existing folder `to`. `note` runs in the transaction that marks the moment: for the audit row. */
export async function copyStore(
  store: Store,
  {
    dataDir,
    to,
    note,
    progress,
  }: { dataDir: string; to: string; note: (tx: Tx) => Promise<void>; progress: BackupProgress },
): Promise<CopiedStore> {
  const links = join(dataDir, `${LINKS_PREFIX}${process.pid}`)
  await removeStaleLinks(dataDir)
  try {
    const linked = new Links(join(dataDir, BYTES_FOLDER), links)
    await linked.take(await filesOf(store.db)) // most of them, while nobody waits
    using snapshots = new DisposableStack() // a work may run twice
    const { names, rows, snapshot } = await store.commit(async (tx) => {
      // nobody else can write now: what a row speaks of is there, and is linked before it can go
      const wanted = await filesOf(tx)
      await linked.take(wanted)
      const moment = snapshots.use(new Snapshot(join(dataDir, DATABASE_FILE)))
      const counts = await countRows(tx)
      await note(tx)
      return { names: wanted, rows: counts, snapshot: moment }
    })
    await snapshot.copyTo(join(to, DATABASE_FILE), (share) => progress('database', share))
    const files = [await hashFile(to, DATABASE_FILE)]
    for (const [index, name] of names.entries()) {
      if (linked.has(name)) files.push(await copyMessage(links, name, to))
      progress('messages', (index + 1) / names.length)
    }
    return { files, rows, missing: names.filter((name) => !linked.has(name)) }
  } finally {
    await rm(links, { recursive: true, force: true })
  }
}

/** Durable when this resolves. */
async function copyMessage(links: string, file: string, to: string): Promise<BackupFile> {
  const name = `${BYTES_FOLDER}/${file}`
  await copyDurably(join(links, file), join(to, name))
  return hashFile(to, name)
}

/** Makes the folder at need; readable by nobody else. */
export async function copyDurably(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 })
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await using file = await open(to, 'r+')
  await file.chmod(0o600)
  await file.sync()
}

async function filesOf(db: Db): Promise<string[]> {
  const names: string[] = []
  for (let after = ''; ;) {
    const rows = await db
      .selectFrom('bytes')
      .select('file')
      .where('file', '>', after)
      .orderBy('file')
      .limit(NAMES_AT_ONCE)
      .execute()
    names.push(...rows.flatMap(({ file }) => (file === null ? [] : [file])))
    if (rows.length < NAMES_AT_ONCE) return names
    after = names.at(-1) as string
  }
}

/** Second names for message files, so that they stay when the mail is delivered or deleted meanwhile. */
class Links {
  readonly #from: string
  readonly #to: string
  readonly #taken = new Set<string>()

  constructor(from: string, to: string) {
    this.#from = from
    this.#to = to
  }

  has(name: string): boolean {
    return this.#taken.has(name)
  }

  async take(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (this.#taken.has(name)) continue
      const [from, to] = [join(this.#from, name), join(this.#to, name)]
      await mkdir(dirname(to), { recursive: true, mode: 0o700 })
      try {
        await link(from, to)
        this.#taken.add(name)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') continue // gone since it was listed, or lost: the copy will say so
        if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EXDEV' && code !== 'EMLINK') throw error
        await copyFile(from, to) // a file system without links
        this.#taken.add(name)
      }
    }
  }
}

/** Of a backup that was killed. */
async function removeStaleLinks(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(LINKS_PREFIX)) continue
    if (!isRunning(Number(name.slice(LINKS_PREFIX.length))))
      await rm(join(dataDir, name), { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
