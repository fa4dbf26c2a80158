/** Name constraints (RFC 5280 §4.2.1.10): what an authority may speak for, and whether a certificate keeps to it. */
import { isIP } from 'node:net'
import { addressKey, domainOf, localPart, parseAddress } from '../../../message/address.ts'
import type { Node } from '../asn1/der-reader.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { type SmimeCertificate, findExtension, subjectAddresses } from './certificate.ts'
import { EXTENSION, readAltNames } from './extensions.ts'
import { type GeneralName, readGeneralName } from './general-name.ts'
import { Malformed } from '../../malformed.ts'
import { derNode, expectTag } from '../asn1/der-fields.ts'
import { readName } from './name.ts'

export const CONSTRAINT_COMPARISONS_MAX = 100_000 // a path; names × subtrees is otherwise quadratic

export interface NameConstraints {
  /** Missing and empty differ: nothing is permitted by an empty list of a kind that occurs elsewhere in it. */
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

/** Counts the comparisons of one validation, so that hostile certificates end it early. */
export interface ComparisonBudget {
  comparisons: number
}

/** Reads the extension's value; throws Malformed, also for what nobody may issue (minimum, maximum, bad masks). */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const found: { permitted: readonly GeneralName[]; excluded: readonly GeneralName[] } = { permitted: [], excluded: [] }
  const node = derNode(value, TAG.SEQUENCE, 'nameConstraints')
  if (node.children.length === 0) throw new Malformed('nameConstraints is empty')
  for (const field of node.children) {
    if (field.tag === contextConstructed(0)) found.permitted = readSubtrees(field)
    else if (field.tag === contextConstructed(1)) found.excluded = readSubtrees(field)
    else throw new Malformed('nameConstraints is malformed')
  }
  return found
}

function readSubtrees(node: Node): readonly GeneralName[] {
  if (node.children.length === 0) throw new Malformed('nameConstraints is empty')
  return node.children.map((subtree) => {
    const [base, minimum] = expectTag(subtree, TAG.SEQUENCE, 'name constraint').children
    if (base === undefined || minimum !== undefined) throw new Malformed('name constraint with minimum or maximum')
    return checkBase(readGeneralName(base))
  })
}

function checkBase(base: GeneralName): GeneralName {
  switch (base.kind) {
    case 'email':
      if (!isMailConstraint(base.text)) throw new Malformed('rfc822Name constraint is malformed')
      return base
    case 'dns':
      if (base.text !== '' && !isHost(base.text)) throw new Malformed('dNSName constraint is malformed')
      return base
    case 'uri':
      if (!isHost(base.text.replace(/^\./, ''))) throw new Malformed('URI constraint is malformed')
      return base
    case 'ip':
      if (!isAddressRange(base.bytes)) throw new Malformed('iPAddress constraint is malformed')
      return base
    case 'utf8-email':
    case 'directory':
    case 'other':
      return base
  }
}

/** One sentence when `certificate` has a name outside these constraints; throws Malformed for unreadable names. */
export function violatedConstraint(
  certificate: SmimeCertificate,
  constraints: readonly NameConstraints[],
  budget: ComparisonBudget,
): string | undefined {
  if (constraints.length === 0) return undefined
  const names = namesOf(certificate)
  for (const { permitted, excluded } of constraints) {
    for (const name of names) {
      const inKind = permitted.filter((base) => sameKind(base, name))
      budget.comparisons -= permitted.length + excluded.length
      if (budget.comparisons < 0) return 'the name constraints are too many to check'
      if (inKind.length > 0 && !inKind.some((base) => isWithin(name, base, 'permitted')))
        return `the name ${showName(name)} is not among those its authority may certify`
      if (excluded.some((base) => sameKind(base, name) && isWithin(name, base, 'excluded')))
        return `the name ${showName(name)} is among those its authority must not certify`
    }
  }
  return undefined
}

function namesOf(certificate: SmimeCertificate): readonly GeneralName[] {
  const subject = readName(derNode(certificate.subjectName, TAG.SEQUENCE, 'subject'))
  const extension = findExtension(certificate, EXTENSION.subjectAltName)
  return [
    ...(subject.rdns.length === 0 ? [] : [{ kind: 'directory', name: subject } as const]),
    ...subjectAddresses(subject).map((text) => ({ kind: 'email', text }) as const),
    ...(extension === undefined ? [] : readAltNames(extension.value)),
  ]
}

/** rfc822Name constraints hold for SmtpUTF8Mailbox names too (RFC 9598 §6). */
function sameKind(base: GeneralName, name: GeneralName): boolean {
  if (name.kind === 'utf8-email') return base.kind === 'email' || base.kind === 'utf8-email'
  if (name.kind === 'other') return base.kind === 'other' && base.type === name.type
  return base.kind === name.kind
}

/** What cannot be compared is outside a permitted subtree and inside an excluded one. */
function isWithin(name: GeneralName, base: GeneralName, list: 'permitted' | 'excluded'): boolean {
  const uncertain = list === 'excluded'
  switch (name.kind) {
    case 'email':
    case 'utf8-email':
      return base.kind === 'email' ? mailWithin(name.text, base.text, uncertain) : uncertain
    case 'dns':
      return base.kind === 'dns' ? hostWithin(name.text, base.text, uncertain) : uncertain
    case 'uri':
      return base.kind === 'uri' ? uriWithin(name.text, base.text, uncertain) : uncertain
    case 'ip':
      return base.kind === 'ip' && (isAddress(name.bytes) ? addressWithin(name.bytes, base.bytes) : uncertain)
    case 'directory':
      return base.kind === 'directory' && base.name.keys.every((key, i) => name.name.keys[i] === key)
    case 'other':
      return uncertain // a kind of name whose constraints we do not understand
  }
}

/** A mailbox, a host, or ".domain" for every host within it. */
function mailWithin(text: string, base: string, uncertain: boolean): boolean {
  const address = parseAddress(text)
  if (address === undefined) return uncertain
  const host: string = domainOf(address)
  if (!isHost(host)) return uncertain
  if (!base.includes('@')) {
    const domain = base.toLowerCase()
    return domain.startsWith('.') ? host.endsWith(domain) : host === domain
  }
  const mailbox = parseAddress(base)
  if (mailbox === undefined) return uncertain
  // Excluded mailboxes are compared without case: most hosts deliver both spellings to the same person.
  if (uncertain) return addressKey(address) === addressKey(mailbox)
  return localPart(address) === localPart(mailbox) && domainOf(address) === domainOf(mailbox)
}

/** Zero or more labels in front of `base`; a wildcard name reaches into an excluded subtree below it. */
function hostWithin(name: string, base: string, uncertain: boolean): boolean {
  const wildcard = name.startsWith('*.')
  const host = (wildcard ? name.slice(2) : name).toLowerCase()
  if (!isHost(host)) return uncertain
  const domain = base.toLowerCase()
  if (domain === '' || host === domain || host.endsWith(`.${domain}`)) return true
  return uncertain && wildcard && domain.endsWith(`.${host}`)
}

/** The host of a URI, or ".domain" for every host within it. */
function uriWithin(uri: string, base: string, uncertain: boolean): boolean {
  const host = uriHost(uri)
  if (host === undefined) return uncertain
  const domain = base.toLowerCase()
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain
}

function uriHost(uri: string): string | undefined {
  const scheme = uri.indexOf('://')
  if (scheme < 1) return undefined
  const authority = /^[^/?#]*/.exec(uri.slice(scheme + 3))?.[0] ?? ''
  const host = authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d*$/, '')
  return isHost(host) && isIP(host) === 0 ? host.toLowerCase() : undefined
}

function isMailConstraint(text: string): boolean {
  return text.includes('@') ? parseAddress(text) !== undefined : isHost(text.replace(/^\./, ''))
}

/** Labels of letters, digits, hyphen and underscore; no empty label, no address. */
function isHost(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,62})$/i.test(label))
}

const isAddress = (bytes: Uint8Array): boolean => bytes.length === 4 || bytes.length === 16

/** Address and mask of the same length, the mask's ones all in front (RFC 4632). */
function isAddressRange(bytes: Uint8Array): boolean {
  if (bytes.length !== 8 && bytes.length !== 32) return false
  const bits = [...bytes.subarray(bytes.length / 2)].map((octet) => octet.toString(2).padStart(8, '0')).join('')
  return !bits.includes('01')
}

function addressWithin(address: Uint8Array, range: Uint8Array): boolean {
  const half = range.length / 2
  if (address.length !== half) return false
  return address.every((octet, i) => (octet & (range[half + i] ?? 0)) === ((range[i] ?? 0) & (range[half + i] ?? 0)))
}

function showName(name: GeneralName): string {
  switch (name.kind) {
    case 'email':
    case 'utf8-email':
    case 'dns':
    case 'uri':
      return JSON.stringify(name.text.slice(0, 256))
    case 'ip':
      return name.bytes.join('.').slice(0, 64)
    case 'directory':
      return 'of the subject'
    case 'other':
      return `of type ${name.type}`
  }
}
