/** `sealpost quarantine …` */
import { Command } from 'commander'
import { pipeline } from 'node:stream/promises'
import { changeQuarantined, listQuarantined, readQuarantined } from '../admin/operations/quarantine.ts'
import { atDesk } from './desk-of.ts'
import { type CommonOptions, command, isoTime, say, sayRows } from './output.ts'

export function quarantineCommand(): Command {
  const quarantine = new Command('quarantine').description('Mail that was kept from its readers.')
  quarantine.addCommand(command('list', 'What is held, and why.', ['sealpost quarantine list']).action(list))
  quarantine.addCommand(
    command('show <id>', 'Print the mail as it arrived.', ['sealpost quarantine show 3 > held.eml']).action(show),
  )
  quarantine.addCommand(
    command('release <id>', 'Deliver it as it arrived, still protected.', ['sealpost quarantine release 3']).action(
      (id: string, options: CommonOptions, made: Command) => change('release', id, options, made),
    ),
  )
  quarantine.addCommand(
    command('remove <id>', 'Drop it; nobody is told.', ['sealpost quarantine remove 3']).action(
      (id: string, options: CommonOptions, made: Command) => change('remove', id, options, made),
    ),
  )
  return quarantine
}

async function list(options: CommonOptions): Promise<void> {
  const held = await atDesk(options, listQuarantined)
  const rows = held.map(({ id, atMs, mailFrom, recipients, messageId, reason }) => ({
    id,
    at: isoTime(atMs),
    from: mailFrom === '' ? '<>' : mailFrom,
    to: recipients,
    messageId,
    reason,
  }))
  sayRows(options, rows, 'Nothing is held.')
}

async function show(id: string, options: CommonOptions, made: Command): Promise<void> {
  await atDesk(options, async (desk) => {
    const message = readQuarantined(desk, { id: idOf(id, made) })
    if (options.json !== true) return await pipeline(message, process.stdout, { end: false })
    const bytes = Buffer.concat(await Array.fromAsync(message))
    say(options, { id: Number(id), message: bytes.toString('latin1') }, '')
  })
}

async function change(kind: 'release' | 'remove', id: string, options: CommonOptions, made: Command): Promise<void> {
  await atDesk(options, (desk) => changeQuarantined(desk, { id: idOf(id, made), change: kind }))
  say(options, { id: Number(id), change: kind }, `${kind}: ${id}`)
}

function idOf(text: string, made: Command): number {
  if (!/^\d{1,15}$/.test(text)) made.error(`error: "${text}" is not the number of a quarantine entry`)
  return Number(text)
}
