/** A POP3 terminal that keeps each message from the moment it has it, whatever then happens to the server. */
import { talkPop3s } from '../support/pop3-client.ts'
import type { Mailbox } from './ledger.ts'

export interface Fetched {
  readonly uidl: string
  readonly message: Buffer
  /** The server has answered QUIT: it said that this message is deleted. */
  readonly deleted: boolean
}

/** One session: everything there is, fetched and deleted. `see` is called when a message is there, and when it is gone. */
export async function fetchOnce(mailbox: Mailbox, see: (fetched: Fetched) => void): Promise<void> {
  await using talk = await talkPop3s(mailbox.port, undefined, mailbox.host)
  const must = async (command: string): Promise<void> => {
    const answer = (await talk.say(command)).toString()
    if (!answer.startsWith('+OK')) throw new Error(`${command.slice(0, 4)} was answered ${answer}`)
  }
  await must(`USER ${mailbox.address}`)
  await must(`PASS ${mailbox.password}`)
  const list = (await talk.say('UIDL', true)).toString()
  const uidls = list
    .split('\r\n')
    .filter((line) => /^\d+ /.test(line))
    .map((line) => line.split(' ')[1] ?? '')
  const fetched: { uidl: string; message: Buffer }[] = []
  for (const [index, uidl] of uidls.entries()) {
    const message = await talk.say(`RETR ${index + 1}`, true)
    if (message.subarray(0, 4).toString() === '-ERR') throw new Error(`RETR was answered ${message.toString()}`)
    fetched.push({ uidl, message })
    see({ uidl, message, deleted: false })
    await must(`DELE ${index + 1}`)
  }
  await must('QUIT')
  for (const one of fetched) see({ ...one, deleted: true })
}
