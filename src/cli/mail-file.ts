/** Mail as files have it, brought to the form that was on the wire. */
import { fromLatin1, latin1 } from '../base/bytes.ts'

/** CRLF line ends (RFC 8551 §3.1.1) where the file has none, and no mbox line in front. */
export function canonicalMail(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const start = text.subarray(0, 5).toString('latin1') === 'From ' ? text.indexOf('\n') + 1 : 0
  const mail = bytes.subarray(start)
  return text.includes('\r\n') ? mail : fromLatin1(latin1(mail).replaceAll('\n', '\r\n'))
}
