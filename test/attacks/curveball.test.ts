/**
 * CurveBall (CVE-2020-0601): a public key may bring its own curve. One that takes the public key of a trusted authority for
 * the base point has the private key 1, and everybody can sign with it; a fooled program compares the public keys and not
 * the curves. RFC 5480 §2.1.1 allows named curves only.
 */
import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { bitString, der, integer, octetString, oid, sequence } from '../../src/protection/smime/asn1/der-writer.ts'
import { parseDer } from '../../src/protection/smime/asn1/der-reader.ts'
import { TAG } from '../../src/protection/smime/asn1/tlv.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { attempt } from '../../src/protection/malformed.ts'
import { readPublicKey } from '../../src/protection/smime/public-key.ts'
import { smimeIdentity } from '../support/smime-identity.ts'

const P256 = {
  p: 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff',
  a: 'ffffffff00000001000000000000000000000000fffffffffffffffffffffffc',
  b: '5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
  n: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
}
const number = (hex: string): Uint8Array => der(TAG.INTEGER, Buffer.from(`00${hex}`, 'hex'))

/** ECParameters (RFC 3279 §2.3.5) of P-256 with another base point. */
const parameters = (base: Uint8Array): Uint8Array =>
  sequence(
    integer(1),
    sequence(oid('1.2.840.10045.1.1'), number(P256.p)),
    sequence(octetString(Buffer.from(P256.a, 'hex')), octetString(Buffer.from(P256.b, 'hex'))),
    octetString(base),
    number(P256.n),
    integer(1),
  )
const spki = (curve: Uint8Array, point: Uint8Array): Uint8Array =>
  sequence(sequence(oid('1.2.840.10045.2.1'), curve), bitString(point))

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const point = Buffer.from(publicKey.export({ format: 'raw-public' }))
const GENERATOR = Buffer.from(
  '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
    '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
  'hex',
)

function isRead(key: Uint8Array): boolean {
  const parsed = parseDer(key)
  assert(parsed.ok)
  return attempt(() => readPublicKey(parsed.value)).ok
}

test('OpenSSL would take the curve that the attacker chose', () => {
  const chosen = createPublicKey({ key: Buffer.from(spki(parameters(GENERATOR), point)), format: 'der', type: 'spki' })
  assert.equal(chosen.asymmetricKeyType, 'ec')
})

test('a key with a curve of its own is none, be it the right one', () => {
  assert.equal(isRead(spki(oid('1.2.840.10045.3.1.7'), point)), true)
  for (const curve of [parameters(point), parameters(GENERATOR), der(TAG.NULL), sequence()])
    assert.equal(isRead(spki(curve, point)), false)
})

test('nor is a certificate with such a key, so that it can neither be an authority nor sign a mail', () => {
  const { certificate } = smimeIdentity('p256', 'alice@peer.example')
  const encoded = Buffer.from(certificate.encoded)
  const at = encoded.indexOf(certificate.spki)
  const own = Buffer.from(certificate.publicKey.export({ format: 'raw-public' }))
  const parsed = parseDer(encoded)
  assert(at > 0 && parsed.ok)
  const [tbs, ...rest] = parsed.value.children
  const fields = tbs?.children.map(({ raw }) =>
    Buffer.from(certificate.spki).equals(raw) ? spki(parameters(own), own) : raw,
  )
  const forged = sequence(sequence(...(fields ?? [])), ...rest.map(({ raw }) => raw))
  const refused = parseCertificate(forged)
  assert.deepEqual(refused, { ok: false, error: 'elliptic curve is not a named one' })
})
