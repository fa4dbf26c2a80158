/** IDEA (Lai, Massey, Murphy), the cipher of PGP 2. To read only: OpenSSL keeps it among what is obsolete. */
import type { BlockCipher } from './block-cfb.ts'

const ROUNDS = 8
const SUBKEYS = 52
const KEY_BITS = 128n
const KEY_MASK = (1n << KEY_BITS) - 1n
/** How far the key is rotated after each eight subkeys. */
const ROTATION = 25n

function expandKey(key: Uint8Array): Uint16Array {
  let bits = key.reduce((number, octet) => (number << 8n) | BigInt(octet), 0n)
  return Uint16Array.from({ length: SUBKEYS }, (_, i) => {
    if (i > 0 && i % 8 === 0) bits = ((bits << ROTATION) | (bits >> (KEY_BITS - ROTATION))) & KEY_MASK
    return Number((bits >> BigInt(112 - 16 * (i % 8))) & 0xffffn)
  })
}

/** Modulo 2^16 + 1, where zero stands for 2^16. */
const times = (a: number, b: number): number => (((a || 0x10000) * (b || 0x10000)) % 0x10001) & 0xffff

export function idea(key: Uint8Array): BlockCipher {
  const subkeys = expandKey(key)
  return (block) => {
    let [a, b, c, d] = [block.readUInt16BE(0), block.readUInt16BE(2), block.readUInt16BE(4), block.readUInt16BE(6)]
    const z = (i: number): number => subkeys[i] ?? 0
    for (let i = 0; i < 6 * ROUNDS; i += 6) {
      a = times(a, z(i))
      b = (b + z(i + 1)) & 0xffff
      c = (c + z(i + 2)) & 0xffff
      d = times(d, z(i + 3))
      const e = times(a ^ c, z(i + 4))
      const f = times(((b ^ d) + e) & 0xffff, z(i + 5))
      const g = (e + f) & 0xffff
      ;[a, b, c, d] = [a ^ f, c ^ f, b ^ g, d ^ g]
    }
    const i = 6 * ROUNDS
    block.writeUInt16BE(times(a, z(i)), 0)
    block.writeUInt16BE((c + z(i + 1)) & 0xffff, 2)
    block.writeUInt16BE((b + z(i + 2)) & 0xffff, 4)
    block.writeUInt16BE(times(d, z(i + 3)), 6)
  }
}
