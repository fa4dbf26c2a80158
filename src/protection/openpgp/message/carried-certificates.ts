/** Public keys that a mail brings along: in its header (Autocrypt), or in a part of their own. None is believed for having come. */
import { contentTypeOf } from '../../../message/content-type.ts'
import { decodeBody } from '../../../message/decode.ts'
import type { Part } from '../../../message/part.ts'
import { type Autocrypt, autocryptOf } from '../autocrypt.ts'
import type { OpenpgpCertificate } from '../certificate/certificate.ts'
import { readTransferableKeys } from '../certificate/transferable.ts'
import type { Holding } from './holding.ts'

/** Certificates read from one part, and from one mail; more are ignored. */
const CARRIED_MAX = 8

interface Carried {
  readonly certificate: OpenpgpCertificate
  /** Of the header's only. */
  readonly preferEncrypt?: Autocrypt['preferEncrypt']
}

/** Of one part; nothing below it. */
export function certificatesIn(part: Part): readonly Carried[] {
  const autocrypt = autocryptOf(part)
  const inHeader = autocrypt === undefined ? [] : readKeys(autocrypt.keyData)
  const wanted = inHeader.map((certificate) => ({
    certificate,
    preferEncrypt: autocrypt?.preferEncrypt ?? 'nopreference',
  }))
  if (contentTypeOf(part).type !== 'application/pgp-keys') return wanted
  const inBody = readKeys(decodeBody(part).bytes).map((certificate) => ({ certificate }))
  return [...wanted, ...inBody].slice(0, CARRIED_MAX)
}

/** Of these parts, and of what is directly within them. */
export function carriedIn<P>(held: Holding<P>, ...parts: readonly P[]): readonly OpenpgpCertificate[] {
  const all = parts.flatMap((part) => [part, ...held.children(part).children])
  const carried = all.flatMap((part) => certificatesIn(held.preview(part)))
  return carried.map(({ certificate }) => certificate).slice(0, CARRIED_MAX)
}

function readKeys(encoded: Uint8Array): readonly OpenpgpCertificate[] {
  const read = readTransferableKeys(encoded)
  return read.ok ? read.value.slice(0, CARRIED_MAX).map(({ certificate }) => certificate) : []
}
