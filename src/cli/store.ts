/** `sealpost store …` */
import { Command } from 'commander'
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { OperationRefused } from '../admin/desk.ts'
import { CopyRefused } from '../store/copy.ts'
import { copyStoreTo, DATABASE_FILE } from '../store/database.ts'
import { configOf } from './desk-of.ts'
import { type CommonOptions, command, note, progressTeller, say, tellRows } from './output.ts'

interface CopyOptions extends CommonOptions {
  readonly to: string
}

export function storeCommand(): Command {
  const store = new Command('store').description('Where everything is kept.')
  store.addCommand(
    command('copy', 'Copy a SQLite store into an empty PostgreSQL; broken off, it goes on where it was.', [
      'sealpost store copy --to postgres://sealpost@db.example.org/sealpost',
    ])
      .requiredOption('--to <url>', 'the PostgreSQL database')
      .action(copy),
  )
  return store
}

async function copy(options: CopyOptions): Promise<void> {
  const { dataDir: dir } = await configOf(options.config)
  if (!existsSync(join(dir, DATABASE_FILE))) throw new OperationRefused(`There is no SQLite store in ${dir}`)
  try {
    const actor = `cli:${userInfo().username}`
    const rows = await copyStoreTo(options.to, { dir, actor, progress: progressTeller() })
    say(options, { rows }, `Copied, and compared: ${tellRows(rows)}`)
    note('Now set store.url in the configuration; the SQLite store is as it was, and is not written to any more.')
  } catch (error) {
    throw error instanceof CopyRefused ? new OperationRefused(error.message) : error
  }
}
