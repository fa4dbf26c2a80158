/** `sealpost key …` */
import { Command, Option } from 'commander'
import { confirmKey, exportKeys, importKeys, listKeys, revokeKey, rotateKeys } from '../admin/operations/keys.ts'
import type { StandardName } from '../protection/standard.ts'
import { findKeys } from '../admin/operations/find-keys.ts'
import { atDesk, bytesOf, passwordFromStdin } from './desk-of.ts'
import { type CommonOptions, command, isoTime, note, say, sayRows } from './output.ts'

const STANDARD_NAMES = ['smime', 'openpgp'] as const satisfies StandardName[]

export function keyCommand(): Command {
  const key = new Command('key').description('Public keys of everybody we write to, private keys of our users.')
  key.addCommand(
    command(
      'list [address]',
      'Known keys of one address, or of all: what each is for, why it is trusted, until when, and whether its private key is here.',
      ['sealpost key list'],
    ).action(list),
  )
  key.addCommand(
    command('find <address>', "Look up somebody's keys now where `lookup` in the configuration says, and keep them.", [
      'sealpost key find suzuki@abc.com',
    ]).action(find),
  )
  key.addCommand(importCommand())
  key.addCommand(exportCommand())
  key.addCommand(
    command('rotate <address>', 'New keys for a user; the old ones still open old mail.', [
      'sealpost key rotate t-azuma@biglobe.ne.jp',
      'sealpost key rotate t-azuma@biglobe.ne.jp --standard openpgp',
    ])
      .addOption(new Option('--standard <standard>', 'only the keys of this one').choices(STANDARD_NAMES))
      .action(rotate),
  )
  key.addCommand(
    command('confirm <fingerprint>', 'Use this key: its owner has told you that it is theirs.', [
      'sealpost key confirm 5f2c…',
    ]).action(confirm),
  )
  key.addCommand(
    command('revoke <fingerprint>', 'Never use or believe this key again.', ['sealpost key revoke 5f2c…']).action(
      revoke,
    ),
  )
  return key
}

function importCommand(): Command {
  return command(
    'import <file>',
    'Take in the keys of a file (PEM, DER, PKCS#12, OpenPGP) as confirmed by you; "-" is standard input.',
    ['sealpost key import suzuki.pem', 'printf %s "$PASSWORD" | sealpost key import suzuki.p12 --password-stdin'],
  )
    .option('--password-stdin', "read the file's password from standard input")
    .option('--address <address>', 'for a certificate that names no address')
    .action(importFile)
}

function exportCommand(): Command {
  return command(
    'export <address>',
    'Hand out the public keys as PEM or armor, or with --private all of them, as PKCS#12 or an OpenPGP secret key.',
    [
      'sealpost key export t-azuma@biglobe.ne.jp > azuma.pem',
      'sealpost key export t-azuma@biglobe.ne.jp --standard openpgp > azuma.asc',
      'printf %s "$PASSWORD" | sealpost key export t-azuma@biglobe.ne.jp --private --password-stdin > azuma.p12',
    ],
  )
    .addOption(new Option('--standard <standard>').choices(STANDARD_NAMES).default('smime'))
    .option('--binary', 'OpenPGP keys without armor')
    .option('--private', 'the private keys as well; needs --password-stdin and leaves an audit row')
    .option('--password-stdin', 'read the password for the private keys from standard input')
    .action(exportFile)
}

async function list(address: string | undefined, options: CommonOptions): Promise<void> {
  const keys = await atDesk(options, (desk) => listKeys(desk, { address }))
  const rows = keys.map(({ notBeforeMs, notAfterMs, revokedMs, ...key }) => ({
    ...key,
    from: isoTime(notBeforeMs),
    until: isoTime(notAfterMs),
    revoked: revokedMs === undefined ? null : isoTime(revokedMs),
  }))
  sayRows(options, rows, address === undefined ? 'No keys yet.' : `No key of ${address} is known.`)
}

async function find(address: string, options: CommonOptions): Promise<void> {
  const { answers, keys } = await atDesk(options, (desk) => findKeys(desk, { address }))
  for (const answer of answers)
    say(options, answer, `${answer.source}: ${answer.why ?? ([...answer.fingerprints].join(', ') || answer.outcome)}`)
  if (options.json === true) return
  const rows = keys.map(({ fingerprint, trust, source, held }) => ({ fingerprint, trust, source, held }))
  sayRows(options, rows, `No key of ${address} is known.`)
}

async function importFile(
  file: string,
  options: CommonOptions & { passwordStdin?: boolean; address?: string },
): Promise<void> {
  const bytes = await bytesOf(file)
  const password = options.passwordStdin === true ? await passwordFromStdin() : undefined
  const keys = await atDesk(options, (desk) => importKeys(desk, { file: bytes, password, address: options.address }))
  for (const key of keys)
    say(options, key, `${key.address}  ${key.algorithm}  ${key.fingerprint}${key.private ? '  with private key' : ''}`)
}

type ExportOptions = CommonOptions & {
  standard: StandardName
  binary?: boolean
  private?: boolean
  passwordStdin?: boolean
}

async function exportFile(address: string, options: ExportOptions): Promise<void> {
  const { standard, binary } = options
  const withPrivate =
    options.private === true ? { password: options.passwordStdin === true ? await passwordFromStdin() : '' } : undefined
  const { file, ...keys } = await atDesk(options, (desk) =>
    exportKeys(desk, { address, standard, binary, withPrivate }),
  )
  if (options.json !== true) process.stdout.write(file)
  else if (standard === 'openpgp') say(options, { ...keys, openpgp: Buffer.from(file).toString('base64') }, '')
  else if (withPrivate === undefined) say(options, { ...keys, pem: Buffer.from(file).toString() }, '')
  else say(options, { ...keys, pkcs12: Buffer.from(file).toString('base64') }, '')
}

async function rotate(address: string, options: CommonOptions & { standard?: StandardName }): Promise<void> {
  const { standard } = options
  const rotated = await atDesk(options, (desk) => rotateKeys(desk, { address, standard }))
  for (const key of rotated.keys) note(`new ${key.standard} key ${key.algorithm}`)
  say(options, rotated, rotated.keys.map((key) => key.fingerprint).join('\n'))
}

async function confirm(fingerprint: string, options: CommonOptions): Promise<void> {
  const addresses = await atDesk(options, (desk) => confirmKey(desk, { fingerprint }))
  say(options, { fingerprint, addresses, confirmed: true }, `${fingerprint} is confirmed for ${addresses.join(', ')}`)
}

async function revoke(fingerprint: string, options: CommonOptions): Promise<void> {
  await atDesk(options, (desk) => revokeKey(desk, { fingerprint }))
  say(options, { fingerprint, revoked: true }, `${fingerprint} is revoked`)
}
