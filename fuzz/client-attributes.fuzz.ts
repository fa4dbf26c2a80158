/** The arguments of XCLIENT and XFORWARD: no throw; what was read can stand in a header and a log. */
import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { fromLatin1 } from '../src/base/bytes.ts'
import {
  parseClientAttributes,
  XCLIENT_ATTRIBUTES,
  XCLIENT_LOGIN,
  XFORWARD_ATTRIBUTES,
} from '../src/protocol/client-attributes.ts'
import { encodeXtext } from '../src/protocol/smtp-path.ts'

const ALL = [...new Set([...XCLIENT_ATTRIBUTES, ...XFORWARD_ATTRIBUTES, XCLIENT_LOGIN])]

export function target(bytes: Uint8Array): void {
  const read = parseClientAttributes(new TextDecoder('utf-8').decode(bytes), ALL)
  if (!read.ok) return
  const { address, helo, login } = read.value
  for (const value of [address, helo, login]) assert.match(value ?? 'x', /^[\x21-\x7e]{1,255}$/)
  assert(address === undefined || address === null || isIP(address) !== 0)
  const words = Object.entries({ ADDR: address, HELO: helo, LOGIN: login }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value === null ? '[UNAVAILABLE]' : encodeXtext(value)}`],
  )
  if (words.length > 0) assert.deepEqual(parseClientAttributes(words.join(' '), ALL), read)
}

export function seeds(): Uint8Array[] {
  return [
    fromLatin1('NAME=spike.example ADDR=192.0.2.1 PORT=25 PROTO=ESMTP HELO=[192.0.2.1]'),
    fromLatin1('ADDR=IPV6:2001:db8::1 LOGIN=t-azuma+2Bx@here.example'),
    fromLatin1('NAME=[TEMPUNAVAIL] ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE]'),
    fromLatin1('IDENT=4F2 SOURCE=LOCAL'),
  ]
}
