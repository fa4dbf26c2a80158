/**
 * The Autocrypt header field (Autocrypt Level 1, release 1.1): a mail's own word on its author's key, which proves nothing.
 * Autocrypt-Gossip, one correspondent's word on another's key, is not read (decision 0047).
 */
import { Buffer } from 'node:buffer'
import { type Result, fail, ok } from '../../base/result.ts'
import { type Address, parseAddress, sameAddress } from '../../message/address.ts'
import { contentTypeOf } from '../../message/content-type.ts'
import { fieldBody, fieldsNamed, makeField } from '../../message/header-field.ts'
import type { HeaderField, Part } from '../../message/part.ts'
import { authorOf } from '../author.ts'
import { certificatesForAddress } from './certificate/one-address.ts'

export const AUTOCRYPT = 'Autocrypt'
/** Of the key, decoded: well above the 10 KiB that a field should have, for post-quantum keys; a folder of keys has more. */
export const KEY_DATA_MAX_BYTES = 48 * 2 ** 10
const FIELD_MAX_CHARS = 2 * KEY_DATA_MAX_BYTES
/** A field should not be larger than 10 KiB; its lines are base64. */
const WRITTEN_MAX_BYTES = 7 * 2 ** 10
const FIELDS_MAX = 10
const LINE_CHARS = 76

export interface Autocrypt {
  readonly address: Address
  /** `mutual`: the author wants encrypted mail from whoever wants it too. */
  readonly preferEncrypt: 'mutual' | 'nopreference'
  /** A transferable public key, not looked at yet. */
  readonly keyData: Uint8Array
}

/** What the mail says of its author's key: the one valid field that is about the address in From; several are none. */
export function autocryptOf(part: Part): Autocrypt | undefined {
  const author = authorOf(part)
  if ('problem' in author || contentTypeOf(part).type === 'multipart/report') return undefined
  const fields = fieldsNamed(part, AUTOCRYPT).slice(0, FIELDS_MAX)
  const valid = fields.flatMap((field) => {
    const parsed = parseAutocrypt(fieldBody(field))
    return parsed.ok && sameAddress(parsed.value.address, author.address) ? [parsed.value] : []
  })
  return valid.length === 1 ? valid[0] : undefined
}

/** Attributes that are not known and do not begin with `_` are critical: then the field says nothing. */
export function parseAutocrypt(body: string): Result<Autocrypt> {
  if (body.length > FIELD_MAX_CHARS) return fail('it is too long')
  const attributes = new Map<string, string>()
  for (const pair of body.split(';')) {
    const equals = pair.indexOf('=')
    const name = pair.slice(0, Math.max(0, equals)).trim().toLowerCase()
    if (pair.trim() === '') continue
    if (name === '') return fail('an attribute has no value')
    if (attributes.has(name)) return fail(`there are two ${name}`)
    if (!KNOWN.has(name) && !name.startsWith('_')) return fail(`${name} is critical and unknown`)
    attributes.set(name, pair.slice(equals + 1).trim())
  }
  const address = parseAddress(attributes.get('addr') ?? '')
  if (address === undefined) return fail('addr is no address')
  const keyData = decodeKeyData(attributes.get('keydata') ?? '')
  if (keyData === undefined) return fail('keydata is no base64')
  const preferEncrypt = attributes.get('prefer-encrypt')?.toLowerCase() === 'mutual' ? 'mutual' : 'nopreference'
  return ok({ address, preferEncrypt, keyData })
}

const KNOWN: ReadonlySet<string> = new Set(['addr', 'prefer-encrypt', 'keydata'])

/** By the certificate, which is the same one for each mail of its owner. */
const fieldsOf = new WeakMap<Uint8Array, Map<string, readonly HeaderField[]>>()

/** What goes out with the author's mail; nothing for a certificate that does not speak for the author, or is too large. */
export function autocryptFields(
  certificate: Uint8Array,
  author: Address,
  preferEncrypt: Autocrypt['preferEncrypt'],
): readonly HeaderField[] {
  const known = fieldsOf.get(certificate) ?? new Map<string, readonly HeaderField[]>()
  fieldsOf.set(certificate, known)
  const fields = known.get(`${preferEncrypt} ${author}`) ?? makeFields(certificate, author, preferEncrypt)
  if (known.size < AUTHORS_KEPT_MAX) known.set(`${preferEncrypt} ${author}`, fields)
  return fields
}

/** An owner has one address, or a few; as they are written, which may differ in case. */
const AUTHORS_KEPT_MAX = 8

function makeFields(
  certificate: Uint8Array,
  author: Address,
  preferEncrypt: Autocrypt['preferEncrypt'],
): readonly HeaderField[] {
  const cut = certificatesForAddress(certificate, author)
  const keyData = cut.ok ? cut.value[0] : undefined
  if (keyData === undefined || keyData.length > WRITTEN_MAX_BYTES) return []
  return [makeAutocrypt({ address: author, preferEncrypt, keyData })]
}

/** keydata comes last, so that programs that read no further than they know find all before it. */
export function makeAutocrypt({ address, preferEncrypt, keyData }: Autocrypt): HeaderField {
  const preference = preferEncrypt === 'mutual' ? ' prefer-encrypt=mutual;' : ''
  const base64 = Buffer.from(keyData).toString('base64').match(LINES)?.join(' ') ?? ''
  return makeField(AUTOCRYPT, `addr=${address};${preference} keydata= ${base64}`)
}

const LINES = new RegExp(`.{1,${LINE_CHARS}}`, 'g')

/** Folding leaves blanks anywhere in it. */
function decodeKeyData(text: string): Uint8Array | undefined {
  const base64 = text.replace(/[ \t\r\n]+/g, '')
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  const bytes = Buffer.from(base64, 'base64')
  return bytes.length > 0 && bytes.length <= KEY_DATA_MAX_BYTES ? Uint8Array.from(bytes) : undefined
}
