/**
 * Certificate revocation lists (RFC 5280 §5). The list of entries can be very long: it stays bytes, is checked once
 * and searched in place.
 */
import { equalBytes, hex } from '../../base/bytes.ts'
import type { Result } from '../../base/result.ts'
import { type Node, readSmallInteger } from './asn1/der-reader.ts'
import { TAG, context, contextConstructed } from './asn1/tlv.ts'
import { type Extension, readExtensions, readInstant } from './certificate.ts'
import { EXTENSION, bitsOf, readAuthorityKeyId, readBoolean } from './extensions.ts'
import { type GeneralName, readGeneralNames } from './general-name.ts'
import { Malformed, attempt, derNode, expectTag, need } from './malformed.ts'
import { nameKey, readName, relativeNameKey } from './name.ts'

export const CRL_SIZE_MAX_BYTES = 32 * 2 ** 20

/** Bits 1 to 8 of ReasonFlags (RFC 5280 §4.2.1.13); bit 0 is unused. */
export const ALL_REASONS = 0x1fe

const REASON_REMOVE_FROM_CRL = 8

const ENTRY_EXTENSION = { reason: '2.5.29.21', invalidityDate: '2.5.29.24', certificateIssuer: '2.5.29.29' } as const

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
  /** Content of revokedCertificates; empty when there are none. */
  readonly entries: Uint8Array
  readonly authorityKeyId?: Uint8Array
  /** cRLNumber and BaseCRLNumber, padded hex: comparable as text. */
  readonly number?: string
  readonly baseNumber?: string
  readonly scope: CrlScope
  /** The value of issuingDistributionPoint, to tell whether a delta is about the same certificates. */
  readonly scopeDer?: Uint8Array
  /** False when a critical extension, of the list or of an entry, is not understood (RFC 5280 §5.2, §5.3). */
  readonly usable: boolean
}

export interface RevokedEntry {
  readonly revokedMs: number
  /** CRLReason (RFC 5280 §5.3.1); 0 when absent. */
  readonly reason: number
  readonly invalidMs?: number
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

/** The entry for a certificate, or `undefined`. `issuerKey` is that of the certificate, `serial` its whole INTEGER. */
export function findEntry(crl: Crl, issuerKey: string, serial: Uint8Array): RevokedEntry | undefined {
  let entryIssuer = crl.issuerKey
  for (const entry of eachElement(crl.entries)) {
    const serialEnd = elementAt(entry.content, 0).end
    const matches = equalBytes(entry.content.subarray(0, serialEnd), serial)
    if (!crl.scope.indirect && !matches) continue
    const { issuer, ...read } = readEntry(entry.raw)
    entryIssuer = issuer ?? entryIssuer // stays for the entries that follow (RFC 5280 §5.3.3)
    if (matches && entryIssuer === issuerKey) return read
  }
  return undefined
}

export const isRemoved = (entry: RevokedEntry): boolean => entry.reason === REASON_REMOVE_FROM_CRL

function readCrl(der: Uint8Array): Crl {
  if (der.length > CRL_SIZE_MAX_BYTES) throw new Malformed('CRL is too large')
  const outer = elementAt(der, 0)
  if (outer.tag !== TAG.SEQUENCE || outer.end !== der.length) throw new Malformed('CRL is malformed')
  const [tbs, algorithm, signature, more] = [...eachElement(outer.content)]
  if (tbs?.tag !== TAG.SEQUENCE || algorithm === undefined || signature?.tag !== TAG.BIT_STRING || more !== undefined)
    throw new Malformed('CRL is malformed')
  if (signature.content[0] !== 0) throw new Malformed('CRL signature is malformed')
  const fields = [...eachElement(tbs.content)]
  if (fields[0]?.tag === TAG.INTEGER) fields.shift()
  const [tbsAlgorithm, issuer, thisUpdate, ...rest] = fields
  if (!equalBytes(tbsAlgorithm?.raw ?? new Uint8Array(), algorithm.raw))
    throw new Malformed('the two signature algorithms of the CRL differ')
  const issuerKey = nameKey(readName(derNode(issuer?.raw ?? new Uint8Array(), TAG.SEQUENCE, 'CRL issuer')))
  const nextUpdate = isTime(rest[0]) ? rest.shift() : undefined
  const entries = rest[0]?.tag === TAG.SEQUENCE ? (rest.shift()?.content ?? new Uint8Array()) : new Uint8Array()
  const trailer = rest[0]?.tag === contextConstructed(0) ? rest.shift() : undefined
  if (rest.length > 0) throw new Malformed('CRL is malformed')
  const extensions =
    trailer === undefined ? [] : readExtensions(derNode(trailer.content, TAG.SEQUENCE, 'CRL extensions'))
  return {
    tbs: tbs.raw,
    signatureAlgorithm: algorithm.raw,
    signature: signature.content.subarray(1),
    issuerKey,
    thisUpdateMs: readInstant(primitiveNode(thisUpdate)),
    ...(nextUpdate === undefined ? {} : { nextUpdateMs: readInstant(primitiveNode(nextUpdate)) }),
    entries,
    ...readCrlFacts(extensions, issuerKey),
    usable: extensions.every(isUnderstood) && entriesAreUnderstood(entries),
  }
}

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

interface CrlEntry extends RevokedEntry {
  readonly issuer?: string
  readonly understood: boolean
}

function readEntry(raw: Uint8Array): CrlEntry {
  const [, revoked, extensionsNode] = derNode(raw, TAG.SEQUENCE, 'CRL entry').children
  const extensions =
    extensionsNode === undefined ? [] : readExtensions(expectTag(extensionsNode, TAG.SEQUENCE, 'CRL entry'))
  const value = (oid: string): Uint8Array | undefined => extensions.find((extension) => extension.oid === oid)?.value
  const reason = value(ENTRY_EXTENSION.reason)
  const invalid = value(ENTRY_EXTENSION.invalidityDate)
  const issuer = value(ENTRY_EXTENSION.certificateIssuer)
  return {
    revokedMs: readInstant(revoked),
    reason:
      reason === undefined
        ? 0
        : need(readSmallInteger(derNode(reason, TAG.ENUMERATED, 'reason').content), 'reason is malformed'),
    ...(invalid === undefined ? {} : { invalidMs: readInstant(derNode(invalid, TAG.GENERALIZED_TIME, 'date')) }),
    ...(issuer === undefined ? {} : { issuer: readEntryIssuer(issuer) }),
    understood: extensions.every(({ critical, oid }) => !critical || KNOWN_ENTRY_EXTENSIONS.has(oid)),
  }
}

const KNOWN_ENTRY_EXTENSIONS: ReadonlySet<string> = new Set(Object.values(ENTRY_EXTENSION))

function readEntryIssuer(value: Uint8Array): string {
  const names = readGeneralNames(derNode(value, TAG.SEQUENCE, 'certificateIssuer'))
  const directory = names.find((name) => name.kind === 'directory')
  if (directory === undefined) throw new Malformed('certificateIssuer has no name')
  return nameKey(directory.name)
}

/** Entries without extensions, most of them, are only stepped over. */
function entriesAreUnderstood(entries: Uint8Array): boolean {
  for (const entry of eachElement(entries)) {
    const serial = elementAt(entry.content, 0)
    const time = elementAt(entry.content, serial.end)
    if (entry.tag !== TAG.SEQUENCE || serial.tag !== TAG.INTEGER) throw new Malformed('CRL entry is malformed')
    if (time.end < entry.content.length && !readEntry(entry.raw).understood) return false
  }
  return true
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
