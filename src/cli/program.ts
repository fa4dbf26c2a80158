/** All commands there are, as one. */
import { Command } from 'commander'
import { readFileSync } from 'node:fs'

/** Loaded when they are asked for: the server starts sooner without the code of all others, and they without the server's. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import('./init.ts')).initCommand(),
  serve: async () => (await import('./serve.ts')).serveCommand(),
  user: async () => (await import('./user.ts')).userCommand(),
  key: async () => (await import('./key.ts')).keyCommand(),
  correspondent: async () => (await import('./correspondent.ts')).correspondentCommand(),
  trust: async () => (await import('./trust.ts')).trustCommand(),
  dkim: async () => (await import('./dkim.ts')).dkimCommand(),
  seal: async () => (await import('./seal.ts')).sealCommand(),
  open: async () => (await import('./open.ts')).openCommand(),
  queue: async () => (await import('./queue.ts')).queueCommand(),
  quarantine: async () => (await import('./quarantine.ts')).quarantineCommand(),
  trace: async () => (await import('./queue.ts')).traceCommand(),
  backup: async () => (await import('./backup.ts')).backupCommand(),
  restore: async () => (await import('./backup.ts')).restoreCommand(),
  migrate: async () => (await import('./migrate.ts')).migrateCommand(),
  store: async () => (await import('./store.ts')).storeCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
  bench: async () => (await import('./bench.ts')).benchCommand(),
}

/** With `wanted`, that command alone, if there is one of that name. Wrong use is thrown, see `strict`. */
export async function program(wanted?: string): Promise<Command> {
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
  const only = Object.entries(COMMANDS).filter(([name]) => name === wanted)
  const made = only.length > 0 ? only : Object.entries(COMMANDS)
  for (const command of await Promise.all(made.map(([, make]) => make()))) sealpost.addCommand(command)
  return strict(sealpost)
}

/** Wrong use is thrown, not exited, in every command; so that it can be told from failure. */
function strict(command: Command): Command {
  command.exitOverride().showHelpAfterError('(see --help)')
  for (const each of command.commands) strict(each)
  return command
}
