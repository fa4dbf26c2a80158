/**
 * Opens EnvelopedData and AuthEnvelopedData with the recipient's own keys. Whatever goes wrong after a key was found
 * looks the same from outside: a sender who sees our answers must not learn which step failed (RFC 3218).
 */
import { Buffer } from 'node:buffer'
import { hash, randomBytes } from 'node:crypto'
import { type Result, fail, ok } from '../../../base/result.ts'
import { toDer } from '../asn1/ber-reader.ts'
import { readOid } from '../asn1/der-reader.ts'
import { TAG } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../certificate.ts'
import { ATTRIBUTE, readAttributes } from './attributes.ts'
import { isAuthenticated } from './ciphers.ts'
import { type ContentCipher, type DecryptionInput, decryptContent, readContentCipher } from './content-cipher.ts'
import type { ContentKey, DecryptionKey } from './content-key.ts'
import { describeEntityId, isNamedBy, type EntityId } from './entity-id.ts'
import { type EnvelopeFrame, type RecipientInfo, readEnvelope } from './enveloped-data.ts'
import { unwrapEncapsulatedKey } from './kem.ts'
import { unwrapAgreedKey } from './key-agreement.ts'
import { unwrapTransportedKey } from './key-transport.ts'

/** A private-key operation costs half a millisecond; no honest message names one recipient many times. */
const TRIES_MAX = 8
/** Recipients that a report names. */
const RECIPIENTS_SHOWN_MAX = 50
const BROKEN = 'the message cannot be decrypted: the key or the content was changed'

export type OpenedEnvelope<Content = Uint8Array> =
  | {
      readonly kind: 'decrypted'
      readonly content: Content
      /** Such as `aes-256-cbc`. */
      readonly algorithm: string
      /** A tag proved that nothing was changed. CBC proves nothing: whoever shows this content must know that (EFAIL). */
      readonly authenticated: boolean
      /** What sealed it protects nobody any more. */
      readonly weak?: boolean
      /** Fingerprint of the certificate whose key opened it. */
      readonly openedBy: string
    }
  | { readonly kind: 'no-key'; readonly recipients: readonly string[] }
  | { readonly kind: 'broken'; readonly why: string }

/** Opens a whole message in its ContentInfo. Uses only keys that the message names. Never throws on foreign bytes. */
export function openEnvelope(bytes: Uint8Array, keys: readonly DecryptionKey[]): OpenedEnvelope {
  const read = readEnvelope(bytes)
  if (!read.ok) return { kind: 'broken', why: read.error }
  const { encryptedContent, ...frame } = read.value
  return openFrame(frame, keys, (input) => decryptContent(input, encryptedContent, frame.mac))
}

/** Opens an envelope whose content is elsewhere: `decrypt` does it with a key, or says that the content is not so sealed. */
export function openFrame<Content>(
  envelope: EnvelopeFrame,
  keys: readonly DecryptionKey[],
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedEnvelope<Content> {
  const tries = findTries(envelope.recipientInfos, keys)
  if (tries.length === 0) return { kind: 'no-key', recipients: describeRecipients(envelope.recipientInfos) }
  const cipher = cipherOf(envelope)
  if (!cipher.ok) return { kind: 'broken', why: cipher.error }
  const associatedData = associatedDataOf(envelope)
  if (!associatedData.ok) return { kind: 'broken', why: associatedData.error }
  let why: string | undefined
  for (const { unwrap, encryptedKey, certificate } of tries) {
    const contentKey = unwrap()
    if (!contentKey.ok) {
      why ??= contentKey.error
      continue
    }
    const key = usableKey(cipher.value, contentKey.value.key, encryptedKey)
    const content = decrypt({ cipher: cipher.value, key, associatedData: associatedData.value })
    if (content === undefined) {
      why = BROKEN
      continue
    }
    const { row } = cipher.value
    return {
      kind: 'decrypted',
      content,
      algorithm: row.name,
      authenticated: isAuthenticated(row),
      ...(row.weak !== undefined || contentKey.value.weak === true ? { weak: true } : {}),
      openedBy: certificate.fingerprint,
    }
  }
  return { kind: 'broken', why: why ?? BROKEN }
}

/**
 * A content key that did not unwrap, or has the wrong length, is replaced: same path, same answer. The substitute is
 * always computed, and is the same each time for the same encrypted key: one that changed from try to try would tell
 * a sender who repeats a message that it is one.
 */
function usableKey(cipher: ContentCipher, unwrapped: Uint8Array | undefined, encryptedKey: Uint8Array): Uint8Array {
  const substitute = hash('sha256', Buffer.concat([SUBSTITUTE_SECRET, encryptedKey]), 'buffer')
  return unwrapped?.length === cipher.row.keyBytes ? unwrapped : substitute.subarray(0, cipher.row.keyBytes)
}

const SUBSTITUTE_SECRET = randomBytes(32)

/** A cipher with a tag belongs into AuthEnvelopedData, one without into EnvelopedData: swapping them is the first step of an attack. */
function cipherOf(envelope: EnvelopeFrame): Result<ContentCipher> {
  const cipher = readContentCipher(envelope.algorithm)
  if (!cipher.ok) return cipher
  const authenticated = envelope.kind === 'auth-enveloped-data'
  return authenticated === isAuthenticated(cipher.value.row)
    ? cipher
    : fail(`${cipher.value.row.name} does not belong into ${envelope.kind}`)
}

/** Authenticated attributes as DER SET OF (RFC 5083 §2.2); a content-type among them must be that of the content. */
function associatedDataOf(envelope: EnvelopeFrame): Result<Uint8Array | undefined> {
  const node = envelope.authenticatedAttributes
  if (node === undefined) return ok(undefined)
  const attributes = readAttributes(node)
  if (!attributes.ok) return attributes
  const type = attributes.value.get(ATTRIBUTE.contentType)?.[0]
  if (type !== undefined && readOid(type.content) !== envelope.contentType)
    return fail('the authenticated content-type is not that of the content')
  return ok(toDer({ ...node, tag: TAG.SET }))
}

interface Try {
  readonly certificate: SmimeCertificate
  readonly encryptedKey: Uint8Array
  unwrap(): Result<ContentKey>
}

/** Recipient infos that name one of the keys, in the order of the keys. */
function findTries(infos: readonly RecipientInfo[], keys: readonly DecryptionKey[]): Try[] {
  return keys.flatMap((key) => infos.flatMap((info) => triesOf(info, key))).slice(0, TRIES_MAX)
}

function triesOf(info: RecipientInfo, { certificate, key }: DecryptionKey): Try[] {
  switch (info.kind) {
    case 'key-transport':
      return isNamedBy(info.id, certificate)
        ? [{ certificate, encryptedKey: info.encryptedKey, unwrap: () => unwrapTransportedKey(info, key) }]
        : []
    case 'key-agreement':
      return info.recipients.flatMap(({ id, encryptedKey }) =>
        isNamedBy(id, certificate)
          ? [{ certificate, encryptedKey, unwrap: () => unwrapAgreedKey(info, encryptedKey, key) }]
          : [],
      )
    case 'kem':
      return isNamedBy(info.id, certificate)
        ? [{ certificate, encryptedKey: info.encryptedKey, unwrap: () => unwrapEncapsulatedKey(info, key) }]
        : []
    case 'other':
      return []
  }
}

function describeRecipients(infos: readonly RecipientInfo[]): string[] {
  return infos.flatMap(idsOf).slice(0, RECIPIENTS_SHOWN_MAX).map(describeEntityId)
}

function idsOf(info: RecipientInfo): readonly EntityId[] {
  switch (info.kind) {
    case 'key-transport':
    case 'kem':
      return [info.id]
    case 'key-agreement':
      return info.recipients.map(({ id }) => id)
    case 'other':
      return []
  }
}
