/** Public keys that a mail brings along: in its header (Autocrypt), or in a part of their own. None is believed for having come. */
import { contentTypeOf } from '../../../message/content-type.ts'
import { decodeBody } from '../../../message/decode.ts'
import type { Part } from '../../../message/part.ts'
import { autocryptOf } from '../autocrypt.ts'
import type { OpenpgpCertificate } from '../certificate/certificate.ts'
import { readTransferableKeys } from '../certificate/transferable.ts'
import type { Holding } from './holding.ts'

/** Certificates read from one part, and from one mail; more are ignored. */
const CARRIED_MAX = 8
/** Of one part; nothing below it. */
export function certificatesIn(part: Part): readonly OpenpgpCertificate[] {
  const autocrypt = autocryptOf(part)
  const inHeader = autocrypt === undefined ? [] : readKeys(autocrypt.keyData)
  if (contentTypeOf(part).type !== 'application/pgp-keys') return inHeader
  return [...inHeader, ...readKeys(decodeBody(part).bytes)].slice(0, CARRIED_MAX)
}

/** Of these parts, and of what is directly within them. */
export function carriedIn<P>(held: Holding<P>, ...parts: readonly P[]): readonly OpenpgpCertificate[] {
  const all = parts.flatMap((part) => [part, ...held.children(part).children])
  return all.flatMap((part) => certificatesIn(held.preview(part))).slice(0, CARRIED_MAX)
}

function readKeys(encoded: Uint8Array): readonly OpenpgpCertificate[] {
  const read = readTransferableKeys(encoded)
  return read.ok ? read.value.slice(0, CARRIED_MAX).map(({ certificate }) => certificate) : []
}
