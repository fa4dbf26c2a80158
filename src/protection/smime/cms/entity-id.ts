/** How CMS names a certificate: by issuer and serial number, or by subject key identifier (RFC 5652 §5.3, §6.2.1). */
import { equalBytes, hex } from '../../../base/bytes.ts'
import { joinedOctets, parseBer } from '../asn1/ber-reader.ts'
import type { Node } from '../asn1/der-reader.ts'
import { sequence } from '../asn1/der-writer.ts'
import { TAG, context } from '../asn1/tlv.ts'
import type { SmimeCertificate } from '../x509/certificate.ts'
import { Malformed } from '../../malformed.ts'
import { nameKey, readName } from '../x509/name.ts'

export type EntityId =
  | {
      readonly kind: 'issuer-serial'
      /** The Name and the INTEGER as received, both with their tags. */
      readonly issuer: Uint8Array
      readonly serial: Uint8Array
    }
  | { readonly kind: 'key-id'; readonly keyId: Uint8Array }

/** IssuerAndSerialNumber, or `[0]` SubjectKeyIdentifier; `undefined` when it is neither. */
export function readEntityId(node: Node | undefined): EntityId | undefined {
  if (node === undefined) return undefined
  const keyId = joinedOctets(node, context(0))
  if (keyId !== undefined) return { kind: 'key-id', keyId }
  const [issuer, serial, more] = node.children
  if (node.tag !== TAG.SEQUENCE || issuer?.tag !== TAG.SEQUENCE || serial?.tag !== TAG.INTEGER || more !== undefined)
    return undefined
  return { kind: 'issuer-serial', issuer: issuer.raw, serial: serial.raw }
}

export function isNamedBy(id: EntityId, certificate: SmimeCertificate): boolean {
  switch (id.kind) {
    case 'issuer-serial':
      return equalBytes(id.serial, certificate.serial) && isSameName(id.issuer, certificate)
    case 'key-id':
      return certificate.subjectKeyId !== undefined && equalBytes(id.keyId, certificate.subjectKeyId)
  }
}

/** Some programs write the issuer with other string types than the certificate has; RFC 5280 §7.1 calls them equal. */
function isSameName(issuer: Uint8Array, certificate: SmimeCertificate): boolean {
  if (equalBytes(issuer, certificate.issuer)) return true
  const parsed = parseBer(issuer)
  if (!parsed.ok) return false
  try {
    return nameKey(readName(parsed.value)) === certificate.issuerKey
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}

/** For reports: which key a message is for. */
export function describeEntityId(id: EntityId): string {
  switch (id.kind) {
    case 'issuer-serial':
      return `serial ${hex(id.serial.subarray(2))}`
    case 'key-id':
      return `key ${hex(id.keyId)}`
  }
}

/** IssuerAndSerialNumber of a certificate (RFC 5652 §10.2.4). */
export const issuerAndSerial = (certificate: SmimeCertificate): Uint8Array =>
  sequence(certificate.issuer, certificate.serial)
