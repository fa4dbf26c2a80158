/** Authenticated encryption (RFC 9580 §9.6): EAX, OCB and GCM over AES, one sealed piece at a time. */
import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { CipherRow } from './ciphers.ts'
import { openEax, sealEax } from './eax.ts'

export interface AeadRow {
  readonly id: number
  readonly name: 'eax' | 'ocb' | 'gcm'
  readonly nonceBytes: number
}

export const AEADS: readonly AeadRow[] = [
  { id: 2, name: 'ocb', nonceBytes: 15 },
  { id: 3, name: 'gcm', nonceBytes: 12 },
  { id: 1, name: 'eax', nonceBytes: 16 },
]

export const aeadById = (id: number): AeadRow | undefined => AEADS.find((row) => row.id === id)

export const AEAD_TAG_BYTES = 16

/** Whether the mode runs over this cipher: of those with a block of 128 bits node:crypto has only AES in all three. */
export const runsAead = ({ name }: CipherRow): boolean => name.startsWith('aes-')

export interface AeadInput {
  readonly aead: AeadRow
  readonly cipher: CipherRow
  /** Must have the cipher's length, `nonce` that of the mode. */
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly associatedData: Uint8Array
}

/** Ciphertext and tag. */
export function sealAead(input: AeadInput, plaintext: Uint8Array): Uint8Array {
  if (input.aead.name === 'eax') return sealEax(input, plaintext)
  const cipher = createCipheriv(nameOf(input), input.key, input.nonce, { authTagLength: AEAD_TAG_BYTES })
  cipher.setAAD(input.associatedData)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** The plaintext; `undefined` when the tag is wrong. */
export function openAead(input: AeadInput, sealed: Uint8Array): Uint8Array | undefined {
  const tagAt = sealed.length - AEAD_TAG_BYTES
  if (tagAt < 0) return undefined
  const [ciphertext, tag] = [sealed.subarray(0, tagAt), sealed.subarray(tagAt)]
  if (input.aead.name === 'eax') return openEax(input, ciphertext, tag)
  const decipher = createDecipheriv(nameOf(input), input.key, input.nonce, { authTagLength: AEAD_TAG_BYTES })
  decipher.setAAD(input.associatedData).setAuthTag(tag)
  const plaintext = decipher.update(ciphertext)
  try {
    const rest = decipher.final() // throws when the tag is wrong
    return rest.length === 0 ? plaintext : Buffer.concat([plaintext, rest])
  } catch {
    return undefined
  }
}

/** In node:crypto each family has a type of its own; this one fits them all. */
const nameOf = ({ cipher, aead }: AeadInput): 'aes-256-gcm' => `${cipher.name}-${aead.name}` as 'aes-256-gcm'
