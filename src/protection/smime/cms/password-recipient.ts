/** PasswordRecipientInfo (RFC 5652 §6.2.4, RFC 3211), to read: the content key under a key that is made of a password. */
import { Buffer } from 'node:buffer'
import { createDecipheriv } from 'node:crypto'
import { type Result, fail, ok } from '../../../base/result.ts'
import { type AlgorithmId, readAlgorithm } from '../algorithms.ts'
import { joinedOctets } from '../asn1/ber-reader.ts'
import { type Node, parseDer } from '../asn1/der-reader.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { Malformed } from '../../malformed.ts'
import { type IterationBudget, pbkdf2 } from '../key-files/password-encryption.ts'
import { type ContentCipher, readContentCipher } from './content-cipher.ts'
import type { ContentKey } from './content-key.ts'

const PWRI_KEK = '1.2.840.113549.1.9.16.3.9'

export interface PasswordRecipient {
  readonly kind: 'password'
  /** keyDerivationAlgorithm as `[0]`; missing when the key itself is agreed on, which nobody does. */
  readonly derivation?: Node
  readonly algorithm: AlgorithmId
  readonly encryptedKey: Uint8Array
}

/** As `[3]` of RecipientInfo. */
export function readPasswordRecipient(node: Node): Result<PasswordRecipient> {
  const fields = [...node.children]
  const version = fields.shift()
  const derivation = fields[0]?.tag === contextConstructed(0) ? fields.shift() : undefined
  const [algorithmNode, keyNode, more] = fields
  const algorithm = algorithmNode === undefined ? fail('') : readAlgorithm(algorithmNode)
  const encryptedKey = keyNode === undefined ? undefined : joinedOctets(keyNode)
  if (version?.tag !== TAG.INTEGER || !algorithm.ok || encryptedKey === undefined || more !== undefined)
    return fail('PasswordRecipientInfo is malformed')
  const recipient = { kind: 'password', algorithm: algorithm.value, encryptedKey } as const
  return ok(derivation === undefined ? recipient : { ...recipient, derivation })
}

/** `budget`: of all iterations that one message may demand. */
export function unwrapWithPassword(
  { derivation, algorithm, encryptedKey }: PasswordRecipient,
  password: string,
  budget: IterationBudget,
): Result<ContentKey> {
  const cipher = readWrappingCipher(algorithm)
  if (!cipher.ok) return cipher
  if (derivation === undefined) return fail('PasswordRecipientInfo without a key derivation')
  try {
    const wrappingKey = pbkdf2(derivation, cipher.value.row.keyBytes, password, budget)
    return ok({ key: unwrapTwice(cipher.value, wrappingKey, encryptedKey), weak: cipher.value.row.weak !== undefined })
  } catch (error) {
    if (error instanceof Malformed) return fail(error.message)
    throw error
  }
}

function readWrappingCipher(algorithm: AlgorithmId): Result<ContentCipher> {
  if (algorithm.oid !== PWRI_KEK) return fail(`unknown key encryption algorithm ${algorithm.oid}`)
  const parsed = algorithm.parameters === undefined ? fail('') : parseDer(algorithm.parameters)
  const inner = parsed.ok ? readAlgorithm(parsed.value) : fail('')
  const cipher = inner.ok
    ? readContentCipher(inner.value)
    : fail('malformed parameters of the key encryption algorithm')
  return !cipher.ok || cipher.value.row.mode === 'cbc' ? cipher : fail(`${cipher.value.row.name} wraps no keys`)
}

/** RFC 3211 §2.3.2: the outer encryption has the last block of the inner one as its IV. */
function unwrapTwice({ row, iv }: ContentCipher, wrappingKey: Uint8Array, wrapped: Uint8Array): Uint8Array | undefined {
  const { blockBytes } = row
  if (wrapped.length < 2 * blockBytes || wrapped.length % blockBytes !== 0) return undefined
  const decrypt = (from: Uint8Array, ciphertext: Uint8Array): Buffer => {
    const decipher = createDecipheriv(row.name, wrappingKey, from).setAutoPadding(false)
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  }
  const last = wrapped.length - blockBytes
  const lastInner = decrypt(wrapped.subarray(last - blockBytes, last), wrapped.subarray(last))
  const inner = Buffer.concat([decrypt(lastInner, wrapped.subarray(0, last)), lastInner])
  return unformatted(decrypt(iv, inner))
}

/** A count, the complement of the first three octets of the key, the key, and padding (RFC 3211 §2.3.1). */
function unformatted(block: Uint8Array): Uint8Array | undefined {
  const keyBytes = block[0] ?? 0
  let wrong = keyBytes < 3 || keyBytes > block.length - 4 ? 1 : 0
  for (let i = 1; i <= 3; i++) wrong |= (block[i] ?? 0) ^ (block[i + 3] ?? 0) ^ 0xff
  return wrong === 0 ? block.subarray(4, 4 + keyBytes) : undefined
}
