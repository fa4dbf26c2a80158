/** User ids (RFC 9580 §5.11): a text by convention, and the address in it where there is exactly one. */
import { type Address, parseAddress, sameAddress } from '../../../message/address.ts'
import { addressesIn } from '../../../message/mailbox-list.ts'

/** Longest text that is shown to anybody, in characters. */
const TEXT_MAX_CHARS = 1000

/** For display: no control characters, and what is not UTF-8 is replaced. */
export const userIdText = (body: Uint8Array): string =>
  new TextDecoder()
    .decode(body.subarray(0, 4 * TEXT_MAX_CHARS))
    .slice(0, TEXT_MAX_CHARS)
    .toWellFormed()
    .replace(/\p{C}/gu, '�')

/**
 * The address: `Name <address>`, or nothing but an address. `undefined` for all that two readers could understand
 * differently: control characters, several angle brackets, another address in the name.
 */
export function userIdAddress(body: Uint8Array): Address | undefined {
  const text = decode(body)?.trim()
  if (text === undefined || /\p{C}/u.test(text)) return undefined
  const [, name = '', inside] = /^([^<>]*)<([^<>]+)>$/.exec(text) ?? []
  const address = parseAddress(inside ?? text)
  if (address === undefined) return undefined
  const others = addressesIn(name).map((other) => parseAddress(other))
  return others.every((other) => other !== undefined && sameAddress(other, address)) ? address : undefined
}

function decode(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}
