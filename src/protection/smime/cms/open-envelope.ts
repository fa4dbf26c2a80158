/**
 * Opens EnvelopedData and AuthEnvelopedData with the recipient's own keys, or a shared secret. Whatever goes wrong after
 * a key was found looks the same from outside: a sender who sees our answers must not learn which step failed (RFC 3218).
 */
import { Buffer } from 'node:buffer'
import { hash, randomBytes } from 'node:crypto'
import { equalBytes, hex } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import type { SharedSecret } from '../../standard.ts'
import { toDer } from '../asn1/ber-reader.ts'
import { readOid } from '../asn1/der-reader.ts'
import { TAG } from '../asn1/tlv.ts'
import { ITERATIONS_MAX, type IterationBudget } from '../key-files/password-encryption.ts'
import { ATTRIBUTE, readAttributes } from './attributes.ts'
import { isAuthenticated } from './ciphers.ts'
import {
  type ContentCipher,
  type DecryptionInput,
  decryptContent,
  keyForCipher,
  readContentCipher,
} from './content-cipher.ts'
import { type ContentKey, type Opener, isOwnKey } from './content-key.ts'
import { describeEntityId, isNamedBy, type EntityId } from './entity-id.ts'
import { type EnvelopeFrame, type RecipientInfo, readEnvelope } from './enveloped-data.ts'
import { unwrapEncapsulatedKey } from './kem.ts'
import { unwrapAgreedKey } from './key-agreement.ts'
import { unwrapTransportedKey } from './key-transport.ts'
import { unwrapWithPassword } from './password-recipient.ts'
import type { OpenedEnvelope } from '../../opened-envelope.ts'
import { unwrapWithSharedKey } from './shared-key.ts'

/** A private-key operation costs half a millisecond; no honest message names one recipient many times. */
const TRIES_MAX = 8
/** Recipients that a report names. */
const RECIPIENTS_SHOWN_MAX = 50
const BROKEN = 'the message cannot be decrypted: the key or the content was changed'

/** Opens a whole message in its ContentInfo. Uses only openers that the message names. Never throws on foreign bytes. */
export function openEnvelope(bytes: Uint8Array, openers: readonly Opener[]): OpenedEnvelope {
  const read = readEnvelope(bytes)
  if (!read.ok) return { kind: 'broken', why: read.error }
  const { encryptedContent, ...frame } = read.value
  return openFrame(frame, openers, (input) => decryptContent(input, encryptedContent, frame.mac))
}

/** Opens an envelope whose content is elsewhere: `decrypt` does it with a key, or says that the content is not so sealed. */
export function openFrame<Content>(
  envelope: EnvelopeFrame,
  openers: readonly Opener[],
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedEnvelope<Content> {
  const tries = findTries(envelope.recipientInfos, openers)
  if (tries.length === 0) return { kind: 'no-key', recipients: describeRecipients(envelope.recipientInfos) }
  const cipher = cipherOf(envelope)
  if (!cipher.ok) return { kind: 'broken', why: cipher.error }
  const associatedData = associatedDataOf(envelope)
  if (!associatedData.ok) return { kind: 'broken', why: associatedData.error }
  let why: string | undefined
  for (const { unwrap, encryptedKey, openedBy } of tries) {
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
      ...(openedBy === undefined ? {} : { openedBy }),
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
  const key = unwrapped?.length === cipher.row.keyBytes ? unwrapped : substitute.subarray(0, cipher.row.keyBytes)
  return keyForCipher(cipher, key)
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
  readonly encryptedKey: Uint8Array
  /** Fingerprint, when it is a certified key. */
  readonly openedBy?: string
  unwrap(): Result<ContentKey>
}

/** Recipient infos that name one of the openers, in the order of the openers. */
function findTries(infos: readonly RecipientInfo[], openers: readonly Opener[]): Try[] {
  const budget = { iterations: ITERATIONS_MAX }
  return openers.flatMap((opener) => infos.flatMap((info) => triesOf(info, opener, budget))).slice(0, TRIES_MAX)
}

function triesOf(info: RecipientInfo, opener: Opener, budget: IterationBudget): Try[] {
  if (!isOwnKey(opener)) return trySecret(info, opener, budget)
  const { certificate, key } = opener
  const named = (id: EntityId, encryptedKey: Uint8Array, unwrap: Try['unwrap']): Try[] =>
    isNamedBy(id, certificate) ? [{ encryptedKey, openedBy: certificate.fingerprint, unwrap }] : []
  switch (info.kind) {
    case 'key-transport':
      return named(info.id, info.encryptedKey, () => unwrapTransportedKey(info, key, certificate.publicKey))
    case 'key-agreement':
      return info.recipients.flatMap(({ id, encryptedKey }) =>
        named(id, encryptedKey, () => unwrapAgreedKey(info, encryptedKey, key)),
      )
    case 'kem':
      return named(info.id, info.encryptedKey, () => unwrapEncapsulatedKey(info, key))
    case 'shared-key':
    case 'password':
    case 'other':
      return []
  }
}

/** A message does not say which password it is for: one that is not right opens nothing, as a key that is not named. */
function trySecret(info: RecipientInfo, secret: SharedSecret, budget: IterationBudget): Try[] {
  if (info.kind === 'password' && secret.kind === 'password') {
    const unwrapped = unwrapWithPassword(info, secret.password, budget)
    const isWrong = unwrapped.ok && unwrapped.value.key === undefined
    return isWrong ? [] : [{ encryptedKey: info.encryptedKey, unwrap: () => unwrapped }]
  }
  const isNamed = info.kind === 'shared-key' && secret.kind === 'shared-key' && equalBytes(info.keyId, secret.keyId)
  return isNamed ? [{ encryptedKey: info.encryptedKey, unwrap: () => unwrapWithSharedKey(info, secret.key) }] : []
}

const describeRecipients = (infos: readonly RecipientInfo[]): string[] =>
  infos.flatMap(describeRecipient).slice(0, RECIPIENTS_SHOWN_MAX)

function describeRecipient(info: RecipientInfo): readonly string[] {
  switch (info.kind) {
    case 'key-transport':
    case 'kem':
      return [describeEntityId(info.id)]
    case 'key-agreement':
      return info.recipients.map(({ id }) => describeEntityId(id))
    case 'shared-key':
      return [`shared key ${hex(info.keyId)}`]
    case 'password':
      return ['whoever knows the password']
    case 'other':
      return []
  }
}
