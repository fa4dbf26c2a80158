/**
 * What RFC 5280 §4 makes the duty of whoever issues a certificate. Path validation (§6) would not notice the neglect of it; a
 * certificate whose issuer is that careless is not believed (decision 0052).
 */
import { isIP } from 'node:net'
import { TAG } from '../asn1/tlv.ts'
import { derNode } from '../asn1/der-fields.ts'
import { type SmimeCertificate, findExtension } from './certificate.ts'
import { EXTENSION, readAltNames } from './extensions.ts'

const SERIAL_MAX_BYTES = 20 // RFC 5280 §4.1.2.2

/**
 * One sentence about the first duty that the issuer of `certificate` has neglected. Of a trust anchor name and key count (§6.1.1
 * (d)), and roots that everybody has are numbered 0 or do not name their key; with `strict` they have to name it, and
 * extensions are critical which must be. Throws Malformed.
 */
export function neglectedDuty(certificate: SmimeCertificate, isAnchor: boolean, strict: boolean): string | undefined {
  const { content } = derNode(certificate.serial, TAG.INTEGER, 'serialNumber')
  if (((content[0] ?? 0) & 0x80) !== 0) return 'the serial number is negative'
  if (isAnchor && !strict) return undefined
  return (
    (isAnchor ? undefined : serialProblem(content)) ??
    keyIdProblem(certificate, isAnchor) ??
    altNameProblem(certificate) ??
    (strict ? criticalityProblem(certificate) : undefined)
  )
}

function serialProblem(content: Uint8Array): string | undefined {
  if (content.every((octet) => octet === 0)) return 'the serial number is zero'
  const octets = content[0] === 0 ? content.length - 1 : content.length
  return octets > SERIAL_MAX_BYTES ? 'the serial number is too long' : undefined
}

/** RFC 5280 §4.2.1.1, §4.2.1.2; what is older than version 3 has nowhere to say it, and what signs itself need not. */
function keyIdProblem(certificate: SmimeCertificate, isAnchor: boolean): string | undefined {
  const { version, authorityKeyId, subjectKeyId, isAuthority, selfIssued } = certificate
  if (version < 3) return undefined
  if (authorityKeyId === undefined && !(isAnchor && selfIssued))
    return 'the certificate does not name the key that signed it'
  return isAuthority && subjectKeyId === undefined ? 'the authority does not name its key' : undefined
}

/** RFC 5280 §4.2.1.9 to §4.2.1.11, §4.2.1.14. */
const CRITICAL_IN_AUTHORITIES = [
  'basicConstraints',
  'nameConstraints',
  'policyConstraints',
  'inhibitAnyPolicy',
] as const

function criticalityProblem(certificate: SmimeCertificate): string | undefined {
  if (!certificate.isAuthority) return undefined
  const uncritical = CRITICAL_IN_AUTHORITIES.find(
    (extension) => findExtension(certificate, EXTENSION[extension])?.critical === false,
  )
  return uncritical === undefined ? undefined : `${uncritical} must be critical, and is not`
}

function altNameProblem(certificate: SmimeCertificate): string | undefined {
  const extension = findExtension(certificate, EXTENSION.subjectAltName)
  if (extension === undefined) return undefined
  if (certificate.subjectKey === '' && !extension.critical)
    return 'the only names of the certificate are in an extension that is not critical' // RFC 5280 §4.1.2.6
  const strange = readAltNames(extension.value).find((name) => name.kind === 'dns' && !isHostName(name.text))
  return strange === undefined ? undefined : 'a host name in the certificate is none'
}

/** The preferred name syntax that RFC 5280 §4.2.1.6 demands, perhaps with a wildcard in front. */
function isHostName(text: string): boolean {
  const host = text.replace(/^\*\./, '')
  return host.length <= 253 && isIP(host) === 0 && host.split('.').every((label) => LABEL.test(label))
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
