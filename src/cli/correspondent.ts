/** `sealpost correspondent …` */
import { Command } from 'commander'
import { forgetCorrespondent, listCorrespondents } from '../admin/operations/correspondents.ts'
import { atDesk } from './desk-of.ts'
import { type CommonOptions, command, isoTime, say, sayRows } from './output.ts'

export function correspondentCommand(): Command {
  const correspondent = new Command('correspondent').description('What the mail of others has shown of their programs.')
  correspondent.addCommand(
    command('list [address]', 'What one address, or each, is known to read; mail to them uses the best of it.', [
      'sealpost correspondent list u-suzuki@abc.com',
    ]).action(list),
  )
  correspondent.addCommand(
    command('forget <address>', 'Write to it as to a stranger, until its next signed mail.', [
      'sealpost correspondent forget u-suzuki@abc.com',
    ]).action(forget),
  )
  return correspondent
}

async function list(address: string | undefined, options: CommonOptions): Promise<void> {
  const known = await atDesk(options, (desk) => listCorrespondents(desk, { address }))
  const rows = known.map(({ address: whose, standard, signedMs, ...shown }) => ({
    address: whose,
    standard,
    ciphers: listed(shown.ciphers, options),
    keyTransports: listed(shown.keyTransports, options),
    signatures: listed(shown.signatures, options),
    usedCipher: shown.usedCipher ?? null,
    outerSignature: shown.outerSignature ?? null,
    headerProtection: shown.headerProtection ?? null,
    autocrypt: shown.autocrypt?.preferEncrypt ?? null,
    autocryptAuthenticated: shown.autocryptAuthenticated?.preferEncrypt ?? null,
    signed: isoTime(signedMs),
  }))
  sayRows(options, rows, address === undefined ? 'Nobody has shown anything yet.' : `Nothing is known of ${address}.`)
}

/** `null`: they have said nothing about it. */
function listed(words: readonly string[] | undefined, { json }: CommonOptions): readonly string[] | string | null {
  return words === undefined ? null : json === true ? words : words.join(' ')
}

async function forget(address: string, options: CommonOptions): Promise<void> {
  await atDesk(options, (desk) => forgetCorrespondent(desk, { address }))
  say(options, { address, forgotten: true }, `${address} is a stranger again`)
}
