/** `sealpost init` */
import type { Command } from 'commander'
import { establishAuthorities, layFoundations } from '../admin/operations/init.ts'
import { atDesk } from './desk-of.ts'
import { type CommonOptions, command, note, say } from './output.ts'

export function initCommand(): Command {
  return command('init', 'Set up a new provider in an empty folder.', [
    'sealpost init --dir ./mail --domain biglobe.ne.jp',
    'sealpost init --dir /var/lib/sealpost --domain example.org --domain example.net',
  ])
    .requiredOption('--dir <dir>', 'new or empty folder for configuration, database and keys')
    .requiredOption('--domain <domain>', 'a domain of ours; may be given several times', collect, [])
    .action(init)
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]

async function init(options: CommonOptions & { dir: string; domain: readonly string[] }): Promise<void> {
  const config = await layFoundations({ dir: options.dir, domains: options.domain, nowMs: Date.now() })
  const authorities = await atDesk({ config }, establishAuthorities)
  const lines = authorities.map(({ domain, fingerprint }) => `authority of ${domain}: ${fingerprint}`)
  say(options, { config, authorities }, [config, ...lines].join('\n'))
  if (options.json !== true)
    note(
      `Next:\n  sealpost user add somebody@${options.domain[0]} --config ${config}\n  sealpost serve --config ${config}`,
    )
}
