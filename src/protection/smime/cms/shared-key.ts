/** KEKRecipientInfo (RFC 5652 §6.2.3), to read: the content key under a key that both sides had before. */
import { type Result, fail, ok } from '../../../base/result.ts'
import { type AlgorithmId, readAlgorithm } from '../algorithms.ts'
import { joinedOctets } from '../asn1/ber-reader.ts'
import type { Node } from '../asn1/der-reader.ts'
import { TAG } from '../asn1/tlv.ts'
import type { ContentKey } from './content-key.ts'
import { readKeyWrap, unwrapKey } from './key-wrap.ts'

export interface SharedKeyRecipient {
  readonly kind: 'shared-key'
  /** `keyIdentifier`; date and other attributes that may follow name no other key to us. */
  readonly keyId: Uint8Array
  readonly algorithm: AlgorithmId
  readonly encryptedKey: Uint8Array
}

/** As `[2]` of RecipientInfo. */
export function readSharedKeyRecipient(node: Node): Result<SharedKeyRecipient> {
  const [version, kekid, algorithmNode, keyNode, more] = node.children
  const keyId =
    kekid?.tag === TAG.SEQUENCE && kekid.children[0] !== undefined ? joinedOctets(kekid.children[0]) : undefined
  const algorithm = algorithmNode === undefined ? fail('') : readAlgorithm(algorithmNode)
  const encryptedKey = keyNode === undefined ? undefined : joinedOctets(keyNode)
  const complete = version?.tag === TAG.INTEGER && more === undefined
  if (!complete || keyId === undefined || !algorithm.ok || encryptedKey === undefined)
    return fail('KEKRecipientInfo is malformed')
  return ok({ kind: 'shared-key', keyId, algorithm: algorithm.value, encryptedKey })
}

export function unwrapWithSharedKey(info: SharedKeyRecipient, key: Uint8Array): Result<ContentKey> {
  const wrap = readKeyWrap(info.algorithm)
  if (!wrap.ok) return wrap
  const weak = wrap.value.weak !== undefined
  if (key.length !== wrap.value.keyBytes) return fail(`the shared key is not one of ${wrap.value.keyBytes} octets`)
  try {
    return ok({ key: unwrapKey(wrap.value, key, info.encryptedKey), weak })
  } catch {
    return ok({ key: undefined, weak })
  }
}
