import assert from 'node:assert/strict'
import { test } from 'node:test'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { TrustAnchors } from '../keys/anchors.ts'
import { Correspondents } from '../keys/correspondents.ts'
import { PublicKeys } from '../keys/public-keys.ts'
import type { ValidationSource } from '../keys/validation-source.ts'
import type { OutboundPolicy } from '../policy/settings.ts'
import { address, openSqliteStore } from '../store/conformance/fixture.ts'
import { openStore } from '../store/database.ts'
import { KnownRecipients } from './known-recipients.ts'

const BOB = address('bob@abc.com')

test('what is known of a recipient is worked out once for RCPT and mail, and anew when a key, the policy or the time has changed', async (t) => {
  const { store, dir, masterKey, clock } = await openSqliteStore(t)
  await using other = await openStore({ dir, masterKey, clock })
  const publicKeys = new PublicKeys(store)
  let policy = { revocation: 'off', standards: ['smime'] } as Partial<OutboundPolicy> as OutboundPolicy
  const recipients = new KnownRecipients({
    store,
    publicKeys,
    correspondents: new Correspondents(store, publicKeys),
    anchors: new TrustAnchors(store),
    validation: {} as ValidationSource, // revocation is off
    policyFor: () => policy,
  })
  const { certificate } = smimeIdentity('p256', BOB)
  const nowMs = Math.max(Date.now(), certificate.notBeforeMs)
  const stranger = await recipients.of(BOB, nowMs)
  assert.equal(await recipients.of(BOB, nowMs + 4_999), stranger)

  const elsewhere = new PublicKeys(other) // as a command does in a process of its own
  await other.commit((tx) =>
    elsewhere.add(tx, { address: BOB, certificate, trust: 'confirmed', source: 'admin', nowMs }),
  )
  const known = await recipients.of(BOB, nowMs)
  assert.deepEqual([stranger.certificates.length, known.certificates.length], [0, 1])
  assert.deepEqual([stranger.notYetValid, known.notYetValid], [false, false])
  const early = await recipients.of(BOB, certificate.notBeforeMs - 1)
  assert.deepEqual([early.certificates.length, early.notYetValid], [0, true])
  policy = { ...policy, standards: ['openpgp'] }
  assert.equal((await recipients.of(BOB, certificate.notBeforeMs - 1)).notYetValid, false, 'nor would it be used later')
  policy = { ...policy, standards: ['smime'] }
  const lastMs = certificate.notAfterMs
  assert.equal((await recipients.of(BOB, lastMs)).certificates.length, 1)
  assert.equal((await recipients.of(BOB, lastMs + 1)).certificates.length, 0, 'it has run out')
  assert.equal((await recipients.of(BOB, lastMs + 1)).notYetValid, false)
  await store.commit((tx) => publicKeys.revoke(tx, certificate.fingerprint, nowMs))
  assert.equal((await recipients.of(BOB, nowMs)).certificates.length, 0)
  assert.equal((await recipients.of(BOB, certificate.notBeforeMs - 1)).notYetValid, false, 'it is revoked')

  const before = await recipients.of(BOB, nowMs)
  policy = { ...policy }
  const after = await recipients.of(BOB, nowMs)
  assert.notEqual(after, before)
  assert.notEqual(await recipients.of(BOB, nowMs + 5_000), after)
  assert.notEqual(await recipients.of(BOB, nowMs - 1), after, 'a clock that went back')
})
