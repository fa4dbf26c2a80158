/**
 * OpenPGP mails to Bob, put together packet by packet and line by line so that they can be made wrong: by Alice, whose certificate is
 * known there, or by Mallory.
 */
import assert from 'node:assert/strict'
import { Collector } from '../../src/base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../../src/base/bytes.ts'
import { cipherByName } from '../../src/protection/openpgp/algorithms/ciphers.ts'
import { armor } from '../../src/protection/openpgp/armor.ts'
import { encryptingSink } from '../../src/protection/openpgp/encryption/encrypt.ts'
import { PACKET, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { signatureMaker } from '../../src/protection/openpgp/signatures/make.ts'
import { SIGNATURE_TYPE } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import type { KnownCertificate, OwnKey } from '../../src/protection/standard.ts'
import { type Pair, type Person, type Signing, makePerson } from './openpgp-maker.ts'
import { type Received, SIGNED_AT_MS, receive } from './protected-mail.ts'

/** When mails are signed and read. */
export const NOW_MS = SIGNED_AT_MS
export const ALICE = 'alice@peer.example'
export const alice = makePerson(`Alice <${ALICE}>`)
export const mallory = makePerson('Mallory <mallory@evil.example>')
export const bob = makePerson('Bob <bob@biglobe.example>')

const SHA512 = 10

/** A signature packet over these octets. */
export function signatureOver(
  content: Uint8Array,
  { by, atMs = NOW_MS, subpackets = [] }: Signing,
  type = 0,
): Uint8Array {
  const maker = signatureMaker({ type, ...by, atMs, subpackets, hash: SHA512 })
  maker.update(content)
  return writePacket(PACKET.SIGNATURE, maker.finish())
}

export const literal = (content: string): Uint8Array =>
  writePacket(PACKET.LITERAL, concatBytes([Uint8Array.of(0x62, 0, 0, 0, 0, 0), utf8(content)]))

/** What announces a signature by this key (RFC 9580 §5.4). */
export const onePass = ({ packet }: Pair, isLast = true): Uint8Array =>
  writePacket(
    PACKET.ONE_PASS,
    Uint8Array.of(3, SIGNATURE_TYPE.BINARY, SHA512, packet.algorithm, ...packet.keyId, isLast ? 1 : 0),
  )

/** A signed message as programs write it. */
export const signedMessage = (content: string, by: Pair): Uint8Array =>
  concatBytes([onePass(by), literal(content), signatureOver(utf8(content), { by })])

/** These packets, encrypted to Bob. */
export function encryptedToBob(packets: Uint8Array): Uint8Array {
  const cipher = cipherByName('aes-256')
  if (cipher === undefined) throw new Error('no AES')
  const out = new Collector()
  const sink = encryptingSink({ recipients: [bob.encrypting.packet], cipher }, out)
  sink.write(packets)
  sink.end()
  return concatBytes(out.take())
}

const HEADER = 'To: bob@biglobe.example\r\nSubject: Account\r\nMessage-ID: <1@peer.example>\r\nMIME-Version: 1.0\r\n'

export const mailFrom = (from: string, entity: string): Buffer =>
  Buffer.from(`From: ${from}\r\n${HEADER}${entity}`, 'latin1')

export const textEntity = (text: string): string => `Content-Type: text/plain; charset=utf-8\r\n\r\n${text}\r\n`

export const armored = (bytes: Uint8Array, label: Parameters<typeof armor>[0] = 'PGP MESSAGE'): string =>
  latin1(armor(label, bytes))

/** multipart/encrypted (RFC 3156 §4). */
export const encryptedEntity = (message: Uint8Array): string =>
  'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="enc"\r\n\r\n' +
  '--enc\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n' +
  `--enc\r\nContent-Type: application/octet-stream\r\n\r\n${armored(message)}\r\n--enc--\r\n`

/** multipart/signed (RFC 3156 §5) around `entity`, which has no line end of its own behind it. */
export const signedEntity = (entity: string, signature: Uint8Array): string =>
  'Content-Type: multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha512; boundary="sig"\r\n\r\n' +
  `--sig\r\n${entity}\r\n--sig\r\nContent-Type: application/pgp-signature\r\n\r\n` +
  `${armored(signature, 'PGP SIGNATURE')}\r\n--sig--\r\n`

/** A text signed in the clear (RFC 9580 §7). */
export const cleartext = (text: string, by: Pair): string =>
  `-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\n${text}\r\n` +
  armored(signatureOver(utf8(text), { by }, SIGNATURE_TYPE.TEXT), 'PGP SIGNATURE')

export interface Outcome {
  readonly outcome: Received['outcome']
  readonly signature: string
  readonly encrypted: boolean
  readonly why: string
  /** What Bob is shown; nothing when the mail is refused. */
  readonly shown: string
}

/** What becomes of a mail at Bob's provider, which has confirmed Alice's certificate and Mallory's, or knows only these. */
export function receivedByBob(
  mail: Uint8Array,
  known: readonly KnownCertificate[] = [alice, mallory].map(({ certificate }) => ({ certificate, trust: 'confirmed' })),
): Outcome {
  const { report, decision, outcome } = receive(mail, { keys: [ownKeyOf(bob)], known })
  const { signature, encrypted, reason } = report.summary
  const shown = decision.action === 'accept' ? latin1(report.message ?? new Uint8Array()) : ''
  return { outcome, signature, encrypted, why: reason ?? '', shown }
}

function ownKeyOf({ certificate, primary, signing, encrypting }: Person): OwnKey {
  const subkeys = [primary, signing, encrypting].map(({ packet: { fingerprint }, handles }) => ({
    fingerprint,
    handles,
  }))
  const [key] = primary.handles
  assert.ok(key)
  return { certificate, chain: [], key, subkeys }
}
