/** Signs and encrypts as PGP/MIME (RFC 3156): sinks that write nothing before their first octet comes. */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { multipartSignedSink, signedBoundary } from '../../multipart-signed.ts'
import type { Certificate, EncryptionChoice, OwnKey, ProtectedSink, Signing } from '../../standard.ts'
import { AEADS, type AeadRow } from '../algorithms/aeads.ts'
import { type CipherRow, cipherByName } from '../algorithms/ciphers.ts'
import { HASHES, hashById } from '../algorithms/hashes.ts'
import { armor, armorSink } from '../armor.ts'
import { type OpenpgpCertificate, isOpenpgpCertificate } from '../certificate/certificate.ts'
import { encryptionComponents } from '../certificate/state.ts'
import { canCarryTo } from '../encryption/carriers.ts'
import { encryptingSink } from '../encryption/encrypt.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { isOpenpgpKey, signingKeyOf } from './own-keys.ts'
import { multipartEncryptedFields, multipartEncryptedSink, multipartSignedFields, signatureFields } from './pgp-mime.ts'
import { type MessageSigning, finishSignatures, literalMessageSink, startSignatures } from './write-message.ts'

export function sign(keys: readonly OwnKey[], choice: Signing['choice'], timeMs: number, out: ByteSink): ProtectedSink {
  const signing = signingWith({ keys, choice, timeMs })
  const makers = startSignatures(signing)
  const plain = signing.keys.every(({ packet }) => packet.version === 6)
  const boundary = signedBoundary()
  const signer: ByteSink = {
    write: (chunk) => makers.forEach((maker) => maker.update(chunk)),
    end: () => undefined,
  }
  const body = (): Uint8Array => armor('PGP SIGNATURE', finishSignatures(makers), { plain })
  const micalgs = makers.flatMap(({ hash }) => hashById(hash)?.micalg ?? [])
  return {
    fields: multipartSignedFields(micalgs, boundary),
    sink: multipartSignedSink({ boundary, signer, fields: signatureFields(), body }, out),
  }
}

export const encrypt = (
  recipients: readonly Certificate[],
  choice: EncryptionChoice,
  atMs: number,
  out: ByteSink,
): ProtectedSink => encryptWith(undefined, keysOf(recipients, atMs), choice, out)

/** One message, whose signature is under the encryption and names those whom it is meant for. */
export function signAndEncrypt(
  signing: Signing,
  recipients: readonly Certificate[],
  choice: EncryptionChoice,
  out: ByteSink,
): ProtectedSink {
  const intendedFor = recipients.filter(isOpenpgpCertificate)
  return encryptWith({ ...signingWith(signing), intendedFor }, keysOf(recipients, signing.timeMs), choice, out)
}

function encryptWith(
  signing: MessageSigning | undefined,
  recipients: readonly KeyPacket[],
  choice: EncryptionChoice,
  out: ByteSink,
): ProtectedSink {
  const boundary = signedBoundary()
  const container = containerOf(choice)
  const begin = (): ByteSink => {
    const message = armorSink('PGP MESSAGE', multipartEncryptedSink(boundary, out), {
      plain: container.aead !== undefined,
    })
    return literalMessageSink(signing, encryptingSink({ recipients, ...container }, message))
  }
  return { fields: multipartEncryptedFields(boundary), sink: lazySink(begin) }
}

function keysOf(recipients: readonly Certificate[], atMs: number): KeyPacket[] {
  const keys = recipients.filter(isOpenpgpCertificate).flatMap((each) => encryptionKeyOf(each, atMs) ?? [])
  if (keys.length !== recipients.length || keys.length === 0)
    throw new TypeError('OpenPGP encryption needs a key of every recipient that can be encrypted to')
  return keys
}

/** The newest that is good at this time and that we can encrypt to. */
export const encryptionKeyOf = (certificate: OpenpgpCertificate, atMs: number): KeyPacket | undefined =>
  encryptionComponents(certificate, atMs).find(({ packet }) => canCarryTo(packet))?.packet

function signingWith({ keys, choice, timeMs }: Signing): MessageSigning {
  const found = keys.filter(isOpenpgpKey).flatMap((own) => signingKeyOf(own, timeMs) ?? [])
  if (found.length !== keys.length || found.length === 0)
    throw new TypeError('an OpenPGP signature needs OpenPGP keys that may sign')
  const hash = HASHES.find(({ name }) => name === choice.digest)
  return { keys: found, atMs: timeMs, ...(hash === undefined ? {} : { hash: hash.id }) }
}

/** SEIPD of version 2 where a mode is asked for; `cfb` is version 1, which everybody reads. */
function containerOf({ cipher = COMMON_CIPHER }: EncryptionChoice): { cipher: CipherRow; aead?: AeadRow } {
  const [family, bits, mode] = cipher.split('-')
  const row = cipherByName(`${family}-${bits}`)
  if (mode === 'cfb') return { cipher: row }
  const aead = AEADS.find(({ name }) => name === mode)
  if (aead === undefined) throw new TypeError(`${cipher} is not a cipher of OpenPGP`)
  return { cipher: row, aead }
}

export const COMMON_CIPHER = 'aes-256-cfb'

/** Begins when there is something to write. */
function lazySink(begin: () => ByteSink): ByteSink {
  let into: ByteSink | undefined
  const begun = (): ByteSink => (into ??= begin())
  return { write: (chunk) => begun().write(chunk), end: () => begun().end() }
}
