/** `sealpost serve` */
import type { Command } from 'commander'
import { setEventLog, stopped, trouble } from '../base/events.ts'
import { createLogger } from '../base/log.ts'
import { ROLES, type Role, type Running, startServer } from '../main.ts'
import { configOf, openDesk } from './desk-of.ts'
import { type CommonOptions, command } from './output.ts'

export function serveCommand(): Command {
  return command('serve', 'Run the server; one JSON object per event on standard output.', [
    'sealpost serve --config ./mail/sealpost.yaml',
    'sealpost serve --role receive,relay',
  ])
    .option('--role <roles>', `some of ${ROLES.join(', ')}; without it all`)
    .action(serve)
}

async function serve(options: CommonOptions & { role?: string }, made: Command): Promise<void> {
  const roles = options.role?.split(',') ?? [...ROLES]
  const unknown = roles.find((role) => !(ROLES as readonly string[]).includes(role))
  if (unknown !== undefined) made.error(`error: there is no role "${unknown}"; there are ${ROLES.join(', ')}`)
  const config = await configOf(options.config)
  setEventLog(createLogger(config.log.level))
  // before anything starts: a signal without a handler ends the process at once, SIGHUP too
  const why = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
  const starting = openDesk(config, 'system').then((desk) => startServer(desk, roles as Role[]))
  reloadAtSighup(starting, options.config)
  const server = await starting
  const signal = await why
  await server.stop()
  stopped({ why: signal })
}

/** One after the other, so that the file as it was last is in force in the end. */
function reloadAtSighup(starting: Promise<Running>, file: string): void {
  let last: Promise<unknown> = starting.catch(() => undefined) // who awaits it says why
  process.on('SIGHUP', () => {
    last = last
      .then(async () => {
        const config = await configOf(file)
        await (await starting).reload(config)
        setEventLog(createLogger(config.log.level))
      })
      .catch((error: unknown) => trouble({ during: 'reload', error }))
  })
}
