/**
 * Machine-readable reason of a reply: IN-USE and LOGIN-DELAY are of RFC 2449 §8.1, SYS/TEMP, SYS/PERM and AUTH of
 * RFC 3206 §4 and §5; those that Sealpost never says are left out.
 */
export type Pop3ResponseCode = 'AUTH' | 'SYS/TEMP' | 'SYS/PERM'

/** First line of an answer (RFC 1939 §3): +OK or -ERR, and a text for people. */
export interface Pop3Reply {
  readonly ok: boolean
  readonly code: Pop3ResponseCode | undefined
  readonly text: string
}

/** Longest first line of an answer, CRLF included (RFC 1939 §3). */
export const REPLY_LINE_MAX_BYTES = 512

/** What ends a multi-line answer (RFC 1939 §3). */
export const MULTI_LINE_END = '.\r\n'

export const positive = (text: string): Pop3Reply => ({ ok: true, code: undefined, text })
export const negative = (text: string, code?: Pop3ResponseCode): Pop3Reply => ({ ok: false, code, text })

/** The reply as a line with CRLF: whatever the text holds, one line of printable ASCII of at most 512 octets. */
export function printReply(reply: Pop3Reply): string {
  const code = reply.code === undefined ? '' : `[${reply.code}] `
  const line = `${reply.ok ? '+OK' : '-ERR'} ${code}${reply.text}`.replaceAll(/[^\x20-\x7e]/g, '?')
  return `${line.slice(0, REPLY_LINE_MAX_BYTES - 2).trimEnd()}\r\n`
}
