/** SMTP replies: RFC 5321 §4.2, with the enhanced codes of RFC 2034 and RFC 3463. */
import assert from 'node:assert/strict'

/** RFC 3463 §2: class.subject.detail; '' for the replies that carry none (RFC 2034 §4: greeting, HELO, EHLO, 3yz). */
export type EnhancedCode = `${2 | 4 | 5}.${number}.${number}` | ''

/** What the server says to one command, or to the end of the data. */
export interface Reply {
  readonly code: number
  readonly enhanced: EnhancedCode
  /** At least one; printable ASCII only; each fits, with the codes, into `REPLY_LINE_MAX_BYTES`. */
  readonly lines: readonly string[]
}

export const REPLY_LINE_MAX_BYTES = 512 // RFC 5321 §4.5.3.1.5, codes and <CRLF> included
export const REPLY_LINES_MAX = 20

/**
 * Makes a reply. `text` may come from anywhere (an error, a peer): line breaks start a new reply line, long lines are
 * broken, other control characters and what is not ASCII become '?', what is beyond `REPLY_LINES_MAX` lines is cut.
 * Throws when the codes contradict each other, which is a bug of the caller.
 */
export function reply(code: number, enhanced: EnhancedCode, text: string): Reply {
  assert(Number.isInteger(code) && code >= 200 && code <= 599, `not a reply code: ${code}`)
  assert(enhanced === '' || ENHANCED.test(enhanced), `not an enhanced code: ${enhanced}`)
  // RFC 2034 §4: the class is the first digit of the reply code
  assert(enhanced === '' || enhanced.startsWith(String(code)[0] as string), `${enhanced} contradicts ${code}`)
  const widthMax = REPLY_LINE_MAX_BYTES - `${code} ${enhanced} \r\n`.length
  return { code, enhanced, lines: replyLines(text, widthMax) }
}

/** The bytes on the wire, as ASCII text: every line bears both codes (RFC 2034 §4) and ends in CRLF. */
export function formatReply(answer: Reply): string {
  const prefix = answer.enhanced === '' ? '' : `${answer.enhanced} `
  const last = answer.lines.length - 1
  return answer.lines.map((line, i) => `${answer.code}${i < last ? '-' : ' '}${prefix}${line}\r\n`).join('')
}

export const isPositive = (answer: Reply): boolean => answer.code < 400
export const isTransient = (answer: Reply): boolean => answer.code >= 400 && answer.code < 500
export const isPermanent = (answer: Reply): boolean => answer.code >= 500

/** One line for logs: codes and text. */
export const replyText = (answer: Reply): string =>
  [String(answer.code), answer.enhanced, ...answer.lines].filter((word) => word !== '').join(' ')

const ENHANCED = /^[245]\.\d{1,3}\.\d{1,3}$/ // RFC 3463 §2

function replyLines(text: string, widthMax: number): string[] {
  const lines: string[] = []
  // cut first: a text of any length costs no more than what is sent
  for (const raw of text.slice(0, widthMax * REPLY_LINES_MAX).split(/\r\n|\r|\n/)) {
    const line = raw
      .replaceAll('\t', ' ')
      .replaceAll(/[^\x20-\x7e]/g, '?')
      .trimEnd()
    for (let at = 0; at === 0 || at < line.length; at += widthMax) lines.push(line.slice(at, at + widthMax))
  }
  while (lines.length > 1 && lines.at(-1) === '') lines.pop()
  return lines.slice(0, REPLY_LINES_MAX)
}
