/** Opens one layer of OpenPGP: what its form means, and what is wrong with it; however its bytes are held. */
import type { ByteRange } from '../../../base/byte-range.ts'
import { contentTypeOf, dispositionOf } from '../../../message/content-type.ts'
import { isField } from '../../../message/header-field.ts'
import { attempt } from '../../malformed.ts'
import { signedParts } from '../../signed-parts.ts'
import type { KeyRing, Opened, SignerFinding } from '../../standard.ts'
import { canonicalText } from '../signatures/signature-hash.ts'
import { carriedIn } from './carried-certificates.ts'
import { pgpFormOf } from './forms.ts'
import { type Holding, bodyBytes, charsetOf, pushBody, textOf } from './holding.ts'
import { openInlineParts, openInlineText } from './open-inline.ts'
import { openMessage } from './open-message.ts'
import { openersOf } from './own-keys.ts'
import { type Around, holds, openedAs } from './opened.ts'
import { showPart, showParts, shownAround, shownFile, shownText } from './shown.ts'
import { findSigners, readDetachedSignatures } from './signer-findings.ts'

/** Of a detached signature: sixteen of the largest, in armor. */
const SIGNATURE_BODY_MAX_BYTES = 4 * 2 ** 20

/** Hostile input yields `broken` and why; nothing is thrown but what the disk throws. */
export function openLayer<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = pgpFormOf(held.preview(part))
  switch (form) {
    case 'pgp-mime-signed':
      return openSigned(held, part, ring)
    case 'pgp-mime-encrypted':
      return openEncrypted(held, part, ring)
    case 'pgp-mime-repaired':
      return openRepaired(held, part, ring)
    case 'inline-signed':
    case 'inline-encrypted':
      return openInlineText(held, part, ring)
    case 'inline-parts':
      return openInlineParts(held, part, ring)
    case 'pgp-file':
      return openFile(held, part, ring)
    case undefined:
      return { kind: 'broken', layer: 'signed', form: 'unknown', why: 'not an OpenPGP entity' }
  }
}

/** RFC 3156 §5: exactly two parts, the second is the signature over the first, its header fields included. */
function openSigned<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = 'pgp-mime'
  const broken = (why: string): Opened<P> => ({ kind: 'broken', layer: 'signed', form, why })
  const parts = signedParts(held.children(part))
  if (!parts.ok) return broken(parts.error)
  const { content, signature } = parts.value
  const armored = bodyBytes(held, signature, SIGNATURE_BODY_MAX_BYTES)
  if (armored === undefined) return broken('the signature is too large')
  const signatures = attempt(() => readDetachedSignatures(armored))
  if (!signatures.ok) return broken(signatures.error)
  const carried = carriedIn(held, part, content)
  const find = (bytes: ByteRange): SignerFinding[] => findSigners(signatures.value, { content: bytes, ring, carried })
  const signers = find(held.bytes(content))
  const asSigned = signers.some(holds) ? undefined : canonical(held, content)
  if (asSigned === undefined) return { kind: 'signed', form, inner: content, signers }
  const again = find(held.bytes(asSigned))
  return again.some(holds)
    ? { kind: 'signed', form, inner: asSigned, signers: again }
    : { kind: 'signed', form, inner: content, signers }
}

/**
 * With CRLF, as it was signed (RFC 3156 §5), when a program encrypted the signed entity with its own line ends; `undefined`
 * when it has no others.
 */
function canonical<P>(held: Holding<P>, part: P): P | undefined {
  const bytes = held.bytes(part)
  const spill = held.openSpill()
  const sink = canonicalText(spill)
  for (const slice of bytes.slices()) sink.write(slice)
  spill.end()
  if (spill.range.lengthBytes > bytes.lengthBytes) return held.entity(spill.range)
  spill.drop()
  return undefined
}

/** RFC 3156 §4: the first part says what the second one is, and nothing else that anybody needs. */
function openEncrypted<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = 'pgp-mime'
  const message = messageIn(held, part)
  return message === undefined
    ? { kind: 'broken', layer: 'encrypted', form, why: 'multipart/encrypted has other parts than it must have' }
    : openEntity(held, message, { form, ring, carried: carriedIn(held, part) })
}

/** The second of the two parts of `multipart/encrypted`, or of what is left of it. */
function messageIn<P>(held: Holding<P>, part: P): P | undefined {
  const [version, message, ...more] = held.children(part).children
  if (version === undefined || more.length > 0) return undefined
  return typeOf(held, version) === 'application/pgp-encrypted' ? message : undefined
}

/** A message whose content is an entity. */
function openEntity<P>(held: Holding<P>, message: P, around: Around): Opened<P> {
  const opened = openMessage((sink) => pushBody(held, message, sink), openersOf(around.ring), held.openSpill)
  return openedAs(opened, around, (content) => entityOf(held, content))
}

/** A text without a header, where a program has forgotten it: its first line would be taken for one, and be lost. */
function entityOf<P>(held: Holding<P>, content: ByteRange): P {
  const entity = held.entity(content)
  const [first] = held.preview(entity).fields
  return first?.name === '' ? showPart(held, shownText(content, undefined)) : entity
}

/**
 * Relays that know nothing of it have put a text before the two parts, or before the whole of it, and called it something else
 * (Exchange, Google, Proton Bridge). A text that says something is shown, behind what was encrypted.
 */
function openRepaired<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = 'pgp-mime-repaired'
  const { children } = held.children(part)
  const [first, second, third] = children
  const text = first !== undefined && typeOf(held, first) === 'text/plain' ? first : undefined
  const rest = text === undefined ? children : children.slice(1)
  const [only] = rest
  const isWhole = only !== undefined && rest.length === 1 && typeOf(held, only) === 'multipart/encrypted'
  const message = isWhole
    ? messageIn(held, only)
    : rest.length === 2
      ? text === undefined
        ? second
        : third
      : undefined
  if (message === undefined) return { kind: 'not-a-layer', form }
  const unprotected = text === undefined ? [] : shownAround([textOf(held, text)], charsetOf(held, text))
  const partial = unprotected.length > 0
  const opened = openEntity(held, message, { form, ring, carried: carriedIn(held, part), partial })
  if (!partial || !('inner' in opened)) return opened
  return { ...opened, inner: showParts(held, [{ entity: held.bytes(opened.inner) }, ...unprotected]) }
}

/** A mail that is an encrypted file: an entity, or what somebody has encrypted by hand. */
function openFile<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const { filename } = dispositionOf(held.preview(part))
  const around = { form: 'pgp-file', ring, carried: carriedIn(held, part) }
  const opened = openMessage((sink) => pushBody(held, part, sink), openersOf(ring), held.openSpill)
  return openedAs(opened, around, (content) => {
    const entity = held.entity(content)
    const isEntity = held.preview(entity).fields.some((field) => isField(field, 'Content-Type'))
    return isEntity ? entity : showPart(held, shownFile(content, filename))
  })
}

const typeOf = <P>(held: Holding<P>, part: P): string => contentTypeOf(held.preview(part)).type
