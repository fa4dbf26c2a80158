/** `sealpost migrate` */
import type { Command } from 'commander'
import { migrateStore } from '../store/database.ts'
import { configOf, placeOf } from './desk-of.ts'
import { type CommonOptions, command, say } from './output.ts'

export function migrateCommand(): Command {
  return command('migrate', "Bring the tables of the database to this program's version.", [
    'sealpost migrate --config ./mail/sealpost.yaml',
  ]).action(migrate)
}

async function migrate(options: CommonOptions): Promise<void> {
  const { from, to } = await migrateStore(await placeOf(await configOf(options.config)))
  const words = from === to ? `at version ${to} already` : `brought from version ${from} to ${to}`
  say(options, { from, to }, `The database is ${words}`)
}
