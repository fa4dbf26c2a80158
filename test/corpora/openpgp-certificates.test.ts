/** Certificates that others have made: what is believed of them, and when. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { unarmored } from '../../src/protection/openpgp/armor.ts'
import type { OpenpgpCertificate } from '../../src/protection/openpgp/certificate/certificate.ts'
import { FEATURE, preferencesAt } from '../../src/protection/openpgp/certificate/preferences.ts'
import { readOpenpgpCertificate } from '../../src/protection/openpgp/certificate/read.ts'
import {
  componentStateAt,
  encryptionComponents,
  signingComponent,
  stateAt,
} from '../../src/protection/openpgp/certificate/state.ts'
import { CORPORA } from '../support/corpora.ts'

const NOW_MS = Date.UTC(2027, 0, 1)
const INTEROP = 'openpgp-interop/data'
const EDGES = 'rnp/src/tests/data/test_key_edge_cases'
const PQC = 'openpgp-pqc/test-vectors'

const read = (file: string) => readOpenpgpCertificate(unarmored(readFileSync(join(CORPORA, file))))

function certificate(file: string): OpenpgpCertificate {
  const result = read(file)
  assert.ok(result.ok, result.ok ? '' : result.error)
  return result.value
}

/** What each key may do now: s(ign), e(ncrypt), - for neither. */
const uses = (read: OpenpgpCertificate, atMs: number): string =>
  read.components
    .map(({ packet }) => {
      const signs = signingComponent(read, packet.fingerprint, atMs)?.state.valid === true
      const encrypts = encryptionComponents(read, atMs).some((each) => each.packet === packet)
      return `${packet.algorithmName}:${signs ? 's' : ''}${encrypts ? 'e' : ''}`
    })
    .join(' ')

const cases: readonly [file: string, uses: string, address: string | undefined, verdict: string][] = [
  [`${INTEROP}/certificates/alice.pgp`, 'ed25519:s x25519:e', 'alice@openpgp.example', 'valid'],
  [`${INTEROP}/certificates/bob.pgp`, 'rsa-3072:s rsa-3072:e', 'bob@openpgp.example', 'valid'],
  [`${INTEROP}/certificates/carol.pgp`, 'dsa-3072:s elgamal-3072:', 'carol@openpgp.example', 'valid'],
  [`${INTEROP}/certificates/ricarda.pgp`, 'rsa-3072: rsa-3072:e rsa-3072:s', 'ricarda@openpgp.example', 'valid'],
  ['autocrypt/doc/appendix/alice@autocrypt.example.pub.asc', 'ed25519: x25519:', 'alice@autocrypt.example', 'expired'],
  [`${PQC}/v4-eddsa-sample-pk.asc`, 'ed25519:s ml-kem-768+x25519:e', 'pqc-test-key@example.com', 'valid'],
  [`${PQC}/v6-eddsa-sample-pk.asc`, 'ed25519:s ml-kem-768+x25519:e', 'pqc-test-key@example.com', 'valid'],
  [`${PQC}/v6-mldsa-65-sample-pk.asc`, 'ml-dsa-65+ed25519:s ml-kem-768+x25519:e', 'pqc-test-key@example.com', 'valid'],
  [`${PQC}/v6-mldsa-87-sample-pk.asc`, 'ml-dsa-87+ed448:s ml-kem-1024+x448:e', 'pqc-test-key@example.com', 'valid'],
  [
    `${PQC}/v6-slhdsa-128s-sample-pk.asc`,
    'slh-dsa-shake-128s:s ml-kem-768+x25519:e',
    'pqc-test-key@example.com',
    'valid',
  ],
  [
    `${PQC}/v6-slhdsa-256s-sample-pk.asc`,
    'slh-dsa-shake-256s:s ml-kem-1024+x448:e',
    'pqc-test-key@example.com',
    'valid',
  ],
  ['pgpainless/assets/test_vectors/keys/emil_pub.asc', 'ec-p256:s ec-p256:e', 'emil@email.user', 'valid'],
  ['gopenpgp/crypto/testdata/key_revoked', 'rsa-2048: rsa-2048:', 'sending-pref11@proton.black', 'revoked'],
  [`${EDGES}/alice-rev-no-reason.pgp`, 'ed25519:', 'alice@rnp', 'revoked'],
  [`${EDGES}/alice-wrong-mpi-bit-count.pgp`, 'ed25519:s', 'alice@rnp', 'valid'],
  [`${EDGES}/alice-2-subs-same-grip.pgp`, 'ed25519:s ec-brainpoolp256r1:e', 'alice@rnp', 'valid'],
  [`${EDGES}/renee-new-expiration-pub.asc`, 'rsa-3072:s rsa-3072:e', 'renee@example.com', 'valid'],
  [`${EDGES}/key-critical-notations.pgp`, 'ed25519: x25519:', undefined, 'untrusted'],
  [`${EDGES}/key-empty-uid.pgp`, 'ed25519:', undefined, 'untrusted'],
  [`${EDGES}/key-unhashed-subpkts.pgp`, 'rsa-1024:s rsa-1024: dsa-1024: rsa-1024:', undefined, 'valid'],
]

/** Of each, the certificate that is revoked; and `.sk`, of which a subkey is. */
const reasons: readonly [name: string, hard: boolean][] = [
  ['compromised', true],
  ['unspecified', true],
  ['no_subpacket', true],
  ['unknown', true],
  ['private', true],
  ['superseded', false],
  ['key_retired', false],
  ['uid_retired', false],
]

describe('OpenPGP certificates of others', { skip: !existsSync(CORPORA) && 'no corpora' }, () => {
  for (const [file, expected, address, verdict] of cases)
    test(file, () => {
      const read = certificate(file)
      const state = stateAt(read, NOW_MS)
      assert.equal(uses(read, NOW_MS), expected)
      assert.deepEqual(read.addresses, address === undefined ? [] : [address])
      assert.equal(state.valid ? 'valid' : state.verdict, verdict)
    })

  for (const [name, hard] of reasons)
    test(`revoked: ${name}`, () => {
      const whole = certificate(`${INTEROP}/revoked-key/revoked-key-cert-revoked-${name}.pgp`)
      const ofSubkey = certificate(`${INTEROP}/revoked-key/revoked-key-cert-revoked-${name}.sk.pgp`)
      const [revocation] = whole.components[0]?.revocations ?? []
      assert.equal(revocation?.hard, hard)
      const beforeMs = revocation.createdMs - 1000
      assert.equal(stateAt(whole, NOW_MS).valid, false)
      assert.equal(stateAt(whole, beforeMs).valid, !hard)
      assert.deepEqual([whole.canSign, whole.canEncrypt], [false, false])
      const subkey = ofSubkey.components.find(({ revocations }) => revocations.length > 0)
      assert.ok(subkey !== undefined && stateAt(ofSubkey, NOW_MS).valid)
      assert.equal(componentStateAt(ofSubkey, subkey, NOW_MS).valid, false)
      assert.equal(componentStateAt(ofSubkey, subkey, beforeMs).valid, !hard)
    })

  test('preferences and features are those of the primary user id, or of the key', () => {
    const v6 = preferencesAt(certificate(`${PQC}/v6-mldsa-65-sample-pk.asc`), NOW_MS)
    assert.deepEqual(
      [v6.ciphers, v6.aead, v6.features],
      [[9, 7], [[9, 2], [7, 2]], FEATURE.SEIPD1 | FEATURE.SEIPD2], // prettier-ignore
    )
    const v4 = preferencesAt(certificate(`${INTEROP}/certificates/alice.pgp`), NOW_MS)
    assert.deepEqual([v4.ciphers, v4.aead, v4.features], [[9, 8, 7, 2], [], FEATURE.SEIPD1])
  })

  const refused: readonly [file: string, why: RegExp][] = [
    [`${INTEROP}/certificates/john.pgp`, /version 3/],
    [`${INTEROP}/certificates/alice-secret.pgp`, /no public key/],
    [`${EDGES}/alice-2-keys-same-grip.pgp`, /several keys/],
    [`${EDGES}/key-empty-packets.pgp`, /too early/],
  ]
  for (const [file, why] of refused)
    test(`refused: ${file}`, () => {
      const result = read(file)
      assert.match(result.ok ? 'read' : result.error, why)
    })
})
