/**
 * The Symmetrically Encrypted Data packet (RFC 9580 §5.7): CFB that starts again behind its prefix, and nothing that would show a
 * change. Nobody has to write it since 2007, and whoever strips the proof from a newer packet makes one of it.
 */
import { Buffer } from 'node:buffer'
import type { ByteSink } from '../../../base/byte-sink.ts'
import { type CfbRun, type CipherRow, decryptCfb } from '../algorithms/ciphers.ts'

const REPEATED_BYTES = 2

/** Takes the ciphertext, pushes the plaintext, of which nothing is proven. */
export class SedDecryption implements ByteSink {
  readonly #cipher: CipherRow
  readonly #key: Uint8Array
  readonly #out: ByteSink
  #prefix: Uint8Array = new Uint8Array()
  #run: CfbRun | undefined

  constructor(cipher: CipherRow, key: Uint8Array, out: ByteSink) {
    this.#cipher = cipher
    this.#key = key
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    if (this.#run !== undefined) return this.#out.write(this.#run.update(chunk))
    const { blockBytes } = this.#cipher
    const prefixBytes = blockBytes + REPEATED_BYTES
    const all = Buffer.concat([this.#prefix, chunk])
    this.#prefix = all.subarray(0, prefixBytes)
    if (all.length < prefixBytes) return undefined
    this.#run = decryptCfb(this.#cipher, this.#key, this.#prefix.subarray(REPEATED_BYTES))
    return this.#out.write(this.#run.update(all.subarray(prefixBytes)))
  }

  end(): void {
    this.#out.end()
  }
}
