/** Are the DKIM signatures of a message what their domains made? (RFC 6376 §6) */
import { type KeyObject, createHash, verify } from 'node:crypto'
import type { DnsAsk } from '../base/dns-client.ts'
import type { Domain } from '../message/address.ts'
import type { HeaderField } from '../message/part.ts'
import type { BodyHashes } from './body-hash.ts'
import { type BadKey, type DkimKey, keyFault, parseDkimKey } from './dkim-key.ts'
import {
  type BadSignature,
  type DkimAlgorithm,
  type DkimSignature,
  dkimFields,
  parseDkimSignature,
  signedHeader,
} from './dkim-signature.ts'

/** Signatures that are looked at, the topmost, for those were made last. Each costs a look-up and a verification. */
export const SIGNATURES_MAX = 8
/** Keys of one name; there should be one (RFC 6376 §3.6.2.2). */
const KEYS_MAX = 3

/** RFC 8601 §2.7.1. */
export type DkimWord = 'pass' | 'fail' | 'policy' | 'neutral' | 'temperror' | 'permerror'

export interface DkimResult {
  readonly result: DkimWord
  readonly why?: string
  readonly domain?: Domain
  readonly selector?: string
  readonly algorithm?: DkimAlgorithm
}

export const readSignatures = (fields: readonly HeaderField[]): readonly (DkimSignature | BadSignature)[] =>
  dkimFields(fields)
    .slice(0, SIGNATURES_MAX)
    .map((field) => parseDkimSignature(field))

/** `nowMs` decides about signatures that run out. Never rejects unless `ask` does. */
export async function verifyDkim(
  fields: readonly HeaderField[],
  signature: DkimSignature | BadSignature,
  bodies: BodyHashes,
  { ask, nowMs }: { readonly ask: DnsAsk; readonly nowMs: number },
): Promise<DkimResult> {
  if ('problem' in signature) return { result: signature.problem, why: signature.why, ...named(signature) }
  const say = (result: DkimWord, why?: string): DkimResult => ({
    result,
    ...(why === undefined ? {} : { why }),
    ...named(signature),
  })
  const body = bodies.judge(signature)
  if (body === 'wrong') return say('fail', 'the body has been changed')
  if (signature.expiresS !== undefined && signature.expiresS * 1000 < nowMs) return say('fail', 'it has run out')
  const found = await keysFor(signature, ask)
  if ('result' in found) return say(found.result, found.why)
  if (!(await anyVerifies(found.keys, signature, signedHeader(fields, signature))))
    return say('fail', 'the signature does not verify')
  return body === 'whole' ? say('pass') : say('policy', 'not the whole body is signed')
}

const named = (of: Partial<Pick<DkimSignature, 'domain' | 'selector' | 'algorithm'>>) => ({
  ...(of.domain === undefined ? {} : { domain: of.domain }),
  ...(of.selector === undefined ? {} : { selector: of.selector }),
  ...(of.algorithm === undefined ? {} : { algorithm: of.algorithm }),
})

type SignedBy = Pick<DkimSignature, 'domain' | 'selector' | 'algorithm' | 'identityDomain'>
type KeyProblem = BadKey | { readonly result: 'temperror'; readonly why: string }

/** The keys that may have made it, or why there are none. */
export async function keysFor(
  signature: SignedBy,
  ask: DnsAsk,
): Promise<{ readonly keys: readonly DkimKey[] } | KeyProblem> {
  const answer = await ask(`${signature.selector}._domainkey.${signature.domain}`, 'TXT')
  if (answer.kind === 'trouble') return { result: 'temperror', why: 'the key cannot be looked up now' }
  if (answer.kind !== 'records') return { result: 'permerror', why: 'there is no key' }
  const read = answer.records.slice(0, KEYS_MAX).map((record): DkimKey | BadKey => {
    const key = parseDkimKey(record)
    return key.ok ? (keyFault(key.value, signature) ?? key.value) : key.error
  })
  const keys = read.filter((each): each is DkimKey => 'key' in each)
  const [bad] = read.filter((each): each is BadKey => 'result' in each)
  return keys.length === 0 && bad !== undefined ? bad : { keys }
}

export async function anyVerifies(
  keys: readonly DkimKey[],
  { signature }: Pick<DkimSignature, 'signature'>,
  signed: Uint8Array,
): Promise<boolean> {
  for (const { key, algorithm } of keys) if (await verifies(key, algorithm, signed, signature)) return true
  return false
}

/** In a thread of node's own. RFC 8463 §3: Ed25519 signs the SHA-256 of it. */
function verifies(key: KeyObject, algorithm: DkimAlgorithm, data: Uint8Array, value: Uint8Array): Promise<boolean> {
  const [digest, signed] =
    algorithm === 'rsa-sha256' ? ['sha256', data] : [null, createHash('sha256').update(data).digest()]
  return new Promise((resolve) => {
    verify(digest, signed, key, value, (error, isRight) => resolve(error === null && isRight))
  })
}
