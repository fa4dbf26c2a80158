/**
 * Version 1 of the Symmetrically Encrypted and Integrity Protected Data packet (RFC 9580 §5.13.1): CFB behind a random prefix,
 * and at the end a SHA-1 over all of it. The two octets of the prefix that are repeated are never looked at: an answer that
 * depended on them would decrypt two octets of any block (Mister and Zuccherato).
 */
import { Buffer } from 'node:buffer'
import { type Hash, createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { Malformed } from '../../malformed.ts'
import { type CfbRun, type CipherRow, decryptCfb, encryptCfb } from '../algorithms/ciphers.ts'
import { CHANGED } from './changed.ts'

/** Header of the Modification Detection Code packet, which is hashed too. */
const MDC_HEADER = Uint8Array.of(0xd3, 0x14)
const SHA1_BYTES = 20
const MDC_BYTES = MDC_HEADER.length + SHA1_BYTES
const REPEATED_BYTES = 2

const prefixBytesOf = ({ blockBytes }: CipherRow): number => blockBytes + REPEATED_BYTES

/** Takes the ciphertext, pushes the plaintext. `out` is ended only when all was proven to be unchanged; else throws Malformed. */
export class Seipd1Decryption implements ByteSink {
  readonly #run: CfbRun
  readonly #hash: Hash = createHash('sha1')
  readonly #out: ByteSink
  #prefixLeft: number
  #held: Uint8Array = new Uint8Array()

  constructor(cipher: CipherRow, key: Uint8Array, out: ByteSink) {
    this.#run = decryptCfb(cipher, key, Buffer.alloc(cipher.blockBytes))
    this.#prefixLeft = prefixBytesOf(cipher)
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    const plain = this.#run.update(chunk)
    const all = plain.length < MDC_BYTES ? Buffer.concat([this.#held, plain]) : plain
    if (all === plain) this.#release(this.#held)
    const heldFrom = Math.max(all.length - MDC_BYTES, 0)
    this.#release(all.subarray(0, heldFrom))
    this.#held = all.subarray(heldFrom)
  }

  end(): void {
    const [header, sum] = [this.#held.subarray(0, MDC_HEADER.length), this.#held.subarray(MDC_HEADER.length)]
    const expected = this.#hash.update(header).digest()
    const isUnchanged =
      this.#prefixLeft === 0 &&
      sum.length === SHA1_BYTES &&
      timingSafeEqual(header, MDC_HEADER) &&
      timingSafeEqual(sum, expected)
    if (!isUnchanged) throw new Malformed(CHANGED)
    this.#out.end()
  }

  #release(plain: Uint8Array): void {
    if (plain.length === 0) return
    this.#hash.update(plain)
    const skipped = Math.min(this.#prefixLeft, plain.length)
    this.#prefixLeft -= skipped
    if (skipped < plain.length) this.#out.write(plain.subarray(skipped))
  }
}

/** Takes the plaintext, pushes the body of the packet, its version included. */
export class Seipd1Encryption implements ByteSink {
  readonly #run: CfbRun
  readonly #hash: Hash = createHash('sha1')
  readonly #out: ByteSink

  constructor(cipher: CipherRow, key: Uint8Array, out: ByteSink) {
    const { blockBytes } = cipher
    this.#run = encryptCfb(cipher, key, Buffer.alloc(blockBytes))
    this.#out = out
    const random = randomBytes(blockBytes)
    out.write(VERSION)
    this.write(Buffer.concat([random, random.subarray(-REPEATED_BYTES)]))
  }

  write(chunk: Uint8Array): void {
    this.#hash.update(chunk)
    this.#out.write(this.#run.update(chunk))
  }

  end(): void {
    const sum = this.#hash.update(MDC_HEADER).digest()
    this.#out.write(this.#run.update(Buffer.concat([MDC_HEADER, sum])))
    this.#out.end()
  }
}

const VERSION = Uint8Array.of(1)
