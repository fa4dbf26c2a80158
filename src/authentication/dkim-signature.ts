/** DKIM signatures as a message carries them (RFC 6376 §3.5), and what is signed by one. */
import { fromLatin1 } from '../base/bytes.ts'
import { type Domain, parseDomain } from '../message/address.ts'
import { fieldBody, isField } from '../message/header-field.ts'
import type { HeaderField } from '../message/part.ts'
import { type Canonical, canonicalField } from './canonical.ts'
import { type TagList, base64Tag, colonList, parseTagList } from './tag-list.ts'

/** What we verify and make: SHA-1 is over (RFC 8301), Ed25519 is of RFC 8463. */
export type DkimAlgorithm = 'rsa-sha256' | 'ed25519-sha256'

const ALGORITHMS: ReadonlySet<string> = new Set<DkimAlgorithm>(['rsa-sha256', 'ed25519-sha256'])
/** A name that is signed once more than it stands there; a header has no more fields than that. */
const SIGNED_FIELDS_MAX = 1_000

/** Labels, which unlike those of a domain may be all of digits (RFC 6376 §3.1); some write an underscore. */
const SELECTOR = /^(?=.{1,189}$)[a-z0-9](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9][a-z0-9_-]{0,62})*$/i

export const isSelector = (text: string): boolean => SELECTOR.test(text)

export interface DkimSignature {
  readonly field: HeaderField
  readonly algorithm: DkimAlgorithm
  readonly headerForm: Canonical
  readonly bodyForm: Canonical
  readonly domain: Domain
  readonly selector: string
  /** Domain of the AUID (i=), the signer's or below it. */
  readonly identityDomain: Domain
  /** Lower-case, in the order in which they are hashed. */
  readonly signedFields: readonly string[]
  readonly bodyHash: Uint8Array
  readonly signature: Uint8Array
  /** Octets of the canonical body that are hashed, when not all (l=). */
  readonly bodyMaxBytes?: number
  /** Seconds since 1970. */
  readonly expiresS?: number
}

/** What is wrong with one: `neutral`, it cannot be read; `policy`, we do not take such a one (RFC 8601 §2.7.1). */
export interface BadSignature {
  readonly problem: 'neutral' | 'policy'
  readonly why: string
  readonly domain?: Domain
}

/** `kind`: an ARC-Message-Signature has no version tag, and `i=` is its number (RFC 8617 §4.1.2). */
export function parseDkimSignature(field: HeaderField, kind: 'dkim' | 'arc' = 'dkim'): DkimSignature | BadSignature {
  const tags = parseTagList(fieldBody(field))
  if (tags === undefined) return unread('it is no tag list')
  const common = signatureTags(tags)
  if ('problem' in common) return common
  const { domain } = common
  if (kind === 'dkim' && tags.get('v') !== '1') return unread('no version 1', domain)
  const bodyHash = base64Tag(tags.get('bh'))
  const signedFields = colonList(tags.get('h') ?? '').map((name) => name.toLowerCase())
  if (bodyHash === undefined) return unread('no bh=', domain)
  if (signedFields.length > SIGNED_FIELDS_MAX) return { problem: 'policy', why: 'too many signed fields', domain }
  if (!signedFields.includes('from')) return unread('From is not signed', domain)
  const forms = readForms(tags.get('c'))
  const identityDomain = kind === 'arc' ? domain : identityOf(tags.get('i'), domain)
  if (forms === undefined) return unread('unknown canonicalization', domain)
  if (identityDomain === undefined) return unread('i= is not within d=', domain)
  if (!(tags.get('q') ?? 'dns/txt').split(':').some((method) => method.trim() === 'dns/txt'))
    return unread('unknown query method', domain)
  const limits = readNumbers(tags)
  if (limits === undefined) return unread('a number cannot be read', domain)
  return { field, ...common, ...forms, identityDomain, signedFields, bodyHash, ...limits }
}

type SignatureTags = Pick<DkimSignature, 'algorithm' | 'domain' | 'selector' | 'signature'>

/** Those of every signature of this family, ARC-Seal included. */
export function signatureTags(tags: TagList): SignatureTags | BadSignature {
  const domain = parseDomain(tags.get('d') ?? '')
  if (domain === undefined) return unread('no domain in d=')
  const selector = tags.get('s') ?? ''
  if (!SELECTOR.test(selector)) return unread('no selector in s=', domain)
  const algorithm = tags.get('a')
  if (algorithm === undefined) return unread('no a=', domain)
  if (!isAlgorithm(algorithm)) return { problem: 'policy', why: `algorithm ${algorithm.slice(0, 40)}`, domain }
  const signature = base64Tag(tags.get('b'))
  return signature === undefined ? unread('no b=', domain) : { algorithm, domain, selector, signature }
}

const isAlgorithm = (text: string): text is DkimAlgorithm => ALGORITHMS.has(text)

const unread = (why: string, domain?: Domain): BadSignature => ({
  problem: 'neutral',
  why,
  ...(domain === undefined ? {} : { domain }),
})

function readForms(text = 'simple'): Pick<DkimSignature, 'headerForm' | 'bodyForm'> | undefined {
  const [headerForm, bodyForm = 'simple', ...others] = text.split('/')
  if (others.length > 0 || !isForm(headerForm) || !isForm(bodyForm)) return undefined
  return { headerForm, bodyForm }
}

const isForm = (text: string | undefined): text is Canonical => text === 'simple' || text === 'relaxed'

function identityOf(identity: string | undefined, domain: Domain): Domain | undefined {
  if (identity === undefined) return domain
  const own = parseDomain(identity.slice(identity.lastIndexOf('@') + 1))
  return own === domain || own?.endsWith(`.${domain}`) === true ? own : undefined
}

/** RFC 6376 §3.5: `t` before `x`, and `l` in octets. */
function readNumbers(tags: TagList): Pick<DkimSignature, 'bodyMaxBytes' | 'expiresS'> | undefined {
  const [made, expires, length] = ['t', 'x', 'l'].map((name) => tags.get(name))
  if ([made, expires, length].some((text) => text !== undefined && !/^\d{1,15}$/.test(text))) return undefined
  if (made !== undefined && expires !== undefined && Number(expires) <= Number(made)) return undefined
  return {
    ...(length === undefined ? {} : { bodyMaxBytes: Number(length) }),
    ...(expires === undefined ? {} : { expiresS: Number(expires) }),
  }
}

/** The octets that a signature covers: the fields it names, from the bottom up, and itself without its value (RFC 6376 §3.7). */
export function signedHeader(fields: readonly HeaderField[], signature: SignedAs): Uint8Array {
  const { field, signedFields, headerForm } = signature
  const left = Map.groupBy(
    fields.filter((each) => each !== field),
    ({ name }) => name.toLowerCase(),
  )
  const chosen = signedFields.flatMap((name) => left.get(name)?.pop() ?? [])
  const own = withoutSignature(canonicalField(field, headerForm))
  return fromLatin1(chosen.map((each) => canonicalField(each, headerForm)).join('') + own)
}

type SignedAs = Pick<DkimSignature, 'field' | 'signedFields' | 'headerForm'>

/** The field with nothing in `b=`, and without its line end; a `b=` in another tag's value is none (RFC 6376 §3.7). */
export const withoutSignature = (canonical: string): string =>
  canonical.replace(/(^[^:;]*:|;)([ \t\r\n]*b[ \t\r\n]*=)[^;]*/, '$1$2').replace(/\r\n$/, '')

/** All DKIM signatures, the topmost first. */
export const dkimFields = (fields: readonly HeaderField[]): readonly HeaderField[] =>
  fields.filter((field) => isField(field, 'DKIM-Signature'))
