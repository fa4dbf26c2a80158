/**
 * What holds an encrypted message: SEIPD of version 1 and 2 (RFC 9580 §5.13), the packet of the same use in GnuPG 2.3, and SED
 * (§5.7), which proves nothing. How its head is read, and how what is in it is decrypted and encrypted, as sinks.
 */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { Malformed, need } from '../../malformed.ts'
import { type AeadRow, aeadById, runsAead } from '../algorithms/aeads.ts'
import { type CipherRow, cipherById } from '../algorithms/ciphers.ts'
import { Cursor } from '../packets/cursor.ts'
import { PACKET } from '../packets/packet.ts'

/** What stands before the ciphertext. */
export type ContainerHead =
  | { readonly kind: 'seipd1' }
  /** Proves nothing: what was changed opens as well (EFAIL). */
  | { readonly kind: 'sed' }
  | AeadHead

export interface AeadHead {
  /** `aead` is the packet of GnuPG 2.3 and LibrePGP. */
  readonly kind: 'seipd2' | 'aead'
  readonly cipher: CipherRow
  readonly aead: AeadRow
  /** Plaintext of each chunk; the last may have less. */
  readonly chunkBytes: number
  /** Type, version, cipher, mode and chunk size: they go into every tag. */
  readonly info: Uint8Array
  /** Of seipd2 the salt of the key derivation, of aead the nonce of the first chunk. */
  readonly salt: Uint8Array
}

export type ContainerType = typeof PACKET.SEIPD | typeof PACKET.AEAD | typeof PACKET.SED

/** Throws Malformed when a packet of this type is no container. */
export function containerTypeOf(type: number): ContainerType {
  if (type !== PACKET.SEIPD && type !== PACKET.AEAD && type !== PACKET.SED)
    throw new Malformed(`a packet of type ${type} is not encrypted data`)
  return type
}

const SALT_BYTES = 32
/** A chunk of 4 MiB: what must be held until its tag is proven (RFC 9580 §5.13.2). */
const CHUNK_OCTET_MAX = 16
/** Of the longest head. */
const HEAD_MAX_BYTES = 4 + SALT_BYTES

/** Takes the body of a container from a cursor as far as its ciphertext. Throws Malformed. */
export function readContainerHead(type: ContainerType, cursor: Cursor): ContainerHead {
  if (type === PACKET.SED) return { kind: 'sed' }
  const version = cursor.u8()
  if (type === PACKET.SEIPD && version === 1) return { kind: 'seipd1' }
  if (version !== (type === PACKET.SEIPD ? 2 : 1)) throw new Malformed(`an encrypted packet of version ${version}`)
  const [cipherId, aeadId, chunkOctet] = [cursor.u8(), cursor.u8(), cursor.u8()]
  const cipher = need(cipherById(cipherId), `unknown cipher ${cipherId}`)
  const aead = need(aeadById(aeadId), `unknown mode of authenticated encryption ${aeadId}`)
  if (!runsAead(cipher)) throw new Malformed(`${cipher.name} in mode ${aead.name} is not supported`)
  if (chunkOctet > CHUNK_OCTET_MAX) throw new Malformed('the chunks of the encrypted packet are too large')
  const common = { cipher, aead, chunkBytes: chunkBytesOf(chunkOctet) }
  const info = aeadInfo(type, version, cipher, aead, chunkOctet)
  return type === PACKET.SEIPD
    ? { kind: 'seipd2', ...common, info, salt: cursor.take(SALT_BYTES) }
    : { kind: 'aead', ...common, info, salt: cursor.take(aead.nonceBytes) }
}

const chunkBytesOf = (octet: number): number => 2 ** (octet + 6)

const aeadInfo = (type: number, version: number, cipher: CipherRow, aead: AeadRow, chunkOctet: number): Uint8Array =>
  Uint8Array.of(0xc0 | type, version, cipher.id, aead.id, chunkOctet)

/** The head of a seipd2 that we write, as it stands in front of the ciphertext. */
export function newSeipd2Head(cipher: CipherRow, aead: AeadRow, salt: Uint8Array): AeadHead {
  const info = aeadInfo(PACKET.SEIPD, 2, cipher, aead, WRITTEN_CHUNK_OCTET)
  return { kind: 'seipd2', cipher, aead, chunkBytes: chunkBytesOf(WRITTEN_CHUNK_OCTET), info, salt }
}

/** 64 KiB: little to hold for the reader, and tags are one part in four thousand. */
const WRITTEN_CHUNK_OCTET = 10

/** Takes the body of a container: its head, then its ciphertext goes to the sink that `onHead` answers with. */
export class ContainerSink implements ByteSink {
  readonly #type: ContainerType
  readonly #onHead: (head: ContainerHead) => ByteSink
  #held: Uint8Array = new Uint8Array()
  #rest: ByteSink | undefined

  constructor(type: ContainerType, onHead: (head: ContainerHead) => ByteSink) {
    this.#type = type
    this.#onHead = onHead
  }

  /** Throws Malformed. */
  write(chunk: Uint8Array): void {
    if (this.#rest !== undefined) return this.#rest.write(chunk)
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    if (this.#held.length >= HEAD_MAX_BYTES) this.#begin()
    return undefined
  }

  /** Throws Malformed, also when the head is not all there. */
  end(): void {
    const rest = this.#rest ?? this.#begin()
    rest.end()
  }

  #begin(): ByteSink {
    const cursor = new Cursor(this.#held)
    const rest = this.#onHead(readContainerHead(this.#type, cursor))
    this.#rest = rest
    rest.write(cursor.rest())
    this.#held = new Uint8Array()
    return rest
  }
}
