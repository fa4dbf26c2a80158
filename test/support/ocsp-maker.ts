/** OCSP responses of every shape for tests, right ones and wrong ones. */
import { hash, sign } from 'node:crypto'
import {
  NULL,
  bitString,
  contextTagged,
  der,
  octetString,
  oid,
  sequence,
} from '../../src/protection/smime/asn1/der-writer.ts'
import { parseDer } from '../../src/protection/smime/asn1/der-reader.ts'
import { TAG, context } from '../../src/protection/smime/asn1/tlv.ts'
import { writeExtension } from '../../src/protection/smime/x509/write-certificate.ts'
import { DAY_MS, type Entity, NOW_MS } from './x509-maker.ts'

export interface OcspOrder {
  readonly about: Entity
  readonly issuer: Entity
  /** Missing: good. */
  readonly revoked?: { readonly atMs: number; readonly reason?: number }
  readonly unknown?: boolean
  /** Who signs; missing: the issuer. */
  readonly signer?: Entity
  /** Certificates that go along. */
  readonly certificates?: readonly Entity[]
  readonly byKey?: boolean
  readonly digest?: 'sha1' | 'sha256'
  readonly thisUpdateMs?: number
  /** `null`: none. */
  readonly nextUpdateMs?: number | null
  readonly nonce?: Uint8Array
  /** Of the response, and of the answer. */
  readonly extensions?: readonly Uint8Array[]
  readonly answerExtensions?: readonly Uint8Array[]
}

const DIGEST_OID = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' }
export const NONCE_OID = '1.3.6.1.5.5.7.48.1.2'

/** Signed with an Ed25519 key, as x509-maker.ts makes them. */
export function makeOcspResponse(order: OcspOrder): Uint8Array {
  const signer = order.signer ?? order.issuer
  const { nonce, extensions = [], certificates = [] } = order
  const all = [...extensions, ...(nonce === undefined ? [] : [writeExtension(NONCE_OID, false, octetString(nonce))])]
  const tbs = sequence(
    order.byKey === true
      ? contextTagged(2, octetString(keyHash('sha1', signer)))
      : contextTagged(1, signer.certificate.subjectName),
    generalizedTime(order.thisUpdateMs ?? NOW_MS),
    sequence(answer(order)),
    ...(all.length === 0 ? [] : [contextTagged(1, sequence(...all))]),
  )
  const carried = certificates.map(({ certificate }) => certificate.encoded)
  const basic = sequence(
    tbs,
    sequence(oid('1.3.101.112')),
    bitString(sign(undefined, tbs, signer.key)),
    ...(carried.length === 0 ? [] : [contextTagged(0, sequence(...carried))]),
  )
  return sequence(
    der(TAG.ENUMERATED, Uint8Array.of(0)),
    contextTagged(0, sequence(oid('1.3.6.1.5.5.7.48.1.1'), octetString(basic))),
  )
}

/** One of the unsigned refusals (RFC 6960 §2.3). */
export const makeOcspRefusal = (status: number): Uint8Array => sequence(der(TAG.ENUMERATED, Uint8Array.of(status)))

function answer(order: OcspOrder): Uint8Array {
  const { about, issuer, digest = 'sha1', revoked, answerExtensions = [] } = order
  const nextUpdateMs = order.nextUpdateMs === undefined ? NOW_MS + DAY_MS : order.nextUpdateMs
  return sequence(
    sequence(
      sequence(oid(DIGEST_OID[digest]), NULL),
      octetString(hash(digest, issuer.certificate.subjectName, 'buffer')),
      octetString(keyHash(digest, issuer)),
      about.certificate.serial,
    ),
    revoked === undefined
      ? der(context(order.unknown === true ? 2 : 0))
      : contextTagged(
          1,
          generalizedTime(revoked.atMs),
          ...(revoked.reason === undefined
            ? []
            : [contextTagged(0, der(TAG.ENUMERATED, Uint8Array.of(revoked.reason)))]),
        ),
    generalizedTime(order.thisUpdateMs ?? NOW_MS - DAY_MS),
    ...(nextUpdateMs === null ? [] : [contextTagged(0, generalizedTime(nextUpdateMs))]),
    ...(answerExtensions.length === 0 ? [] : [contextTagged(1, sequence(...answerExtensions))]),
  )
}

function keyHash(digest: 'sha1' | 'sha256', { certificate }: Entity): Uint8Array {
  const parsed = parseDer(certificate.spki)
  if (!parsed.ok) throw new Error(parsed.error)
  return hash(digest, parsed.value.children[1]?.content.subarray(1) ?? new Uint8Array(), 'buffer')
}

function generalizedTime(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')
  return der(TAG.GENERALIZED_TIME, Buffer.from(`${digits}Z`))
}
