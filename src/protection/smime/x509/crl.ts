/** Certificate revocation lists (RFC 5280 §5); their entries are in crl-entries.ts. */
import { equalBytes, hex } from '../../../base/bytes.ts'
import type { Result } from '../../../base/result.ts'
import type { Node } from '../asn1/der-reader.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import { type CrlEntries, readEntries } from './crl-entries.ts'
import { type Extension, readExtensions, readInstant } from './certificate.ts'
import { EXTENSION, bitsOf, readAuthorityKeyId, readBoolean } from './extensions.ts'
import { type GeneralName, readGeneralNames } from './general-name.ts'
import { Malformed, attempt } from '../../malformed.ts'
import { derNode } from '../asn1/der-fields.ts'
import { nameKey, readName, relativeNameKey } from './name.ts'

export const CRL_SIZE_MAX_BYTES = 32 * 2 ** 20

/** Bits 1 to 8 of ReasonFlags (RFC 5280 §4.2.1.13); bit 0 is unused. */
export const ALL_REASONS = 0x1fe

/** IssuingDistributionPoint (RFC 5280 §5.2.5): which certificates and reasons a CRL is about. */
export interface CrlScope {
  /** Comparable names of the distribution point; missing when it has none. */
  readonly names?: readonly string[]
  readonly onlyUsers: boolean
  readonly onlyAuthorities: boolean
  readonly onlyAttributes: boolean
  readonly reasons: number
  readonly indirect: boolean
}

export interface Crl {
  readonly tbs: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  readonly issuerKey: string
  readonly thisUpdateMs: number
  readonly nextUpdateMs?: number
  readonly entries: CrlEntries
  readonly authorityKeyId?: Uint8Array
  /** cRLNumber and BaseCRLNumber, padded hex: comparable as text. */
  readonly number?: string
  readonly baseNumber?: string
  readonly scope: CrlScope
  /** The value of issuingDistributionPoint, to tell whether a delta is about the same certificates. */
  readonly scopeDer?: Uint8Array
  /** False when a list of version 2 has no cRLNumber, which RFC 5280 §5.2.3 demands: it revokes, and vouches for nobody. */
  readonly vouches: boolean
  /** False when a critical extension, of the list or of an entry, is not understood (RFC 5280 §5.2, §5.3). */
  readonly usable: boolean
}

/** By the array that was given: a CRL that is kept is parsed once. */
const cache = new WeakMap<Uint8Array, Result<Crl>>()

/** Reads a DER CRL. The bytes are not copied and must not change. */
export function parseCrl(der: Uint8Array): Result<Crl> {
  const known = cache.get(der)
  if (known !== undefined) return known
  const parsed = attempt(() => readCrl(der))
  cache.set(der, parsed)
  return parsed
}

const KEPT_CRLS_MAX = 64
const KEPT_CRLS_MAX_BYTES = 256 * 2 ** 20

/** In order of last use. Their bytes are shared with other threads; what each thread adds is an offset for each entry. */
const kept = new Map<string, { readonly parsed: Result<Crl>; readonly lengthBytes: number }>()

/** The same for bytes that come from another thread again and again; equal ids mean equal bytes. */
export function parseKeptCrl({ id, encoded }: { readonly id: string; readonly encoded: Uint8Array }): Result<Crl> {
  const { parsed } = kept.get(id) ?? { parsed: parseCrl(encoded) }
  kept.delete(id)
  kept.set(id, { parsed, lengthBytes: encoded.length })
  let lengthBytes = 0
  for (const each of kept.values()) lengthBytes += each.lengthBytes
  for (const [oldest, each] of kept) {
    if (kept.size <= KEPT_CRLS_MAX && lengthBytes <= KEPT_CRLS_MAX_BYTES) break
    kept.delete(oldest)
    lengthBytes -= each.lengthBytes
  }
  return parsed
}

/** When a CRL was made and when the next one is due, without a look at its entries. */
export const readCrlTimes = (der: Uint8Array): Result<Pick<Crl, 'thisUpdateMs' | 'nextUpdateMs'>> =>
  attempt(() => timesOf(readFrame(der)))

function readCrl(der: Uint8Array): Crl {
  const frame = readFrame(der)
  const { tbs, algorithm, signature, issuer, trailer } = frame
  const issuerKey = nameKey(readName(derNode(issuer?.raw ?? NONE, TAG.SEQUENCE, 'CRL issuer')))
  const entries = readEntries(frame.entries)
  const extensions =
    trailer === undefined ? [] : readExtensions(derNode(trailer.content, TAG.SEQUENCE, 'CRL extensions'))
  const facts = readCrlFacts(extensions, issuerKey)
  return {
    tbs: tbs.raw,
    signatureAlgorithm: algorithm.raw,
    signature: signature.content.subarray(1),
    issuerKey,
    ...timesOf(frame),
    entries,
    ...facts,
    vouches: facts.number !== undefined || !frame.hasVersion,
    usable: extensions.every(isUnderstood) && entries.understood,
  }
}

/** The parts of a CRL, unread inside. */
interface CrlFrame {
  /** False for lists of version 1, which have no extensions (RFC 5280 §5.1.2.1). */
  readonly hasVersion: boolean
  readonly tbs: Element
  readonly algorithm: Element
  readonly signature: Element
  readonly issuer: Element | undefined
  readonly thisUpdate: Element | undefined
  readonly nextUpdate: Element | undefined
  /** Content of revokedCertificates; empty when there are none. */
  readonly entries: Uint8Array
  readonly trailer: Element | undefined
}

function readFrame(der: Uint8Array): CrlFrame {
  if (der.length > CRL_SIZE_MAX_BYTES) throw new Malformed('CRL is too large')
  const outer = elementAt(der, 0)
  if (outer.tag !== TAG.SEQUENCE || outer.end !== der.length) throw new Malformed('CRL is malformed')
  const [tbs, algorithm, signature, more] = [...eachElement(outer.content)]
  if (tbs?.tag !== TAG.SEQUENCE || algorithm === undefined || signature?.tag !== TAG.BIT_STRING || more !== undefined)
    throw new Malformed('CRL is malformed')
  if (signature.content[0] !== 0) throw new Malformed('CRL signature is malformed')
  const fields = [...eachElement(tbs.content)]
  const hasVersion = fields[0]?.tag === TAG.INTEGER
  if (hasVersion) fields.shift()
  const [tbsAlgorithm, issuer, thisUpdate, ...rest] = fields
  if (!equalBytes(tbsAlgorithm?.raw ?? NONE, algorithm.raw))
    throw new Malformed('the two signature algorithms of the CRL differ')
  const nextUpdate = isTime(rest[0]) ? rest.shift() : undefined
  const entries = rest[0]?.tag === TAG.SEQUENCE ? (rest.shift()?.content ?? NONE) : NONE
  const trailer = rest[0]?.tag === contextConstructed(0) ? rest.shift() : undefined
  if (rest.length > 0) throw new Malformed('CRL is malformed')
  return { hasVersion, tbs, algorithm, signature, issuer, thisUpdate, nextUpdate, entries, trailer }
}

function timesOf({ thisUpdate, nextUpdate }: CrlFrame): Pick<Crl, 'thisUpdateMs' | 'nextUpdateMs'> {
  const thisUpdateMs = readInstant(primitiveNode(thisUpdate))
  return nextUpdate === undefined
    ? { thisUpdateMs }
    : { thisUpdateMs, nextUpdateMs: readInstant(primitiveNode(nextUpdate)) }
}

const NONE = new Uint8Array()

const isTime = (element: Element | undefined): boolean =>
  element?.tag === TAG.UTC_TIME || element?.tag === TAG.GENERALIZED_TIME

function readCrlFacts(
  extensions: readonly Extension[],
  issuerKey: string,
): Pick<Crl, 'authorityKeyId' | 'number' | 'baseNumber' | 'scope' | 'scopeDer'> {
  const value = (oid: string): Uint8Array | undefined => extensions.find((extension) => extension.oid === oid)?.value
  const scopeDer = value(EXTENSION.issuingDistributionPoint)
  const keyId = value(EXTENSION.authorityKeyId)
  const authorityKeyId = keyId === undefined ? undefined : readAuthorityKeyId(keyId)
  const number = value(EXTENSION.crlNumber)
  const baseNumber = value(EXTENSION.deltaCrlIndicator)
  return {
    scope: scopeDer === undefined ? WHOLE_SCOPE : readScope(scopeDer, issuerKey),
    ...(scopeDer === undefined ? {} : { scopeDer }),
    ...(authorityKeyId === undefined ? {} : { authorityKeyId }),
    ...(number === undefined ? {} : { number: readCrlNumber(number) }),
    ...(baseNumber === undefined ? {} : { baseNumber: readCrlNumber(baseNumber) }),
  }
}

const CRL_NUMBER_MAX_BYTES = 21 // RFC 5280 §5.2.3: 20 octets, and one for the sign

function readCrlNumber(value: Uint8Array): string {
  const { content } = derNode(value, TAG.INTEGER, 'cRLNumber')
  if (content.length > CRL_NUMBER_MAX_BYTES || ((content[0] ?? 0x80) & 0x80) !== 0)
    throw new Malformed('cRLNumber is malformed')
  return hex(content).padStart(2 * CRL_NUMBER_MAX_BYTES, '0')
}

const isUnderstood = ({ critical, oid }: Extension): boolean =>
  !critical || oid === EXTENSION.issuingDistributionPoint || oid === EXTENSION.deltaCrlIndicator

const WHOLE_SCOPE: CrlScope = {
  onlyUsers: false,
  onlyAuthorities: false,
  onlyAttributes: false,
  reasons: ALL_REASONS,
  indirect: false,
}

function readScope(value: Uint8Array, issuerKey: string): CrlScope {
  const fields = new Map(
    derNode(value, TAG.SEQUENCE, 'issuingDistributionPoint').children.map((child) => [child.tag, child]),
  )
  const flag = (number: number): boolean => {
    const node = fields.get(context(number))
    return node !== undefined && readBoolean(node.content)
  }
  const name = fields.get(contextConstructed(0))
  const reasons = fields.get(context(3))
  return {
    ...(name === undefined ? {} : { names: readPointNames(name, [issuerKey]) }),
    onlyUsers: flag(1),
    onlyAuthorities: flag(2),
    reasons: reasons === undefined ? ALL_REASONS : bitsOf(reasons.content) & ALL_REASONS,
    indirect: flag(4),
    onlyAttributes: flag(5),
  }
}

/** DistributionPointName (RFC 5280 §4.2.1.13) as comparable names; `issuers` are what a relative name continues. */
export function readPointNames(node: Node, issuers: readonly string[]): readonly string[] {
  const choice = node.children[0]
  if (choice?.tag === contextConstructed(0)) return readGeneralNames(choice, contextConstructed(0)).flatMap(nameKeyOf)
  if (choice?.tag === contextConstructed(1)) {
    const last = relativeNameKey(choice.children)
    return issuers.map((issuer) => `directory ${issuer === '' ? last : `${issuer}\n${last}`}`)
  }
  throw new Malformed('distribution point is malformed')
}

function nameKeyOf(name: GeneralName): readonly string[] {
  switch (name.kind) {
    case 'directory':
      return [`directory ${nameKey(name.name)}`]
    case 'uri':
    case 'dns':
    case 'email':
    case 'utf8-email':
      return [`${name.kind} ${name.text}`]
    case 'ip':
    case 'other':
      return []
  }
}

/** One element, unread inside; `end` is its end in the bytes it was found in. */
interface Element {
  readonly tag: number
  readonly raw: Uint8Array
  readonly content: Uint8Array
  readonly end: number
}

const primitiveNode = (element: Element | undefined): Node | undefined =>
  element === undefined ? undefined : { ...element, children: [] }

function* eachElement(bytes: Uint8Array): Generator<Element> {
  for (let at = 0; at < bytes.length;) {
    const element = elementAt(bytes, at)
    yield element
    at = element.end
  }
}

function elementAt(bytes: Uint8Array, start: number): Element {
  const tag = bytes[start]
  const first = bytes[start + 1]
  if (tag === undefined || first === undefined) throw new Malformed('CRL ends early')
  let length = first
  let at = start + 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 4) throw new Malformed('CRL has a length that DER does not')
    length = 0
    for (const octet of bytes.subarray(at, at + count)) length = length * 256 + octet
    at += count
  }
  const end = at + length
  if (end > bytes.length) throw new Malformed('CRL ends early')
  return { tag, raw: bytes.subarray(start, end), content: bytes.subarray(at, end), end }
}
