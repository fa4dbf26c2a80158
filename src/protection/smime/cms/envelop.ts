/** Writes EnvelopedData (RFC 5652 §6) with AES-CBC and AuthEnvelopedData (RFC 5083) with a cipher that has a tag. */
import { randomBytes } from 'node:crypto'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import type { EncryptionChoice } from '../../standard.ts'
import { derHeader, integer, octetString, oid, setOf } from '../asn1/der-writer.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'
import { PieceSink, WHOLE_MAX_BYTES, endOfContents, openTag } from './chunked-content.ts'
import { type CipherRow, isAuthenticated, writtenCipher } from './ciphers.ts'
import { type Encryption, cipherAlgorithmDer, ciphertextBytes, ivBytesOf, startEncryption } from './content-cipher.ts'
import { CONTENT_TYPE } from './content-info.ts'
import { canEncapsulateTo, writeKemRecipient } from './kem.ts'
import { OneTimeKeys, canAgreeWith, writeKeyAgreement } from './key-agreement.ts'
import { canTransportTo, writeKeyTransport } from './key-transport.ts'

export interface EnvelopOptions {
  /** At least one; each must be one that `canEnvelopTo` says yes to. */
  readonly recipients: readonly SmimeCertificate[]
  readonly choice: EncryptionChoice
}

/** Whether this certificate's key can be given a content key: RSA of 2048 bits or more, ECDH on one of our curves, ML-KEM. */
export const canEnvelopTo = ({ publicKey }: SmimeCertificate): boolean =>
  canTransportTo(publicKey) || canAgreeWith(publicKey) || canEncapsulateTo(publicKey)

/**
 * Takes the content and pushes the whole ContentInfo: DER at the end for content up to WHOLE_MAX_BYTES, BER as it comes
 * for more. Without a choice AES-256-CBC and PKCS #1 v1.5, which every correspondent can open. There is no way out that
 * writes plaintext: every failure throws before the first byte.
 */
export function envelopSink({ recipients, choice }: EnvelopOptions, out: ByteSink): ByteSink {
  const row = cipherOf(choice)
  if (recipients.length === 0) throw new TypeError('an envelope needs a recipient')
  const random = randomBytes(row.keyBytes + ivBytesOf(row))
  const [contentKey, iv] = [random.subarray(0, row.keyBytes), random.subarray(row.keyBytes)]
  const oneTimeKeys = new OneTimeKeys()
  const recipientInfos = recipients.map((certificate) => recipientInfo(certificate, choice, contentKey, oneTimeKeys))
  const encryption = startEncryption(row, contentKey, iv)
  const version = isAuthenticated(row) ? 0 : versionFor(recipients) // RFC 5083 §2.1
  const head = [integer(version), setOf(recipientInfos)]
  const cipherAlgorithm = cipherAlgorithmDer(row, iv)
  return new EnvelopeSink({ row, encryption, head, cipherAlgorithm }, out)
}

const cipherOf = ({ cipher = 'aes-256-cbc' }: EncryptionChoice): CipherRow => writtenCipher(cipher)

/** Which of the two content types `envelopSink` writes for this choice. */
export const envelopeFormOf = (choice: EncryptionChoice): 'enveloped-data' | 'auth-enveloped-data' =>
  isAuthenticated(cipherOf(choice)) ? 'auth-enveloped-data' : 'enveloped-data'

/** Of EnvelopedData without originatorInfo and unprotectedAttrs (RFC 5652 §6.1). */
function versionFor(recipients: readonly SmimeCertificate[]): number {
  if (recipients.some(({ publicKey }) => canEncapsulateTo(publicKey))) return 3
  return recipients.every(({ publicKey }) => canTransportTo(publicKey)) ? 0 : 2
}

function recipientInfo(
  certificate: SmimeCertificate,
  choice: EncryptionChoice,
  contentKey: Uint8Array,
  oneTimeKeys: OneTimeKeys,
): Uint8Array {
  if (canTransportTo(certificate.publicKey)) return writeKeyTransport(certificate, choice.keyTransport, contentKey)
  if (canAgreeWith(certificate.publicKey)) return writeKeyAgreement(certificate, contentKey, oneTimeKeys)
  if (canEncapsulateTo(certificate.publicKey)) return writeKemRecipient(certificate, contentKey)
  throw new TypeError(`cannot encrypt to a key of kind ${certificate.algorithm}`)
}

interface Envelope {
  readonly row: CipherRow
  readonly encryption: Encryption
  /** Version and recipientInfos. */
  readonly head: readonly Uint8Array[]
  readonly cipherAlgorithm: Uint8Array
}

const DATA_OID = oid(CONTENT_TYPE.data)
const [ENVELOPED_OID, AUTH_ENVELOPED_OID] = [oid(CONTENT_TYPE.envelopedData), oid(CONTENT_TYPE.authEnvelopedData)]
const typeOidOf = (row: CipherRow): Uint8Array => (isAuthenticated(row) ? AUTH_ENVELOPED_OID : ENVELOPED_OID)

class EnvelopeSink implements ByteSink {
  readonly #envelope: Envelope
  readonly #out: ByteSink
  #held: Uint8Array[] = []
  #heldBytes = 0
  #pieces: PieceSink | undefined

  constructor(envelope: Envelope, out: ByteSink) {
    this.#envelope = envelope
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    if (this.#pieces !== undefined) {
      this.#pieces.write(this.#envelope.encryption.update(chunk))
      return
    }
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes > WHOLE_MAX_BYTES) this.#pieces = this.#stream()
  }

  end(): void {
    if (this.#pieces === undefined) this.#writeWhole()
    else {
      const { rest, tag } = this.#envelope.encryption.finish()
      this.#pieces.write(rest)
      this.#pieces.finish()
      this.#out.write(endOfContents(2)) // encryptedContent, encryptedContentInfo
      if (tag !== undefined) this.#out.write(octetString(tag))
      this.#out.write(endOfContents(3)) // EnvelopedData, its [0], ContentInfo
    }
    this.#out.end()
  }

  #stream(): PieceSink {
    const { row, head, cipherAlgorithm, encryption } = this.#envelope
    const outer = [openTag(TAG.SEQUENCE), typeOidOf(row), openTag(contextConstructed(0)), openTag(TAG.SEQUENCE)]
    const inner = [openTag(TAG.SEQUENCE), DATA_OID, cipherAlgorithm, openTag(context(0))]
    this.#out.write(concatBytes([...outer, ...head, ...inner]))
    const pieces = new PieceSink(this.#out)
    for (const chunk of this.#held) pieces.write(encryption.update(chunk))
    this.#held = []
    return pieces
  }

  #writeWhole(): void {
    const { row, head, cipherAlgorithm, encryption } = this.#envelope
    const encrypted = this.#held.map((chunk) => encryption.update(chunk))
    const { rest, tag } = encryption.finish()
    const length = ciphertextBytes(row, this.#heldBytes)
    const content = derHeader(context(0), length)
    const info = derHeader(TAG.SEQUENCE, DATA_OID.length + cipherAlgorithm.length + content.length + length)
    const before = [...head, info, DATA_OID, cipherAlgorithm, content]
    const after = tag === undefined ? [rest] : [rest, octetString(tag)]
    const envelopeLength = sum(before) + sum(encrypted) + sum(after)
    const envelope = derHeader(TAG.SEQUENCE, envelopeLength)
    const explicit = derHeader(contextConstructed(0), envelope.length + envelopeLength)
    const type = typeOidOf(row)
    const whole = derHeader(TAG.SEQUENCE, type.length + explicit.length + envelope.length + envelopeLength)
    this.#out.write(concatBytes([whole, type, explicit, envelope, ...before, ...encrypted, ...after]))
  }
}

const sum = (pieces: readonly Uint8Array[]): number => pieces.reduce((total, piece) => total + piece.length, 0)
