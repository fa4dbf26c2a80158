/**
 * The provider's own certificate authority: it vouches to correspondents for the keys of its users. Certificates are
 * written by our own few lines of DER (protection/smime/x509/write-certificate.ts).
 */
import { type KeyObject, generateKeyPair, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { promisify } from 'node:util'
import { type Address, parseDomain } from '../message/address.ts'
import type { KeyKind } from '../protection/key-kinds.ts'
import { type SmimeCertificate, parseCertificate, usageFor } from '../protection/smime/x509/certificate.ts'
import { EMAIL_PROTECTION, KEY_USAGE } from '../protection/smime/x509/extensions.ts'
import { writeCertificatePem, writePrivateKeyPem } from '../protection/smime/key-files/pem.ts'
import {
  COMMON_NAME,
  DOMAIN_COMPONENT,
  authorityKeyIdentifier,
  basicConstraints,
  dnsName,
  extendedKeyUsage,
  ipAddressName,
  keyIdOf,
  keyUsage,
  mailboxName,
  subjectAltName,
  subjectKeyIdentifier,
  writeCertificate,
  writeName,
} from '../protection/smime/x509/write-certificate.ts'

export interface Authority {
  /** DER. */
  readonly certificate: Uint8Array
  readonly key: KeyObject
}

export const AUTHORITY_VALIDITY_DAYS = 20 * 365
export const TLS_VALIDITY_DAYS = 825 // more is refused by Apple's clients even for certificates the user trusts
/** Clocks of correspondents may be behind ours. */
const NOT_BEFORE_MARGIN_MS = 60 * 60_000
const DAY_MS = 24 * 60 * 60_000
const SERIAL_BYTES = 16 // 126 random bits; the Baseline Requirements ask for 64

/**
 * Makes the authority of a domain. RSA-3072 by default, because every client verifies it, verifying is what
 * correspondents do with each mail (a third of the time that P-256 takes), and its slow making and signing happen once a
 * domain and once a certificate. Name constraints are deliberately absent: gpgsm refuses certificates that have them.
 */
export async function createAuthority(o: {
  readonly domain: string
  readonly nowMs: number
  readonly algorithm?: 'rsa-3072' | 'ec-p256'
}): Promise<Authority> {
  const domain = parseDomain(o.domain)
  if (domain === undefined) throw new TypeError(`not a domain: ${o.domain}`)
  const { privateKey, publicKey } = await generateKey(o.algorithm ?? 'rsa-3072')
  const components = domain.split('.').toReversed()
  const name = writeName([
    ...components.map((label) => [DOMAIN_COMPONENT, label] as const), // RFC 2247: no bound on the whole, unlike O and CN
    [COMMON_NAME, 'Mail certification authority'],
  ])
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const certificate = writeCertificate(
    {
      serial: randomSerial(),
      issuer: name,
      subject: name,
      ...validity(o.nowMs, AUTHORITY_VALIDITY_DAYS),
      spki,
      extensions: [
        basicConstraints(0),
        keyUsage(KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign),
        subjectKeyIdentifier(keyIdOf(spki)),
      ],
    },
    privateKey,
  )
  return { certificate, key: privateKey }
}

/**
 * Issues a user's certificate in the manner of the CA/Browser Forum's S/MIME Baseline Requirements, profile
 * mailbox-validated: one address, and the key's own uses. Their policy identifiers are left out: they claim an audit. Ends with the authority's certificate at the latest. Throws when the address or the key is not usable.
 */
export async function issueMailCertificate(
  authority: Authority,
  o: {
    readonly address: Address
    readonly publicKey: KeyObject
    readonly nowMs: number
    readonly validityDays: number
  },
): Promise<Uint8Array> {
  const issuer = parseOwn(authority.certificate)
  const times = validity(o.nowMs, o.validityDays)
  const spki = o.publicKey.export({ type: 'spki', format: 'der' })
  const subject = subjectFor(o.address)
  return writeCertificate(
    {
      serial: randomSerial(),
      issuer: issuer.subjectName,
      subject: writeName(subject),
      notBeforeMs: Math.max(times.notBeforeMs, issuer.notBeforeMs),
      notAfterMs: Math.min(times.notAfterMs, issuer.notAfterMs),
      spki,
      extensions: [
        keyUsage(mailUsage(o.publicKey)),
        extendedKeyUsage([EMAIL_PROTECTION]),
        subjectAltName([mailboxName(o.address)], subject.length === 0),
        subjectKeyIdentifier(keyIdOf(spki)),
        authorityKeyIdentifier(issuer.subjectKeyId ?? keyIdOf(issuer.spki)),
      ],
    },
    authority.key,
  )
}

/** A self-signed certificate for our own listeners. `hosts` are names or IP addresses, the first one names it. */
export async function createTlsCertificate(o: {
  readonly hosts: readonly string[]
  readonly nowMs: number
}): Promise<{ readonly certificatePem: string; readonly keyPem: string }> {
  const { privateKey, publicKey } = await generateKey('ec-p256')
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const [first] = o.hosts
  if (first === undefined) throw new TypeError('a TLS certificate needs a host')
  const name = writeName([[COMMON_NAME, first.slice(0, COMMON_NAME_MAX)]])
  const certificate = writeCertificate(
    {
      serial: randomSerial(),
      issuer: name,
      subject: name,
      ...validity(o.nowMs, TLS_VALIDITY_DAYS),
      spki,
      extensions: [
        basicConstraints(undefined),
        keyUsage(KEY_USAGE.digitalSignature),
        extendedKeyUsage([SERVER_AUTHENTICATION]),
        subjectAltName(o.hosts.map(hostName), false),
        subjectKeyIdentifier(keyIdOf(spki)),
      ],
    },
    privateKey,
  )
  return { certificatePem: writeCertificatePem(certificate), keyPem: writePrivateKeyPem(privateKey) }
}

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1'
const COMMON_NAME_MAX = 64 // characters; ub-common-name of RFC 5280 appendix A.1

const generate = promisify(generateKeyPair)

/** Runs in Node's thread pool: several at once do not wait for each other. */
export async function generateKey(kind: KeyKind): Promise<KeyPair> {
  switch (kind) {
    case 'rsa-2048':
    case 'rsa-3072':
    case 'rsa-4096':
      return generate('rsa', { modulusLength: Number(kind.slice('rsa-'.length)) })
    case 'ec-p256':
      return generate('ec', { namedCurve: 'prime256v1' })
    case 'ec-p384':
      return generate('ec', { namedCurve: 'secp384r1' })
    case 'ec-p521':
      return generate('ec', { namedCurve: 'secp521r1' })
    case 'ed25519':
    case 'x25519':
    case 'ed448':
    case 'x448':
    case 'ml-dsa-65':
    case 'ml-dsa-87':
    case 'ml-kem-768':
    case 'ml-kem-1024':
      return generate(kind as 'ed25519')
  }
}

function mailUsage(key: KeyObject): number {
  const usage = usageFor(key)
  if (usage === 0) throw new TypeError(`no mail certificate for a key of type ${key.asymmetricKeyType ?? 'unknown'}`)
  return usage
}

/** The address where it fits into a commonName, else an empty subject, which makes the subjectAltName critical. */
function subjectFor(address: Address): readonly (readonly [string, string])[] {
  return address.length <= COMMON_NAME_MAX ? [[COMMON_NAME, address]] : []
}

/** Positive, and of the same length always. */
function randomSerial(): Uint8Array {
  const serial = randomBytes(SERIAL_BYTES)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  return serial
}

function validity(nowMs: number, days: number): { notBeforeMs: number; notAfterMs: number } {
  return { notBeforeMs: nowMs - NOT_BEFORE_MARGIN_MS, notAfterMs: nowMs + days * DAY_MS }
}

function parseOwn(der: Uint8Array): SmimeCertificate {
  const parsed = parseCertificate(der)
  if (!parsed.ok) throw new TypeError(`the authority's certificate: ${parsed.error}`)
  return parsed.value
}

function hostName(host: string): Uint8Array {
  const octets = addressOctets(host)
  if (octets !== undefined) return ipAddressName(octets)
  const ascii = domainToASCII(host)
  if (ascii === '') throw new TypeError(`not a host: ${host}`)
  return dnsName(ascii)
}

/** Octets of an IPv4 or IPv6 address; `undefined` for a name. */
function addressOctets(host: string): Uint8Array | undefined {
  switch (isIP(host)) {
    case 4:
      return Uint8Array.from(host.split('.').map(Number))
    case 6: {
      const normal = new URL(`http://[${host}]`).hostname.slice(1, -1) // hexadecimal throughout
      const [front = '', back] = normal.split('::')
      const groups = (text: string): number[] =>
        text === '' ? [] : text.split(':').map((part) => Number.parseInt(part, 16))
      const zeros = back === undefined ? 0 : 8 - groups(front).length - groups(back).length
      const all = [...groups(front), ...Array.from({ length: zeros }, () => 0), ...groups(back ?? '')]
      return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]))
    }
    default:
      return undefined
  }
}
