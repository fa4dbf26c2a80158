/** Writes OpenPGP messages: signatures over what passes by, and a literal between them (RFC 9580 §10.3). */
import { Buffer } from 'node:buffer'
import type { KeyObject } from 'node:crypto'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import type { OpenpgpCertificate } from '../certificate/certificate.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { PACKET, writePacket } from '../packets/packet.ts'
import { partialBodySink } from '../packets/partial-body.ts'
import { type SignatureMaker, signatureMaker } from '../signatures/make.ts'
import { SIGNATURE_TYPE } from '../signatures/signature-packet.ts'
import { SUBPACKET, type Subpacket } from '../signatures/subpackets.ts'
import { LITERAL_HEAD } from './literal.ts'

/** A key that signs, with its private part. */
export interface SigningKey {
  readonly packet: KeyPacket
  readonly handles: readonly KeyObject[]
}

export interface MessageSigning {
  readonly keys: readonly SigningKey[]
  readonly hash?: number
  readonly atMs: number
  /** Certificates of those whom it is encrypted to: nobody else can pass it on as meant for them (RFC 9580 §5.2.3.36). */
  readonly intendedFor?: readonly Pick<OpenpgpCertificate, 'version' | 'fingerprint'>[]
}

/** One for each key; each takes all of the content. */
export function startSignatures({ keys, hash, atMs, intendedFor = [] }: MessageSigning): SignatureMaker[] {
  const subpackets = intendedFor.map(intendedRecipient)
  return keys.map(({ packet, handles }) =>
    signatureMaker({
      type: SIGNATURE_TYPE.BINARY,
      packet,
      handles,
      ...(hash === undefined ? {} : { hash }),
      subpackets,
      atMs,
    }),
  )
}

const intendedRecipient = ({
  version,
  fingerprint,
}: Pick<OpenpgpCertificate, 'version' | 'fingerprint'>): Subpacket => ({
  type: SUBPACKET.INTENDED_RECIPIENT,
  critical: false,
  body: Uint8Array.of(version, ...Buffer.from(fingerprint, 'hex')),
})

/** The packets of a detached signature. */
export const finishSignatures = (makers: readonly SignatureMaker[]): Uint8Array =>
  concatBytes(makers.map((maker) => writePacket(PACKET.SIGNATURE, maker.finish())))

/** Takes a content, pushes the packets of a message with it; signed, where there is anything to sign with. */
export function literalMessageSink(signing: MessageSigning | undefined, out: ByteSink): ByteSink {
  const makers = signing === undefined ? [] : startSignatures(signing)
  const literal = partialBodySink(PACKET.LITERAL, { write: (chunk) => out.write(chunk), end: () => undefined })
  for (const [at, maker] of makers.entries()) {
    const { packet } = (signing as MessageSigning).keys[at] as SigningKey
    out.write(writePacket(PACKET.ONE_PASS, onePassOf(packet, maker, at === makers.length - 1)))
  }
  literal.write(LITERAL_HEAD)
  return {
    write(chunk) {
      for (const maker of makers) maker.update(chunk)
      literal.write(chunk)
    },
    end() {
      literal.end()
      if (makers.length > 0) out.write(finishSignatures(makers.toReversed())) // the last announced comes first
      out.end()
    },
  }
}

/** RFC 9580 §5.4; its last octet says that no other one follows. */
function onePassOf(packet: KeyPacket, { hash, salt }: SignatureMaker, isLast: boolean): Uint8Array {
  const head = Uint8Array.of(packet.version === 6 ? 6 : 3, SIGNATURE_TYPE.BINARY, hash, packet.algorithm)
  const issuer =
    packet.version === 6 ? [Uint8Array.of(salt.length), salt, Buffer.from(packet.fingerprint, 'hex')] : [packet.keyId]
  return concatBytes([head, ...issuer, Uint8Array.of(isLast ? 1 : 0)])
}
