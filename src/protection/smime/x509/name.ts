/** Distinguished names (RFC 5280 §4.1.2.4): read, compared as §7.1 says, and shown to people. */
import { Buffer } from 'node:buffer'
import { hex } from '../../../base/bytes.ts'
import type { Node } from '../asn1/der-reader.ts'
import { TAG } from '../asn1/tlv.ts'
import { Malformed } from '../../malformed.ts'
import { expectTag, oidOf } from '../asn1/der-fields.ts'

export const NAME_TEXT_MAX = 512 // characters of a name that are shown
const NAME_ATTRIBUTES_MAX = 100

export const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

export interface NameAttribute {
  readonly oid: string
  /** Text of a directory string; `undefined` when the value is of another type. */
  readonly text: string | undefined
  /** The value's DER. */
  readonly raw: Uint8Array
}

export interface DistinguishedName {
  /** RelativeDistinguishedNames in order, most of them of one attribute. */
  readonly rdns: readonly (readonly NameAttribute[])[]
  /** One string an RDN: two RDNs match (RFC 5280 §7.1) exactly when these are equal. */
  readonly keys: readonly string[]
}

/** Reads a Name (a SEQUENCE of RDNs); throws Malformed. */
export function readName(node: Node): DistinguishedName {
  expectTag(node, TAG.SEQUENCE, 'name')
  let count = 0
  const rdns = node.children.map((rdn) => {
    expectTag(rdn, TAG.SET, 'relative distinguished name')
    count += rdn.children.length
    if (rdn.children.length === 0 || count > NAME_ATTRIBUTES_MAX) throw new Malformed('name is malformed')
    return rdn.children.map(readAttribute)
  })
  return { rdns, keys: rdns.map(rdnKey) }
}

/** Equal for two names exactly when they match (RFC 5280 §7.1). */
export const nameKey = (name: DistinguishedName): string => name.keys.join('\n')

/** Text in the manner of RFC 4514 §2, most specific RDN first; control and format characters are escaped. */
export function describeName(name: DistinguishedName): string {
  const text = name.rdns
    .toReversed()
    .map((rdn) => rdn.map(describeAttribute).join('+'))
    .join(',')
  return text.length <= NAME_TEXT_MAX ? text : `${text.slice(0, NAME_TEXT_MAX).toWellFormed()}…`
}

/** The key of one RDN given as its attributes, as nameRelativeToCRLIssuer has it; throws Malformed. */
export const relativeNameKey = (attributes: readonly Node[]): string => rdnKey(attributes.map(readAttribute))

function readAttribute(node: Node): NameAttribute {
  expectTag(node, TAG.SEQUENCE, 'name attribute')
  const [type, value] = node.children
  if (value === undefined || node.children.length !== 2) throw new Malformed('name attribute is malformed')
  return { oid: oidOf(type, 'name attribute'), text: readDirectoryString(value), raw: value.raw }
}

const UNIVERSAL_STRING = 0x1c
const NUMERIC_STRING = 0x12
const VISIBLE_STRING = 0x1a

/** Text of any of ASN.1's string types; `undefined` for other types and for broken encodings. */
export function readDirectoryString(node: Node): string | undefined {
  const content = Buffer.from(node.content.buffer, node.content.byteOffset, node.content.length)
  switch (node.tag) {
    case TAG.UTF8_STRING:
      return decode('utf-8', content)
    case TAG.BMP_STRING:
      return content.length % 2 === 0 ? decode('utf-16be', content) : undefined
    case UNIVERSAL_STRING:
      return universalString(content)
    case TAG.PRINTABLE_STRING:
    case TAG.IA5_STRING:
    case TAG.T61_STRING:
    case NUMERIC_STRING:
    case VISIBLE_STRING:
      return content.toString('latin1')
    default: // every other tag is not a string
      return undefined
  }
}

function decode(charset: 'utf-8' | 'utf-16be', content: Uint8Array): string | undefined {
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    return undefined
  }
}

function universalString(content: Buffer): string | undefined {
  if (content.length % 4 !== 0) return undefined
  let text = ''
  for (let at = 0; at < content.length; at += 4) {
    const point = content.readUInt32BE(at)
    if (point > 0x10ffff) return undefined
    text += String.fromCodePoint(point)
  }
  return text.isWellFormed() ? text : undefined
}

/**
 * The preparation of RFC 4518 as far as names need it: compatibility normalisation, case folding, outer white space
 * removed and inner white space made one space. Values that are not text compare by their encoding.
 */
function rdnKey(rdn: readonly NameAttribute[]): string {
  const attributes = rdn.map(({ oid, text, raw }) => `${oid}=${text === undefined ? `#${hex(raw)}` : foldText(text)}`)
  return JSON.stringify(attributes.toSorted())
}

export function foldText(text: string): string {
  return JSON.stringify(text.normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/g, ' '))
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.42': 'GN',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  [EMAIL_ADDRESS]: 'emailAddress',
}

function describeAttribute({ oid, text, raw }: NameAttribute): string {
  const type = SHORT_NAMES[oid] ?? oid
  if (text === undefined) return `${type}=#${hex(raw.subarray(0, NAME_TEXT_MAX))}`
  const escaped = text
    .slice(0, NAME_TEXT_MAX)
    .toWellFormed()
    .replaceAll(/[,+"\\<>;]/g, String.raw`\$&`)
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, escapeBytes)
    .replace(/^[ #]/, String.raw`\$&`)
    .replace(/ $/, String.raw`\ `)
  return `${type}=${escaped}`
}

function escapeBytes(character: string): string {
  return hex(Buffer.from(character, 'utf8')).replaceAll(/../g, String.raw`\$&`)
}
