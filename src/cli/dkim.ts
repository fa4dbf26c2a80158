/** `sealpost dkim …` */
import { Command, Option } from 'commander'
import { addDkimKeys, listDkimKeys, retireDkimKey, useDkimKey } from '../admin/operations/dkim.ts'
import type { DkimKeyNote } from '../keys/dkim-keys.ts'
import { atDesk } from './desk-of.ts'
import { type CommonOptions, command, isoTime, note, say, sayRows } from './output.ts'

const ALGORITHMS = { rsa: ['rsa-sha256'], ed25519: ['ed25519-sha256'], both: ['rsa-sha256', 'ed25519-sha256'] } as const

export function dkimCommand(): Command {
  const dkim = new Command('dkim').description('Keys with which our domains sign what leaves (DKIM).')
  dkim.addCommand(
    command('add <domain>', 'Make keys for a domain, and say what to publish; they sign when "dkim use" says so.', [
      'sealpost dkim add example.org',
      'sealpost dkim add example.org --algorithm rsa --selector winter',
    ])
      .addOption(
        new Option('--algorithm <algorithm>', 'RSA is what all verify; Ed25519 what some do')
          .choices(Object.keys(ALGORITHMS))
          .default('both'),
      )
      .option('--selector <name>', 'begins the names of the keys, instead of the day')
      .action(add),
  )
  dkim.addCommand(command('list', 'All keys and their DNS records.', ['sealpost dkim list']).action(list))
  dkim.addCommand(
    command('use <domain> <selector>', 'Sign with this key from now on; its record must be in the DNS.', [
      'sealpost dkim use example.org 20261123-rsa',
    ])
      .option('--unchecked', 'do not ask the DNS')
      .action(use),
  )
  dkim.addCommand(
    command('retire <domain> <selector>', 'Sign with this key no more; leave its record in the DNS for a week.', [
      'sealpost dkim retire example.org 20260101-rsa',
    ]).action(retire),
  )
  return dkim
}

async function add(
  domain: string,
  options: CommonOptions & { readonly algorithm: keyof typeof ALGORITHMS; readonly selector?: string },
): Promise<void> {
  const algorithms = ALGORITHMS[options.algorithm]
  const keys = await atDesk(options, (desk) => addDkimKeys(desk, { domain, algorithms, selector: options.selector }))
  for (const key of keys) say(options, toRow(key), `${key.recordName}. TXT ${zoneStrings(key.record)}`)
  if (options.json !== true)
    note(`\nPublish these, then:\n${keys.map((key) => `  sealpost dkim use ${domain} ${key.selector}`).join('\n')}`)
}

async function list(options: CommonOptions): Promise<void> {
  const rows = (await atDesk(options, listDkimKeys)).map(toRow)
  sayRows(options, rows, 'No DKIM keys; "sealpost dkim add DOMAIN" makes some.')
}

async function use(domain: string, selector: string, options: CommonOptions & { unchecked?: boolean }): Promise<void> {
  const unchecked = options.unchecked === true
  const key = await atDesk(options, (desk) => useDkimKey(desk, { domain, selector, unchecked }))
  say(options, toRow(key), `${domain} signs with ${selector} from now on`)
}

async function retire(domain: string, selector: string, options: CommonOptions): Promise<void> {
  const key = await atDesk(options, (desk) => retireDkimKey(desk, { domain, selector }))
  say(options, toRow(key), `${domain} signs with ${selector} no more; leave its record in the DNS for a week`)
}

const toRow = ({ domain, selector, algorithm, createdMs, used, recordName, record }: DkimKeyNote) => ({
  domain,
  selector,
  algorithm,
  used,
  created: isoTime(createdMs),
  name: recordName,
  record,
})

/** As zone files have it: strings of at most 255 octets. */
const zoneStrings = (record: string): string => (record.match(/.{1,255}/g) ?? []).map((part) => `"${part}"`).join(' ')
