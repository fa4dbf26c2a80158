/** Certificates and CRLs of every shape for tests, right ones and wrong ones. The same arguments give the same bytes. */
import { type KeyObject, createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import {
  contextTagged,
  der,
  integer,
  oid,
  octetString,
  sequence,
  time,
} from '../../src/protection/smime/asn1/der-writer.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { EXTENSION } from '../../src/protection/smime/x509/extensions.ts'
import {
  COMMON_NAME,
  authorityKeyIdentifier,
  basicConstraints,
  keyIdOf,
  subjectKeyIdentifier,
  writeCertificate,
  writeExtension,
  writeName,
  writeSigned,
} from '../../src/protection/smime/x509/write-certificate.ts'

export const NOW_MS = Date.UTC(2026, 0, 1)
export const DAY_MS = 24 * 60 * 60_000

export interface Entity {
  readonly certificate: SmimeCertificate
  readonly key: KeyObject
}

export interface CertificateOrder {
  /** Its commonName; the key is made from it too, unless `key` says otherwise. */
  readonly name: string
  /** Missing: self-signed. */
  readonly issuer?: Entity
  readonly key?: KeyObject
  readonly subject?: Uint8Array
  readonly extensions?: readonly Uint8Array[]
  readonly notBeforeMs?: number
  readonly notAfterMs?: number
  readonly serial?: number
}

/** An Ed25519 key made from a text. */
export function keyNamed(text: string): KeyObject {
  const seed = createHash('sha256').update(text).digest()
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
  return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' })
}

export function certificateDer(order: CertificateOrder): Uint8Array {
  const key = order.key ?? keyNamed(order.name)
  const subject = order.subject ?? writeName([[COMMON_NAME, order.name]])
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return writeCertificate(
    {
      serial: integer(order.serial ?? 1).subarray(2),
      issuer: order.issuer?.certificate.subjectName ?? subject,
      subject,
      notBeforeMs: order.notBeforeMs ?? NOW_MS - 100 * DAY_MS,
      notAfterMs: order.notAfterMs ?? NOW_MS + 100 * DAY_MS,
      spki,
      extensions: [...keyIds(order, spki), ...(order.extensions ?? [])],
    },
    order.issuer?.key ?? key,
  )
}

/** The key identifiers that every certificate needs (RFC 5280 §4.2.1.1, §4.2.1.2), where the order has none of its own. */
function keyIds(order: CertificateOrder, spki: Uint8Array): readonly Uint8Array[] {
  const issuerSpki = order.issuer?.certificate.spki
  const own = [
    { id: EXTENSION.subjectKeyId, extension: subjectKeyIdentifier(keyIdOf(spki)) },
    ...(issuerSpki === undefined
      ? []
      : [{ id: EXTENSION.authorityKeyId, extension: authorityKeyIdentifier(keyIdOf(issuerSpki)) }]),
  ]
  const ordered = Buffer.concat(order.extensions ?? [])
  return own.flatMap(({ id, extension }) => (ordered.includes(oid(id)) ? [] : [extension]))
}

export function makeCertificate(order: CertificateOrder): Entity {
  const parsed = parseCertificate(certificateDer(order))
  if (!parsed.ok) throw new Error(parsed.error)
  return { certificate: parsed.value, key: order.key ?? keyNamed(order.name) }
}

/** A certificate with cA TRUE and further extensions. */
export function makeAuthority(order: CertificateOrder & { readonly pathLength?: number }): Entity {
  const constraints = basicConstraints(order.pathLength ?? 9)
  return makeCertificate({ ...order, extensions: [constraints, ...(order.extensions ?? [])] })
}

export interface CrlOrder {
  readonly revoked?: readonly { readonly serial: number; readonly atMs: number; readonly reason?: number }[]
  readonly thisUpdateMs?: number
  readonly nextUpdateMs?: number
  readonly extensions?: readonly Uint8Array[]
  /** Missing: version 2 with a cRLNumber. */
  readonly form?: 'version 1' | 'unnumbered'
}

export function makeCrl(issuer: Entity, order: CrlOrder): Uint8Array {
  const entries = (order.revoked ?? []).map(({ serial, atMs, reason }) =>
    sequence(
      integer(serial),
      time(atMs),
      ...(reason === undefined
        ? []
        : [sequence(sequence(oid('2.5.29.21'), octetString(der(TAG.ENUMERATED, Uint8Array.of(reason)))))]),
    ),
  )
  const number = order.form === undefined ? [writeExtension(EXTENSION.crlNumber, false, integer(1))] : []
  const extensions = [...number, ...(order.extensions ?? [])]
  return writeSigned(issuer.key, (algorithm) => [
    ...(order.form === 'version 1' ? [] : [integer(1)]),
    algorithm,
    issuer.certificate.subjectName,
    time(order.thisUpdateMs ?? NOW_MS - DAY_MS),
    time(order.nextUpdateMs ?? NOW_MS + DAY_MS),
    ...(entries.length === 0 ? [] : [sequence(Buffer.concat(entries))]),
    ...(extensions.length === 0 ? [] : [contextTagged(0, sequence(...extensions))]),
  ])
}
