/** Looks at the data folder from outside, as a thief or an administrator would. */
import { readFile, readdir, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Provider } from '../support/provider.ts'
import { MARKER_NEEDLES } from './mails.ts'

const databaseOf = (provider: Provider): string => join(dirname(provider.configFile), 'sealpost.db')

/**
 * Rows in the queue; of these, when asked so, those that have not been put off. Opened for this one look: a connection that
 * stays would spare the server its recovery.
 */
export async function queueLength(provider: Provider, which: 'all' | 'never put off' = 'all'): Promise<number> {
  using database = new DatabaseSync(databaseOf(provider), { readOnly: true, timeout: 5_000 })
  const attemptsMax = which === 'all' ? Number.MAX_SAFE_INTEGER : 0
  const row = database.prepare('select count(*) as count from queue where attempts <= ?').get(attemptsMax)
  return Number(row?.['count'])
}

/** What a check of the whole database finds; empty when it is sound. */
export function databaseFaults(provider: Provider): unknown[] {
  using database = new DatabaseSync(databaseOf(provider))
  const integrity = database.prepare('pragma integrity_check').all()
  const unsound = integrity.filter((row) => row['integrity_check'] !== 'ok')
  return [...unsound, ...database.prepare('pragma foreign_key_check').all()]
}

/** Message files on the disk, rows of `bytes` that name one, and rows of `bytes` that nobody refers to. */
export async function bytesInventory(
  provider: Provider,
): Promise<{ files: string[]; named: string[]; unused: number }> {
  const folder = join(dirname(provider.configFile), 'bytes')
  const files = (await filesUnder(folder)).map((file) => file.slice(folder.length + 1))
  using database = new DatabaseSync(databaseOf(provider))
  const named = database.prepare('select file from bytes where file is not null').all()
  const unused = database
    .prepare(
      `select count(*) as count from bytes where id not in (select bytes_id from queue union select bytes_id from mailbox
       union select evidence_bytes_id from mailbox where evidence_bytes_id is not null union select bytes_id from quarantine)`,
    )
    .get() as { count: number }
  return { files: files.toSorted(), named: named.map((row) => String(row['file'])).toSorted(), unused: unused.count }
}

/** As if all of it had been lying there for a day: what a crash has left may then be swept. */
export async function age(provider: Provider): Promise<void> {
  const dayMs = 24 * 60 * 60_000
  for (const file of await filesUnder(join(dirname(provider.configFile), 'bytes'))) {
    const { atime, mtimeMs } = await stat(file)
    await utimes(file, atime, new Date(mtimeMs - dayMs))
  }
  using database = new DatabaseSync(databaseOf(provider))
  database.prepare('update bytes set created_ms = created_ms - ?').run(dayMs)
}

/** Names of the files below `folder` in which the marker stands, as it is or in base64. */
export async function scanFolder(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const file of await filesUnder(folder)) {
    const bytes = await readFile(file)
    if (MARKER_NEEDLES.some((needle) => bytes.includes(needle))) found.push(file)
  }
  return found
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
