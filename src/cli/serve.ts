/** `sealpost serve` */
import type { Command } from 'commander'
import { setEventLog, stopped, trouble } from '../base/events.ts'
import { createLogger } from '../base/log.ts'
import { ROLES, type Role, startServer } from '../main.ts'
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
  const server = await startServer(await openDesk(config, 'system'), roles as Role[])
  const reload = async (): Promise<void> => server.reload(await configOf(options.config))
  process.on('SIGHUP', () => void reload().catch((error: unknown) => trouble({ during: 'reload', error })))
  const why = await new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
  await server.stop()
  stopped({ why })
}
