/** Encrypts packets to the keys of recipients: their session-key packets, then the container. */
import { randomBytes } from 'node:crypto'
import type { ByteSink } from '../../../base/byte-sink.ts'
import type { AeadRow } from '../algorithms/aeads.ts'
import { type CipherRow, isWritten } from '../algorithms/ciphers.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { PACKET } from '../packets/packet.ts'
import { partialBodySink } from '../packets/partial-body.ts'
import { ChunkEncryption } from './aead-chunks.ts'
import { writeSessionKeyPackets } from './carriers.ts'
import { newSeipd2Head } from './container.ts'
import { Seipd1Encryption } from './seipd1.ts'

/** What is written: SEIPD of version 2 where a mode is named, else of version 1. */
export interface ContainerChoice {
  readonly cipher: CipherRow
  readonly aead?: AeadRow
}

export interface EncryptionPlan extends ContainerChoice {
  /** At least one; each must be one that `canCarryTo` says yes to. */
  readonly recipients: readonly KeyPacket[]
  readonly anonymous?: boolean
}

const SALT_BYTES = 32

/** Takes packets, pushes the encrypted message. There is no way out that writes plaintext: failures throw before the first byte. */
export function encryptingSink(
  { recipients, cipher, aead, anonymous = false }: EncryptionPlan,
  out: ByteSink,
): ByteSink {
  if (recipients.length === 0) throw new TypeError('an encrypted message needs a recipient')
  if (!isWritten(cipher)) throw new TypeError(`${cipher.name} is not written`)
  const key = randomBytes(cipher.keyBytes)
  const sessionKey = aead === undefined ? { key, cipher } : { key }
  out.write(writeSessionKeyPackets(recipients, sessionKey, { anonymous }))
  const body = partialBodySink(PACKET.SEIPD, out)
  if (aead === undefined) return new Seipd1Encryption(cipher, key, body)
  const head = newSeipd2Head(cipher, aead, randomBytes(SALT_BYTES))
  body.write(head.info.subarray(1)) // without the type, which only the tags know
  body.write(head.salt)
  return new ChunkEncryption(head, key, body)
}
