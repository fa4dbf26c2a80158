/** What a connection says of itself, or for the library, rather than in answer to a command (commands.ts). */
import { reply, type Reply } from '../protocol/smtp-reply.ts'

/** As the library says it. */
export const TIMEOUT = reply(421, '4.4.2', 'Timeout - closing connection')
export const STOPPING = reply(421, '4.3.2', 'The server is stopping, try again later')

/** Enhanced codes of what the library says: RFC 4954 §6 for SASL, RFC 3463 §3.5 for the time-out. */
const LIBRARY_CODES: Readonly<Record<number, Reply['enhanced']>> = {
  235: '2.7.0',
  421: '4.4.2',
  451: '4.3.0',
  454: '4.7.0',
  501: '5.5.2',
  503: '5.5.1',
  504: '5.5.4',
  535: '5.7.8',
  538: '5.7.11',
}

/** RFC 5321 §4.3.1; without an enhanced code (RFC 2034 §4). */
export const greeting = (hostname: string): Reply => reply(220, '', `${hostname} ESMTP`)

/** `text`: lines, joined by a line feed. */
export const libraryReply = (code: number, text: string): Reply =>
  reply(code, LIBRARY_CODES[code] ?? '', text.replace(/^Error: /, ''))
