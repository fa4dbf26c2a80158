/** What a next hop answered, as one of our replies: hostile text comes in, codes and printable ASCII come out. */
import { reply, type EnhancedCode, type Reply } from '../protocol/smtp-reply.ts'

/** Longest reply that is read at all; more than any honest server says. The connection is closed beyond it. */
export const REPLY_MAX_BYTES = 16 * 1024
/** What is kept of a reply's text, for the queue, the trace and the DSN. */
export const REPLY_TEXT_MAX_CHARS = 1000

/**
 * Reads a reply (RFC 5321 §4.2) whose lines are joined by LF. An enhanced code counts when it is of the reply code's
 * class (RFC 2034 §4). `undefined` when it does not begin with a reply code of class 2 to 5, or its lines have several.
 */
export function parseRemoteReply(text: string): Reply | undefined {
  const lines = text.slice(0, REPLY_MAX_BYTES).split('\n')
  const head = REPLY_LINE.exec(lines[0] ?? '')
  if (head === null) return undefined
  const code = Number(head[1])
  const words: string[] = []
  let enhanced: EnhancedCode = ''
  for (const line of lines) {
    const another = REPLY_LINE.exec(line)?.[1]
    if (another !== undefined && another !== head[1]) return undefined
    const rest = line.slice(another === undefined ? 0 : 4).trim()
    const found = ENHANCED_PREFIX.exec(rest)
    const agrees = found !== null && found[1]?.[0] === head[1]?.[0]
    if (agrees && enhanced === '') enhanced = found[1] as EnhancedCode
    words.push(agrees ? rest.slice(found[0].length) : rest)
  }
  return reply(code, enhanced, words.join('\n').slice(0, REPLY_TEXT_MAX_CHARS))
}

/**
 * What a reply means for the message. 503 speaks about the session, not the message: another session may do better.
 * Class 2 or 3 where none was due is a broken server, not a refusal.
 */
export function outcomeOf(answer: Reply): 'deferred' | 'failed' {
  return answer.code >= 500 && answer.code !== 503 ? 'failed' : 'deferred'
}

/**
 * The same for RCPT: a bare 552 means "too many recipients" (RFC 5321 §4.5.3.1.10), unless the enhanced code says that it
 * is about the mailbox or the size.
 */
export function outcomeOfRcpt(answer: Reply): 'deferred' | 'failed' {
  return isTooManyRecipients(answer) ? 'deferred' : outcomeOf(answer)
}

/** RFC 5321 §4.5.3.1.10: the others can be sent in a further transaction at once. */
export function isTooManyRecipients(answer: Reply): boolean {
  if (answer.code === 552) return answer.enhanced === '' || answer.enhanced === '5.5.3'
  return answer.code === 452 && (answer.enhanced === '' || answer.enhanced === '4.5.3')
}

const REPLY_LINE = /^([2-5]\d\d)(?:[ -]|$)/
const ENHANCED_PREFIX = /^([245]\.\d{1,3}\.\d{1,3})(?:\s|$)/ // RFC 3463 §2
