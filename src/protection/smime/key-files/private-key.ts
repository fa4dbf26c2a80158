/** Private keys as files carry them: PKCS#8 (RFC 5958), encrypted or not. */
import { Buffer } from 'node:buffer'
import { type KeyObject, createPrivateKey } from 'node:crypto'
import { type Node, parseDer } from '../asn1/der-reader.ts'
import { TAG } from '../asn1/tlv.ts'
import { Malformed } from '../../malformed.ts'
import { expectTag } from '../asn1/der-fields.ts'
import { type IterationBudget, WRONG_PASSWORD, decryptWithPassword } from './password-encryption.ts'
import { describeKey } from '../../key-object.ts'

/** EncryptedPrivateKeyInfo → PrivateKeyInfo DER (RFC 5958 §3); throws Malformed. */
export function decryptPrivateKeyInfo(node: Node, password: string, budget: IterationBudget): Uint8Array {
  const [algorithm, ciphertext] = node.children
  const plain = decryptWithPassword(
    expectTag(algorithm, TAG.SEQUENCE, 'encryption'),
    expectTag(ciphertext, TAG.OCTET_STRING, 'encrypted key').content,
    password,
    budget,
  )
  // one wrong password in 256 leaves what looks like padding
  if (!parseDer(plain).ok) throw new Malformed(WRONG_PASSWORD)
  return plain
}

/** PrivateKeyInfo DER → key; throws Malformed for kinds and sizes that we do not use. */
export function importKey(pkcs8: Uint8Array): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  } catch {
    throw new Malformed('the private key is malformed or of an unknown kind')
  }
  describeKey(key)
  return key
}
