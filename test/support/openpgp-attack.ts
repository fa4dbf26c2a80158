/** The people of the OpenPGP tests in test/attacks/, and encrypted mails that are put together packet by packet. */
import type { ByteSink } from '../../src/base/byte-sink.ts'
import { concatBytes, latin1, utf8 } from '../../src/base/bytes.ts'
import { cipherByName } from '../../src/protection/openpgp/algorithms/ciphers.ts'
import { armor } from '../../src/protection/openpgp/armor.ts'
import { type ContainerChoice, encryptingSink } from '../../src/protection/openpgp/encryption/encrypt.ts'
import type { KeyPacket } from '../../src/protection/openpgp/keys/key-packet.ts'
import { encryptionKeyOf } from '../../src/protection/openpgp/message/protect.ts'
import { type MessageSigning, literalMessageSink } from '../../src/protection/openpgp/message/write-message.ts'
import { type Packet, readPackets, writePacket } from '../../src/protection/openpgp/packets/packet.ts'
import { openpgpIdentity } from './openpgp-identity.ts'
import { type Received, SIGNED_AT_MS, receive } from './protected-mail.ts'
import { push } from './push.ts'
import { ALICE, MALLORY } from './tampering.ts'

const BOB = 'bob@biglobe.example'
export const SECRET = 'Please pay 100 yen to account 1234567.'
export const ENTITY = `Content-Type: text/plain; charset=utf-8\r\n\r\n${SECRET}\r\n`
export const CFB: ContainerChoice = { cipher: cipherByName('aes-256') }

export const alice = openpgpIdentity(ALICE)
export const bob = openpgpIdentity(BOB)
const mallory = openpgpIdentity(MALLORY)

export function bobsKey(): KeyPacket {
  const key = encryptionKeyOf(bob.certificate, SIGNED_AT_MS)
  if (key === undefined) throw new Error('Bob has no key')
  return key
}

/** What stands within a container: a literal with this entity, perhaps signed. */
export const literalOf = (entity: string, signing?: MessageSigning): Uint8Array =>
  push(utf8(entity), (out) => literalMessageSink(signing, out))

/** What Alice sent to Bob: the packet of the session key, and the container. */
export function captured(choice: ContainerChoice, within: Uint8Array = literalOf(ENTITY)): readonly [Packet, Packet] {
  const start = (out: ByteSink): ByteSink => encryptingSink({ ...choice, recipients: [bobsKey()] }, out)
  const [sessionKey, container, more] = readPackets(push(within, start))
  if (sessionKey === undefined || container === undefined || more !== undefined) throw new Error('not two packets')
  return [sessionKey, container]
}

/** These packets as a mail to Bob (RFC 3156 §4). */
export function mailWith(packets: readonly Packet[], from: string = ALICE): Buffer {
  const message = latin1(armor('PGP MESSAGE', concatBytes(packets.map(({ type, body }) => writePacket(type, body)))))
  return Buffer.from(
    `From: ${from}\r\nTo: ${BOB}\r\nSubject: Hello\r\nMessage-ID: <1@peer.example>\r\nMIME-Version: 1.0\r\n` +
      'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n\r\n' +
      '--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n' +
      `--b\r\nContent-Type: application/octet-stream\r\n\r\n${message}\r\n--b--\r\n`,
    'latin1',
  )
}

/** What becomes of a mail at Bob's provider, which knows Alice and Mallory by their certificates. */
export const receivedByBob = (mail: Buffer): Received =>
  receive(mail, {
    keys: [bob],
    known: [alice, mallory].map(({ certificate }) => ({ certificate, trust: 'confirmed' as const })),
  })

/** What Bob is shown; nothing when the mail is refused. */
export function shown({ report, decision }: Received): string {
  return decision.action === 'accept' && report.message !== undefined ? latin1(report.message) : ''
}

/** All that the sender could learn: what was decided, and in which words. */
export const answered = ({ report, decision, outcome }: Received): string =>
  JSON.stringify({
    outcome,
    decision,
    reason: report.summary.reason,
    layers: report.layers.map(({ verdict }) => verdict),
  })
