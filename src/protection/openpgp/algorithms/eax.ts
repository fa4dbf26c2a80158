/** EAX mode (Bellare, Rogaway, Wagner: The EAX Mode of Operation), which OpenSSL has not: CTR for secrecy, CMAC for the tag. */
import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import type { AeadInput } from './aeads.ts'

const BLOCK_BYTES = 16
const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES)

/** Ciphertext and tag. */
export function sealEax(input: AeadInput, plaintext: Uint8Array): Uint8Array {
  const mac = new Omac(input)
  const start = mac.of(0, input.nonce)
  const ciphertext = createCipheriv(`${input.cipher.name}-ctr`, input.key, start).update(plaintext)
  return Buffer.concat([ciphertext, tagOf(mac, input, start, ciphertext)])
}

/** The plaintext; `undefined` when the tag is wrong. */
export function openEax(input: AeadInput, ciphertext: Uint8Array, tag: Uint8Array): Uint8Array | undefined {
  const mac = new Omac(input)
  const start = mac.of(0, input.nonce)
  if (!timingSafeEqual(tagOf(mac, input, start, ciphertext), tag)) return undefined
  return createDecipheriv(`${input.cipher.name}-ctr`, input.key, start).update(ciphertext)
}

function tagOf(mac: Omac, { associatedData }: AeadInput, start: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return xor(xor(start, mac.of(1, associatedData)), mac.of(2, ciphertext))
}

/** OMAC with a tweak: CMAC (NIST SP 800-38B) over a block that ends in the tweak, then the data. */
class Omac {
  readonly #name: string
  readonly #key: Uint8Array
  readonly #whole: Uint8Array
  readonly #padded: Uint8Array

  constructor({ cipher, key }: AeadInput) {
    this.#name = `${cipher.name}-cbc`
    this.#key = key
    this.#whole = doubled(this.#chain(ZERO_BLOCK))
    this.#padded = doubled(this.#whole)
  }

  of(tweak: 0 | 1 | 2, data: Uint8Array): Uint8Array {
    const length = BLOCK_BYTES + data.length
    const blocks = Buffer.alloc(Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES)
    blocks[BLOCK_BYTES - 1] = tweak
    blocks.set(data, BLOCK_BYTES)
    const isWhole = blocks.length === length
    if (!isWhole) blocks[length] = 0x80
    const last = blocks.subarray(-BLOCK_BYTES)
    last.set(xor(last, isWhole ? this.#whole : this.#padded))
    return this.#chain(blocks).subarray(-BLOCK_BYTES)
  }

  #chain(blocks: Uint8Array): Buffer {
    return createCipheriv(this.#name, this.#key, ZERO_BLOCK).setAutoPadding(false).update(blocks)
  }
}

/** Times x in GF(2^128). */
function doubled(block: Uint8Array): Uint8Array {
  const twice = Buffer.alloc(BLOCK_BYTES)
  for (let i = 0; i < BLOCK_BYTES; i++) twice[i] = ((block[i] ?? 0) << 1) | ((block[i + 1] ?? 0) >> 7)
  if (((block[0] ?? 0) & 0x80) !== 0) twice[BLOCK_BYTES - 1] = (twice[BLOCK_BYTES - 1] ?? 0) ^ 0x87
  return twice
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((octet, i) => octet ^ (b[i] ?? 0))
}
