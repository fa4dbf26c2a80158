/** `sealpost init` */
import type { Command } from 'commander'
import { establishAuthorities, layFoundations } from '../admin/operations/init.ts'
import { migrateStore } from '../store/database.ts'
import { atDesk, configOf, placeOf } from './desk-of.ts'
import { type CommonOptions, command, note, say } from './output.ts'

export function initCommand(): Command {
  return command('init', 'Set up a new provider in an empty folder.', [
    'sealpost init --dir ./mail --domain example.org --high-ports',
    'sealpost init --dir /var/lib/sealpost --domain example.org --domain example.net',
  ])
    .requiredOption('--dir <dir>', 'new or empty folder for configuration, database and keys')
    .requiredOption('--domain <domain>', 'a domain of ours; may be given several times', collect)
    .option('--store <url>', 'a PostgreSQL database, whose tables are made; without it SQLite in the folder')
    .option('--high-ports', 'listen on 2525, 2587, 2465, 2110 and 2995, which need no root; for a first try')
    .action(init)
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

interface InitOptions extends CommonOptions {
  readonly dir: string
  readonly domain: readonly string[]
  readonly store?: string
  readonly highPorts?: boolean
}

async function init(options: InitOptions): Promise<void> {
  const { dir, domain: domains, store, highPorts } = options
  const config = await layFoundations({ dir, domains, store, highPorts, nowMs: Date.now() })
  await migrateStore(await placeOf(await configOf(config)))
  const authorities = await atDesk({ config }, establishAuthorities)
  const lines = authorities.map(({ domain, fingerprint }) => `authority of ${domain}: ${fingerprint}`)
  say(options, { config, authorities }, [config, ...lines].join('\n'))
  if (options.json !== true)
    note(
      `\nNext:\n  sealpost user add somebody@${domains[0]} --config ${config}\n  sealpost serve --config ${config}` +
        (highPorts === true
          ? ''
          : '\nThe ports below 1024 need root or CAP_NET_BIND_SERVICE; "init --high-ports" takes others.'),
    )
}
