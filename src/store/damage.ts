/** Whether the database is whole, looked at while others go on writing. */
import { join } from 'node:path'
import { DATABASE_FILE } from './database.ts'
import { Snapshot } from './dialect/snapshot.ts'

/** What is wrong with the database in folder `dir`. Reads all of it: a second for each gigabyte or two. */
export function databaseDamage(dir: string): string | undefined {
  using snapshot = new Snapshot(join(dir, DATABASE_FILE))
  return snapshot.damage()
}
