/**
 * Revoking a certificate reaches every other encoding of it. Whoever holds a certificate with an ECDSA signature (r, s)
 * can write it with (r, n - s): just as valid, with another fingerprint.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNED_AT_MS, protectedMail, receive } from '../../test/support/protected-mail.ts'
import { parseDer } from '../protection/smime/asn1/der-reader.ts'
import { bitString, der, sequence } from '../protection/smime/asn1/der-writer.ts'
import { TAG } from '../protection/smime/asn1/tlv.ts'
import { type SmimeCertificate, parseCertificate } from '../protection/smime/x509/certificate.ts'
import { address, openSqliteStore } from '../store/conformance/fixture.ts'
import { createAuthority, generateKey, issueMailCertificate } from './certificate-authority.ts'
import { PublicKeys } from './public-keys.ts'

const ALICE = address('alice@example.com')
/** Order of the group of P-256 (SEC 2). */
const N = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')

function parse(encoded: Uint8Array): SmimeCertificate {
  const parsed = parseCertificate(encoded)
  assert(parsed.ok, parsed.ok ? '' : parsed.error)
  return parsed.value
}

function positive(value: bigint): Uint8Array {
  const hex = value.toString(16)
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return der(TAG.INTEGER, (octets[0] ?? 0) < 0x80 ? octets : Buffer.concat([Uint8Array.of(0), octets]))
}

/** The same certificate, signed as validly. */
function twinOf(certificate: SmimeCertificate): SmimeCertificate {
  const signature = parseDer(certificate.signature)
  assert(signature.ok)
  const [r, s] = signature.value.children
  assert(r !== undefined && s !== undefined)
  const other = positive(N - BigInt(`0x${Buffer.from(s.content).toString('hex')}`))
  return parse(sequence(certificate.tbs, certificate.signatureAlgorithm, bitString(sequence(r.raw, other))))
}

async function enrolAlice() {
  const authority = await createAuthority({ domain: 'example.com', nowMs: SIGNED_AT_MS, algorithm: 'ec-p256' })
  const { publicKey, privateKey: key } = await generateKey('ec-p256')
  const order = { address: ALICE, publicKey, nowMs: SIGNED_AT_MS, validityDays: 30 }
  const certificate = parse(await issueMailCertificate(authority, order))
  const anchor = { certificate: parse(authority.certificate), chain: [], key: authority.key }
  return { anchor, certificate, twin: twinOf(certificate), key }
}

test('a signature under the other encoding of a revoked certificate is revoked as well', async () => {
  const { anchor, certificate, twin, key } = await enrolAlice()
  assert.notEqual(twin.fingerprint, certificate.fingerprint)
  assert.equal(twin.keyFingerprint, certificate.keyFingerprint)
  const header = `From: ${ALICE}\r\nContent-Type: text/plain\r\n`
  for (const signer of [certificate, twin]) {
    const mail = protectedMail({
      layering: 'sign',
      signer: { certificate: signer, chain: [], key },
      header,
      body: 'x\r\n',
    })
    const trusted = receive(mail, { keys: [], known: [], anchors: [anchor] })
    assert.equal(trusted.outcome, 'valid', trusted.report.summary.reason ?? '')
    const entry = { certificate, trust: 'confirmed' as const }
    const known = (revokedMs: number) =>
      receive(mail, { keys: [], known: [{ ...entry, revokedMs }], anchors: [anchor] })
    assert.equal(known(SIGNED_AT_MS - 1).report.summary.signature, 'revoked')
    assert.equal(known(SIGNED_AT_MS + 1).report.summary.signature, 'valid', 'not yet')
  }
})

test('nothing is encrypted to the other encoding of a revoked certificate', async (t) => {
  const { store } = await openSqliteStore(t)
  const keys = new PublicKeys(store)
  const { certificate, twin } = await enrolAlice()
  const later = await enrolAlice()
  const add = (each: SmimeCertificate) =>
    store.commit((tx) =>
      keys.add(tx, { address: ALICE, certificate: each, trust: 'chained', source: 'harvested', nowMs: SIGNED_AT_MS }),
    )
  await add(certificate)
  await add(twin)
  assert.equal((await keys.encryptionCertificates(ALICE, SIGNED_AT_MS)).length, 2)
  await store.commit((tx) => keys.revoke(tx, certificate.fingerprint, SIGNED_AT_MS))
  assert.deepEqual(await keys.encryptionCertificates(ALICE, SIGNED_AT_MS), [])
  await add(later.certificate)
  const usable = await keys.encryptionCertificates(ALICE, SIGNED_AT_MS)
  assert.deepEqual(
    usable.map(({ fingerprint }) => fingerprint),
    [later.certificate.fingerprint],
    'a new key counts',
  )
})
