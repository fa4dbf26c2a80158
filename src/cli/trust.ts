/** `sealpost trust …` */
import { Command } from 'commander'
import { addAnchors, exportAuthority, listAnchors, removeAnchor } from '../admin/operations/anchors.ts'
import { atDesk, bytesOf } from './desk-of.ts'
import { type CommonOptions, command, isoTime, say, sayRows } from './output.ts'

export function trustCommand(): Command {
  const trust = new Command('trust').description('Authorities whose certificates are believed.')
  trust.addCommand(
    command('add <file>', 'Believe an authority: PEM or DER; "-" is standard input.', [
      'sealpost trust add ca.pem',
    ]).action(add),
  )
  trust.addCommand(
    command('export <domain>', 'Hand out the authority of a domain of ours as PEM, for correspondents to believe.', [
      'sealpost trust export biglobe.ne.jp > biglobe-ca.pem',
    ]).action(exportOwn),
  )
  trust.addCommand(command('list', 'All trust anchors.', ['sealpost trust list']).action(list))
  trust.addCommand(
    command('remove <fingerprint>', 'Believe it no longer.', ['sealpost trust remove 5f2c…']).action(remove),
  )
  return trust
}

async function add(file: string, options: CommonOptions): Promise<void> {
  const bytes = await bytesOf(file)
  const added = await atDesk(options, (desk) => addAnchors(desk, { file: bytes }))
  for (const { fingerprint, subject } of added) say(options, { fingerprint, subject }, `${subject}\n${fingerprint}`)
}

async function exportOwn(domain: string, options: CommonOptions): Promise<void> {
  const { file, ...authority } = await atDesk(options, (desk) => exportAuthority(desk, { domain }))
  if (options.json === true) say(options, { ...authority, pem: Buffer.from(file).toString() }, '')
  else process.stdout.write(file)
}

async function list(options: CommonOptions): Promise<void> {
  const anchors = await atDesk(options, listAnchors)
  const rows = anchors.map(({ certificate, source, addedMs }) => ({
    fingerprint: certificate.fingerprint,
    subject: certificate.subject,
    source,
    added: isoTime(addedMs),
    until: isoTime(certificate.notAfterMs),
  }))
  sayRows(options, rows, 'No trust anchors; "sealpost trust add FILE" adds one.')
}

async function remove(fingerprint: string, options: CommonOptions): Promise<void> {
  await atDesk(options, (desk) => removeAnchor(desk, { fingerprint }))
  say(options, { fingerprint, removed: true }, `${fingerprint} is no longer believed`)
}
