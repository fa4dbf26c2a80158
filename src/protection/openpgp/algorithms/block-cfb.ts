/** CFB mode over block ciphers that node:crypto has not. */
import { Buffer } from 'node:buffer'

/** Encrypts one block in its place: CFB never runs a cipher backwards. */
export type BlockCipher = (block: Buffer) => void

/** A run over `encrypt`: what goes in is XORed with what the cipher makes of the last block of ciphertext. */
export function runCfb(
  encrypt: BlockCipher,
  iv: Uint8Array,
  direction: 'encrypt' | 'decrypt',
): { update(chunk: Uint8Array): Uint8Array } {
  const mask = Buffer.from(iv)
  const ciphertext = Buffer.from(iv)
  let used = ciphertext.length
  return {
    update: (chunk) =>
      Buffer.from(chunk).map((octet) => {
        if (used === ciphertext.length) {
          mask.set(ciphertext)
          encrypt(mask)
          used = 0
        }
        const other = octet ^ (mask[used] ?? 0)
        ciphertext[used++] = direction === 'encrypt' ? other : octet
        return other
      }),
  }
}
