/**
 * Reads the header that an opened payload protects: as RFC 9788 has it, as RFC 8551 had it before (the mail wrapped in a
 * message/rfc822), and as programs of the time between wrote it (`protected-headers="v1"`, draft-autocrypt).
 */
import { contentTypeOf, transferEncodingOf } from '../../message/content-type.ts'
import { sameAddress } from '../../message/address.ts'
import { fieldBody, isField } from '../../message/header-field.ts'
import { parsePart } from '../../message/parse.ts'
import { type HeaderField, type Part, bodyOf } from '../../message/part.ts'
import { authorOf } from '../author.ts'
import type { HeaderProtection } from './header-protection.ts'
import { isStructural } from './header-protection.ts'
import { type Edit, LEGACY_PARAMETER, draftDisplayRemoval, legacyDisplayRemoval } from './legacy-display.ts'
import { withoutParameter } from './type-parameter.ts'

export interface ProtectedHeader {
  /** `partial`: only the fields that are there are protected; for all others the outer ones still speak. */
  readonly scheme: 'whole' | 'partial'
  /** What its author meant it to be; no encryption for having been meant (RFC 9788 §10.2). */
  readonly hp: HeaderProtection
  /** As the author wrote them. */
  readonly fields: readonly HeaderField[]
  /** What stood outside when it was sent: by the author's word under RFC 9788, else as it came (RFC 9788 §4.10.2). */
  readonly sentOutside: readonly HeaderField[]
  /** What is to be cut out of the payload's body before it is shown; offsets into the body. */
  readonly cuts: readonly Edit[]
}

/** Where the payload was found. */
export interface Around {
  /** The header outside of all layers. */
  readonly outside: readonly HeaderField[]
  /** One of the layers encrypts. */
  readonly encrypted: boolean
  /** `payload` is all of it, not only its beginning. */
  readonly isWhole: boolean
  isLayer(part: Part): boolean
}

export function readProtectedHeader(payload: Part, around: Around): ProtectedHeader | undefined {
  const { type, parameters } = contentTypeOf(payload)
  const hp = parameters.get('hp')
  if (hp === 'clear' || hp === 'cipher') return readStandard(payload, hp, around)
  if (type === 'message/rfc822' || type === 'message/global')
    return hp === undefined ? readWrapped(payload, around) : undefined
  return parameters.get('protected-headers')?.toLowerCase() === 'v1' ? readDraft(payload, around) : undefined
}

function readStandard(payload: Part, hp: HeaderProtection, around: Around): ProtectedHeader | undefined {
  // no header without an author: the parameter was in what a user sent (`splitHeader`), or means nothing
  if (!payload.fields.some((each) => isField(each, 'From'))) return undefined
  const edits = hp === 'cipher' && around.encrypted ? legacyDisplayRemoval(payload, around.isWhole) : []
  const inHeader = edits.some(({ start }) => start < payload.bodyOffset)
  const fields = payload.fields.flatMap((each) => {
    if (isField(each, 'HP-Outer')) return []
    if (!isField(each, 'Content-Type')) return [each]
    const type = inHeader ? withoutParameter(each, LEGACY_PARAMETER) : each
    return (type && withoutParameter(type, 'hp')) ?? []
  })
  const sentOutside = payload.fields.filter((each) => isField(each, 'HP-Outer')).map(fieldWithin)
  return { scheme: 'whole', hp, fields, sentOutside, cuts: inBody(edits, payload) }
}

/** `HP-Outer: Subject: [...]` (RFC 9788 §2.2.1) says what stood outside as a field of its own. */
function fieldWithin({ raw }: HeaderField): HeaderField {
  const blanks = /^[^:]*:(?:\r?\n)?[ \t]*/.exec(Buffer.from(raw).toString('latin1'))?.[0].length ?? 0
  const within = raw.subarray(blanks)
  return { name: parsePart(within).fields[0]?.name ?? '', raw: within }
}

/**
 * RFC 9788 §4.10.1. A mail that was forwarded looks alike: unless `forwarded=no` says that it is none, it must be this very
 * mail that is inside, by its author and its Message-ID (or Date, when it has none).
 */
function readWrapped(payload: Part, { outside, encrypted, isLayer }: Around): ProtectedHeader | undefined {
  const forwarded = contentTypeOf(payload).parameters.get('forwarded')?.toLowerCase()
  const encoding = transferEncodingOf(payload)
  if (forwarded === 'yes' || encoding === 'base64' || encoding === 'quoted-printable') return undefined
  const wrapped = parsePart(bodyOf(payload))
  if (contentTypeOf(wrapped).parameters.has('hp') || isLayer(wrapped)) return undefined
  if (!wrapped.fields.some((each) => isField(each, 'From'))) return undefined
  if (forwarded !== 'no' && !isSameMail(wrapped.fields, outside)) return undefined
  const cuts = [{ start: 0, end: wrapped.bodyOffset, bytes: new Uint8Array(0) }]
  return {
    scheme: 'whole',
    hp: encrypted ? 'cipher' : 'clear',
    fields: wrapped.fields,
    sentOutside: outside,
    cuts,
  }
}

function isSameMail(inside: readonly HeaderField[], outside: readonly HeaderField[]): boolean {
  const [inner, outer] = [authorOf({ fields: inside }), authorOf({ fields: outside })]
  if ('problem' in inner || 'problem' in outer || !sameAddress(inner.address, outer.address)) return false
  const name = inside.some((each) => isField(each, 'Message-ID')) ? 'Message-ID' : 'Date'
  const [one, other] = [inside, outside].map((fields) => fields.find((each) => isField(each, name)))
  return one !== undefined && other !== undefined && fieldBody(one) === fieldBody(other)
}

/** Mutt for one protects the Subject only: the other fields are where they always were. */
function readDraft(payload: Part, { outside, encrypted }: Around): ProtectedHeader | undefined {
  const fields = payload.fields.filter((each) => each.name !== '')
  if (fields.every(isStructural)) return undefined
  const cuts = encrypted ? inBody(draftDisplayRemoval(payload), payload) : []
  return { scheme: 'partial', hp: encrypted ? 'cipher' : 'clear', fields, sentOutside: outside, cuts }
}

const inBody = (edits: readonly Edit[], { bodyOffset }: Part): readonly Edit[] =>
  edits
    .filter(({ start }) => start >= bodyOffset)
    .map(({ start, end, bytes }) => ({ start: start - bodyOffset, end: end - bodyOffset, bytes }))
