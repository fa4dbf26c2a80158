/** Whose signatures count, and when (decision 0045). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNED_AT_MS } from '../../../../test/support/protected-mail.ts'
import { CREATED_MS, type OpenpgpIdentity, openpgpIdentity } from '../../../../test/support/openpgp-identity.ts'
import type { CameWith, KeyRing, KnownCertificate } from '../../standard.ts'
import { type REVOCATION_REASON, makeRevocation, revokeCertificate } from '../certificate/change.ts'
import type { OpenpgpCertificate } from '../certificate/certificate.ts'
import { judge } from './judge.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const alice = openpgpIdentity('alice@example.com')
const ends = openpgpIdentity('alice@example.com', 'v4', { expiresMs: SIGNED_AT_MS - DAY_MS })

const known = (certificate: OpenpgpCertificate, more: Partial<KnownCertificate> = {}): KeyRing => ({
  decryptionKeys: [],
  anchors: [],
  known: [{ certificate, trust: 'confirmed', ...more }],
})
const came = (own: OpenpgpIdentity, signingTimeMs: number, expiresMs?: number): CameWith => ({
  carried: [],
  signedBy: own.subkeys[1]?.fingerprint ?? '',
  signingTimeMs,
  ...(expiresMs === undefined ? {} : { expiresMs }),
})

function revoked(own: OpenpgpIdentity, reason: keyof typeof REVOCATION_REASON, atMs: number): OpenpgpCertificate {
  const revocation = makeRevocation(own.certificate, own.subkeys, { reason, atMs })
  assert.ok(revocation.ok)
  const certificate = revokeCertificate(own.certificate, revocation.value)
  assert.ok(certificate.ok)
  return certificate.value
}

const compromised = revoked(alice, 'compromised', SIGNED_AT_MS)
const retired = revoked(alice, 'retired', SIGNED_AT_MS)

const cases: readonly [certificate: OpenpgpCertificate, came: CameWith, verdict: string, why: string][] = [
  [alice.certificate, came(alice, SIGNED_AT_MS), 'trusted', 'known, in its time'],
  [alice.certificate, came(alice, SIGNED_AT_MS + DAY_MS / 2), 'trusted', 'a clock that is fast'],
  [alice.certificate, came(alice, SIGNED_AT_MS + 2 * DAY_MS), 'untrusted', 'from the future'],
  [alice.certificate, came(alice, CREATED_MS - 1000), 'expired', 'before the key was made'],
  [alice.certificate, came(alice, SIGNED_AT_MS - DAY_MS, SIGNED_AT_MS), 'expired', 'a signature that has run out'],
  [ends.certificate, came(ends, SIGNED_AT_MS - 2 * DAY_MS), 'trusted', 'signed while the key was in its time'],
  [ends.certificate, came(ends, SIGNED_AT_MS), 'expired', 'signed when it no longer was'],
  [compromised, came(alice, SIGNED_AT_MS - DAY_MS), 'revoked', 'nobody knows since when others have the key'],
  [retired, came(alice, SIGNED_AT_MS - DAY_MS), 'trusted', 'signed before the key was retired'],
  [retired, came(alice, SIGNED_AT_MS + 1000), 'revoked', 'signed when it was retired'],
  [
    alice.certificate,
    { carried: [], signedBy: alice.subkeys[2]?.fingerprint ?? '' },
    'untrusted',
    'a key to encrypt to',
  ],
  [
    alice.certificate,
    { carried: [], signedBy: alice.certificate.fingerprint },
    'untrusted',
    'a key that only certifies',
  ],
  [alice.certificate, { carried: [], signedBy: '00' }, 'untrusted', 'a key that is not of the certificate'],
]
for (const [certificate, circumstances, verdict, why] of cases)
  test(`${why}: ${verdict}`, () => {
    const finding = judge(certificate, circumstances, known(certificate), SIGNED_AT_MS)
    assert.equal(finding.trusted ? 'trusted' : finding.verdict, verdict)
  })

test('only what 222 vouches for is believed, and not what an administrator or a copy that came along has revoked', () => {
  const { certificate } = alice
  const ask = (ring: KeyRing): string => {
    const finding = judge(certificate, came(alice, SIGNED_AT_MS), ring, SIGNED_AT_MS)
    return finding.trusted ? 'trusted' : finding.verdict
  }
  for (const trust of ['own', 'confirmed', 'chained', 'found'] as const)
    assert.equal(ask(known(certificate, { trust })), 'trusted')
  assert.equal(ask(known(certificate, { trust: 'candidate' })), 'untrusted')
  assert.equal(ask({ ...known(certificate), known: [] }), 'untrusted')
  assert.equal(ask(known(certificate, { revokedMs: SIGNED_AT_MS })), 'revoked')
  const brought = judge(
    certificate,
    { ...came(alice, SIGNED_AT_MS), carried: [compromised] },
    known(certificate),
    SIGNED_AT_MS,
  )
  assert.equal(brought.trusted ? 'trusted' : brought.verdict, 'revoked')
})
