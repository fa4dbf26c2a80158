/** OpenPGP certificates of our users, from the first day to the last: made, renewed, revoked, exchanged. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { parseDomain, type Domain } from '../message/address.ts'
import { standardNamed } from '../protection/jobs.ts'
import type { Certificate } from '../protection/standard.ts'
import { listAudit } from '../store/audit.ts'
import { address, openSqliteStore, START_MS, type Opened } from '../store/conformance/fixture.ts'
import { TrustAnchors } from './anchors.ts'
import { enrol, establishAuthority, rotateKey, type EnrolDeps, type KeyOrder } from './enrol.ts'
import { makeOpenpgpKey, renewedOpenpgpKey, revokedOpenpgpKey } from './openpgp-keys.ts'
import { PrivateKeys } from './private-keys.ts'
import { PublicKeys } from './public-keys.ts'
import { keepUpKeys } from './upkeep.ts'

const DAY_MS = 24 * 60 * 60_000
const AZUMA = address('t-azuma@biglobe.ne.jp')
const SUZUKI = address('u-suzuki@abc.com')
const RULES = { openpgp: 'v4', validityDays: 365 } as const

async function provider(t: TestContext, more: Partial<KeyOrder> = {}): Promise<Opened & { deps: EnrolDeps }> {
  const opened = await openSqliteStore(t)
  const { store, clock } = opened
  const biglobe = parseDomain('biglobe.ne.jp') as Domain
  const deps = {
    store,
    privateKeys: new PrivateKeys(store, clock),
    publicKeys: new PublicKeys(store),
    anchors: new TrustAnchors(store),
    domains: [biglobe],
  }
  await establishAuthority(deps, { domain: biglobe, nowMs: START_MS, actor: 'test' })
  const order = { address: AZUMA, algorithms: ['ec-p256'], openpgp: 'v4', validityDays: 365, nowMs: START_MS } as const
  const enrolled = await enrol(deps, { ...order, actor: 'test', passwordHash: '$argon2id$', ...more })
  assert.ok(enrolled.ok)
  return { ...opened, deps }
}

async function openpgpOf({ publicKeys }: EnrolDeps): Promise<readonly Certificate[]> {
  const known = await publicKeys.known(AZUMA)
  return known.map(({ certificate }) => certificate).filter(({ standard }) => standard === 'openpgp')
}

test('a user has an OpenPGP certificate beside the S/MIME one: one signs with each, and mail is encrypted to each', async (t) => {
  const { deps } = await provider(t)
  const [certificate] = await openpgpOf(deps)
  assert.deepEqual(certificate?.addresses, [AZUMA])
  assert.equal(certificate.notAfterMs, START_MS + 365 * DAY_MS)
  const signing = await deps.privateKeys.signingKeys(AZUMA)
  assert.deepEqual(signing.map((own) => own.certificate.standard).toSorted(), ['openpgp', 'smime'])
  const parts = signing.flatMap(({ subkeys = [] }) => subkeys)
  assert.equal(parts.length, 3, 'primary key, one that signs, one that decrypts')
  const usable = async (standards: ('smime' | 'openpgp')[]) =>
    (await deps.publicKeys.encryptionCertificates(AZUMA, START_MS, standards)).map(({ standard }) => standard)
  assert.deepEqual(await usable(['smime', 'openpgp']), ['smime', 'openpgp'])
  assert.deepEqual(await usable(['openpgp', 'smime']), ['openpgp', 'smime'])
  const sent = await deps.publicKeys.certificatesOfSender(
    signing.map((own) => own.certificate),
    AZUMA,
    START_MS,
  )
  assert.deepEqual(sent.map(({ standard }) => standard).toSorted(), ['openpgp', 'smime'])
})

test('what revokes it lies beside its key, and opens only there', async (t) => {
  const { deps } = await provider(t)
  const [own] = (await deps.privateKeys.keysOf(AZUMA)).filter(({ certificate }) => certificate.standard === 'openpgp')
  assert.ok(own)
  const revocation = await deps.privateKeys.revocationOf(AZUMA, own.certificate.fingerprint)
  assert.ok(revocation)
  const revoked = revokedOpenpgpKey(own, { revocation, nowMs: START_MS })
  assert.ok(revoked.ok)
  const signs = (certificate: Certificate): boolean => standardNamed('openpgp').canSignWith(certificate, START_MS)
  assert.deepEqual([signs(own.certificate), signs(revoked.value)], [true, false])
  const [other] = (await deps.privateKeys.keysOf(AZUMA)).filter(({ certificate }) => certificate.standard === 'smime')
  assert.equal(await deps.privateKeys.revocationOf(AZUMA, other?.certificate.fingerprint ?? ''), undefined)
  const madeNow = revokedOpenpgpKey(own, { revocation: undefined, nowMs: START_MS })
  assert.equal(madeNow.ok && signs(madeNow.value), false, 'or made with the key itself')
})

test('whoever has none is given one, once; whoever is not to have one is not', async (t) => {
  const { deps, store } = await provider(t, { openpgp: 'off' })
  assert.deepEqual(await openpgpOf(deps), [])
  await keepUpKeys(deps, { ...RULES, openpgp: 'off' }, START_MS)
  assert.deepEqual(await openpgpOf(deps), [])
  for (const nowMs of [START_MS, START_MS + 1]) await keepUpKeys(deps, RULES, nowMs)
  assert.equal((await openpgpOf(deps)).length, 1)
  const rows = (await listAudit(store.db, { limit: 100 })).filter(({ operation }) => operation === 'key make')
  assert.equal(rows.length, 1)
  const signing = await deps.privateKeys.signingKeys(AZUMA)
  assert.deepEqual(signing.map(({ certificate }) => certificate.standard).toSorted(), ['openpgp', 'smime'])
})

test('before it runs out it is renewed, in 221 and in 222: the same certificate, with another end', async (t) => {
  const { deps, store, clock } = await provider(t)
  const [before] = await openpgpOf(deps)
  assert.ok(before)
  await keepUpKeys(deps, RULES, START_MS + 200 * DAY_MS)
  assert.equal((await openpgpOf(deps))[0]?.notAfterMs, before.notAfterMs, 'not long before')
  clock.now = START_MS + 300 * DAY_MS
  for (const nowMs of [clock.now, clock.now + 1]) await keepUpKeys(deps, RULES, nowMs)
  const [after, ...more] = await openpgpOf(deps)
  assert.deepEqual([after?.fingerprint, more.length], [before.fingerprint, 0])
  assert.equal(after?.notAfterMs, clock.now + 365 * DAY_MS)
  clock.now = before.notAfterMs + DAY_MS
  const own = (await deps.privateKeys.signingKeys(AZUMA)).find(({ certificate }) => certificate.standard === 'openpgp')
  assert.equal(own?.certificate.notAfterMs, after.notAfterMs, 'it signs on')
  assert.equal(own.subkeys?.length, 3)
  assert.equal(
    (await listAudit(store.db, { limit: 100 })).filter(({ operation }) => operation === 'key renew').length,
    1,
  )
})

test('a retired key is not renewed, and not replaced by itself; it opens old mail for ever', async (t) => {
  const { deps } = await provider(t)
  const [certificate] = await openpgpOf(deps)
  assert.ok(certificate)
  await deps.store.commit((tx) => deps.privateKeys.retire(tx, certificate.fingerprint, START_MS))
  await keepUpKeys(deps, RULES, START_MS + 400 * DAY_MS)
  assert.deepEqual(
    (await openpgpOf(deps)).map(({ notAfterMs }) => notAfterMs),
    [certificate.notAfterMs],
  )
  const opening = await deps.privateKeys.decryptionKeys(AZUMA)
  assert.ok(opening.some((own) => own.certificate.fingerprint === certificate.fingerprint))
})

test('new keys of one standard leave those of the other alone', async (t) => {
  const { deps, clock } = await provider(t)
  const before = await deps.privateKeys.signingKeys(AZUMA)
  clock.now += DAY_MS
  const order = { address: AZUMA, algorithms: ['ec-p256'], openpgp: 'v6', validityDays: 365, nowMs: clock.now } as const
  const rotated = await rotateKey(deps, { ...order, actor: 'test', standard: 'openpgp' })
  assert.deepEqual(rotated.ok && rotated.value.certificates.map(({ standard }) => standard), ['openpgp'])
  const after = await deps.privateKeys.signingKeys(AZUMA)
  const print = (standard: string, of: typeof after) =>
    of.find(({ certificate }) => certificate.standard === standard)?.certificate.fingerprint
  assert.equal(print('smime', after), print('smime', before))
  assert.notEqual(print('openpgp', after), print('openpgp', before))
  assert.equal(print('openpgp', after)?.length, 64, 'a fingerprint of version 6')
})

test('222 merges what comes of a certificate: nothing older undoes a longer life, and nothing at all a revocation', async (t) => {
  const { deps } = await provider(t)
  const made = makeOpenpgpKey({ profile: 'v4', address: SUZUKI, validityDays: 10, nowMs: START_MS })
  const own = { ...made, chain: [] }
  const renewed = renewedOpenpgpKey(own, { validityDays: 100, nowMs: START_MS + DAY_MS })
  const revoked = revokedOpenpgpKey(own, { revocation: made.revocation, nowMs: START_MS })
  assert.ok(renewed.ok && revoked.ok)
  const add = (certificate: Certificate, trust: 'found' | 'candidate' | 'confirmed') =>
    deps.store.commit((tx) =>
      deps.publicKeys.add(tx, { address: SUZUKI, certificate, trust, source: 'harvested', nowMs: START_MS }),
    )
  const state = async () => {
    const [only, ...more] = await deps.publicKeys.known(SUZUKI)
    assert.equal(more.length, 0)
    const usable = await deps.publicKeys.encryptionCertificates(SUZUKI, START_MS + 50 * DAY_MS)
    return [only?.certificate.fingerprint === made.certificate.fingerprint, only?.trust, usable.length]
  }
  await add(made.certificate, 'found')
  assert.deepEqual(await state(), [true, 'found', 0], 'it has run out by then')
  await add(renewed.value, 'candidate')
  assert.deepEqual(await state(), [true, 'found', 1], 'its owner has said so, whoever brings it')
  await add(made.certificate, 'confirmed')
  assert.deepEqual(await state(), [true, 'confirmed', 1], 'an old copy takes nothing back')
  await add(revoked.value, 'candidate')
  await add(renewed.value, 'confirmed')
  assert.deepEqual(await state(), [true, 'confirmed', 0], 'revoked is revoked')
})
