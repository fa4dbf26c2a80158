/** All commands there are, as one. */
import { Command } from 'commander'
import { readFileSync } from 'node:fs'
import { backupCommand, restoreCommand } from './backup.ts'
import { benchCommand } from './bench.ts'
import { correspondentCommand } from './correspondent.ts'
import { dkimCommand } from './dkim.ts'
import { doctorCommand } from './doctor.ts'
import { initCommand } from './init.ts'
import { keyCommand } from './key.ts'
import { migrateCommand } from './migrate.ts'
import { openCommand } from './open.ts'
import { quarantineCommand } from './quarantine.ts'
import { queueCommand, traceCommand } from './queue.ts'
import { sealCommand } from './seal.ts'
import { serveCommand } from './serve.ts'
import { storeCommand } from './store.ts'
import { trustCommand } from './trust.ts'
import { userCommand } from './user.ts'

/** Wrong use is thrown, see `strict`. */
export function program(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const sealpost = new Command('sealpost')
    .description('Signs, encrypts, verifies and decrypts e-mail on behalf of the users of a provider.')
    .version(version)
    .addHelpText(
      'after',
      '\nBegin with:\n  sealpost init --dir ./mail --domain example.org --high-ports\n  cd mail\n  sealpost user add anna@example.org\n  sealpost serve\n\n"sealpost help COMMAND" says more. Exit status: 0 done, 1 failed, 2 wrong use.',
    )
  const commands = [
    initCommand,
    serveCommand,
    userCommand,
    keyCommand,
    correspondentCommand,
    trustCommand,
    dkimCommand,
    sealCommand,
    openCommand,
    queueCommand,
    quarantineCommand,
    traceCommand,
    backupCommand,
    restoreCommand,
    migrateCommand,
    storeCommand,
    doctorCommand,
    benchCommand,
  ]
  for (const make of commands) sealpost.addCommand(make())
  return strict(sealpost)
}

/** Wrong use is thrown, not exited, in every command; so that it can be told from failure. */
function strict(command: Command): Command {
  command.exitOverride().showHelpAfterError('(see --help)')
  for (const each of command.commands) strict(each)
  return command
}
