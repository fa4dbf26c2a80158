/** Enrolment with everything it brings: accounts, 221, 222, anchors, on a real store and with real certificates. */
import assert from 'node:assert/strict'
import { X509Certificate, createPublicKey, privateDecrypt, publicEncrypt, sign, verify } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { parseDomain, type Domain } from '../message/address.ts'
import { parseCertificate } from '../protection/smime/x509/certificate.ts'
import type { Certificate } from '../protection/standard.ts'
import { findAccount, setAccountStatus } from '../store/accounts.ts'
import { listAudit } from '../store/audit.ts'
import { address, openSqliteStore, START_MS, type Opened } from '../store/conformance/fixture.ts'
import { openStore } from '../store/database.ts'
import { TrustAnchors } from './anchors.ts'
import { createAuthority, generateKey, issueMailCertificate } from './certificate-authority.ts'
import { enrol, establishAuthority, rotateKey, type EnrolDeps, type Enrolled } from './enrol.ts'
import { PrivateKeys } from './private-keys.ts'
import { PublicKeys } from './public-keys.ts'

const DAY_MS = 24 * 60 * 60_000
const AZUMA = address('t-azuma@biglobe.ne.jp')
const SUZUKI = address('u-suzuki@abc.com')

function domain(text: string): Domain {
  const parsed = parseDomain(text)
  assert.ok(parsed)
  return parsed
}

async function provider(t: TestContext): Promise<Opened & { deps: EnrolDeps }> {
  const opened = await openSqliteStore(t)
  const deps = depsOf(opened)
  await establishAuthority(deps, { domain: domain('biglobe.ne.jp'), nowMs: START_MS, actor: 'test' })
  return { ...opened, deps }
}

function depsOf({ store, clock }: Pick<Opened, 'store' | 'clock'>): EnrolDeps {
  return {
    store,
    privateKeys: new PrivateKeys(store, clock),
    publicKeys: new PublicKeys(store),
    anchors: new TrustAnchors(store),
    domains: [domain('biglobe.ne.jp'), domain('nec.co.us')],
  }
}

const order = (more: object = {}) => ({
  address: AZUMA,
  passwordHash: '$argon2id$',
  algorithms: ['ec-p256'] as const,
  openpgp: 'off' as const,
  validityDays: 365,
  nowMs: START_MS,
  actor: 'test',
  ...more,
})

function only({ certificates }: Enrolled): Certificate {
  const [certificate, ...more] = certificates
  assert.ok(certificate !== undefined && more.length === 0)
  return certificate
}

test('S1–S4: an address, a key pair in 221, a certificate in 222, one audit row', async (t) => {
  const { store, deps, clock } = await provider(t)
  const enrolled = await enrol(deps, order({ algorithms: ['rsa-2048'] }))
  assert.ok(enrolled.ok)
  assert.equal((await findAccount(store.db, AZUMA))?.status, 'active')
  const [own] = await deps.privateKeys.signingKeys(AZUMA)
  assert.ok(own)
  assert.deepEqual(await deps.privateKeys.signingKeys(AZUMA, clock.now - DAY_MS), [], 'not in its time yet')
  assert.equal(own.certificate.fingerprint, enrolled.value.certificates[0]?.fingerprint)
  assert.deepEqual(own.certificate.addresses, [AZUMA])
  const [known] = await deps.publicKeys.known(AZUMA)
  assert.equal(known?.trust, 'own')
  const parsed = parseCertificate(known?.certificate.encoded ?? new Uint8Array())
  assert.ok(parsed.ok)
  const secret = Buffer.from('A2')
  const [decryption] = await deps.privateKeys.decryptionKeys(AZUMA)
  assert.ok(decryption)
  assert.deepEqual(privateDecrypt(decryption.key, publicEncrypt(parsed.value.publicKey, secret)), secret)
  assert.ok(verify('sha256', secret, parsed.value.publicKey, sign('sha256', secret, own.key)))
  const [row] = await listAudit(store.db, { limit: 1 })
  assert.deepEqual([row?.operation, row?.subject], ['user add', AZUMA])
})

test('refused: a foreign domain, an address that was used', async (t) => {
  const { store, deps } = await provider(t)
  const refusal = async (more: object) => {
    const enrolled = await enrol(deps, order(more))
    return enrolled.ok ? 'enrolled' : enrolled.error
  }
  assert.equal(await refusal({ address: SUZUKI }), 'not-our-domain')
  assert.equal(await refusal({}), 'enrolled')
  assert.equal(await refusal({ address: address('T-AZUMA@biglobe.ne.jp') }), 'taken')
  await store.commit((tx) => setAccountStatus(tx, AZUMA, 'removed'))
  assert.equal(await refusal({}), 'taken')
  assert.equal((await deps.privateKeys.keysOf(AZUMA)).length, 1, 'nothing was left by those that were refused')
})

test('the first users of a domain that was added later, both at once: one authority, which issues for both', async (t) => {
  const { store, deps } = await provider(t)
  const both = ['i-esto@nec.co.us', 'another@nec.co.us'].map((text) => enrol(deps, order({ address: address(text) })))
  const { certificate } = await establishAuthority(deps, {
    domain: domain('nec.co.us'),
    nowMs: START_MS,
    actor: 'test',
  })
  const authority = new X509Certificate(certificate.encoded)
  for (const enrolled of await Promise.all(both)) {
    const [issued] = enrolled.ok ? enrolled.value.certificates : []
    assert.ok(issued !== undefined && new X509Certificate(issued.encoded).verify(authority.publicKey))
  }
  const rows = await listAudit(store.db, { limit: 10 })
  const made = rows.filter((row) => row.operation === 'authority create' && row.subject === 'nec.co.us')
  assert.equal(made.length, 1)
})

test('two who want one address at the same moment: one gets it, whole', async (t) => {
  const { deps } = await provider(t)
  const both = await Promise.all([enrol(deps, order()), enrol(deps, order())])
  assert.equal(both.filter((each) => each.ok).length, 1)
  assert.equal((await deps.privateKeys.keysOf(AZUMA)).length, 1)
  assert.equal((await deps.publicKeys.known(AZUMA)).length, 1)
})

test('rotation: the new key signs, every old one still opens', async (t) => {
  const { deps, clock } = await provider(t)
  const first = await enrol(deps, order())
  clock.now += DAY_MS
  const second = await rotateKey(deps, order({ nowMs: clock.now, algorithms: ['rsa-2048'] }))
  assert.ok(first.ok && second.ok)
  const prints = [second, first].map((each) => each.value.certificates[0]?.fingerprint)
  assert.equal((await deps.privateKeys.signingKeys(AZUMA))[0]?.certificate.fingerprint, prints[0])
  const opening = await deps.privateKeys.decryptionKeys(AZUMA)
  assert.deepEqual(
    opening.map(({ certificate }) => certificate.fingerprint),
    prints,
  )
  const encrypting = await deps.publicKeys.encryptionCertificates(AZUMA, clock.now)
  assert.deepEqual(
    encrypting.map(({ fingerprint }) => fingerprint),
    prints,
  )
  const nobody = await rotateKey(deps, order({ address: address('x@biglobe.ne.jp') }))
  assert.ok(!nobody.ok && nobody.error === 'no-such-user')
})

test('several kinds of keys: made and signed with in order, decrypted with by those that can, answered by certificate', async (t) => {
  const { deps, clock } = await provider(t)
  const wanted = order({ algorithms: ['rsa-2048', 'ml-dsa-65+ml-kem-768', 'rsa-3072'] })
  const enrolled = await enrol(deps, wanted)
  assert.ok(enrolled.ok)
  const kinds = (all: readonly { certificate: Certificate }[]) => all.map(({ certificate }) => certificate.algorithm)
  assert.deepEqual(
    enrolled.value.certificates.map(({ algorithm }) => algorithm),
    ['rsa-2048', 'ml-dsa-65', 'ml-kem-768', 'rsa-3072'],
  )
  const signing = await deps.privateKeys.signingKeys(AZUMA)
  assert.deepEqual(kinds(signing), ['rsa-2048', 'ml-dsa-65'], 'one of each kind, the first asked for first')
  for (const { chain } of signing)
    assert.deepEqual(kinds(chain.map((certificate) => ({ certificate }))), ['ml-kem-768'])
  const opening = await deps.privateKeys.decryptionKeys(AZUMA)
  assert.deepEqual(kinds(opening).toSorted(), ['ml-kem-768', 'rsa-2048', 'rsa-3072'])

  clock.now += DAY_MS
  await rotateKey(deps, order({ nowMs: clock.now, algorithms: ['ed25519+x25519'] }))
  const later = await deps.privateKeys.signingKeys(AZUMA)
  assert.deepEqual(kinds(later), ['ed25519'], 'the old ones sign no more')
  assert.deepEqual(kinds((later[0]?.chain ?? []).map((certificate) => ({ certificate }))), ['x25519'])
  assert.deepEqual(kinds(await deps.privateKeys.decryptionKeys(AZUMA))[0], 'x25519')
})

test('no signing with a certificate out of its time, but old mail opens', async (t) => {
  const { deps, clock } = await provider(t)
  await enrol(deps, order())
  clock.now += 366 * DAY_MS
  assert.deepEqual(await deps.privateKeys.signingKeys(AZUMA), [])
  assert.equal((await deps.privateKeys.decryptionKeys(AZUMA)).length, 1)
  assert.deepEqual(await deps.publicKeys.encryptionCertificates(AZUMA, clock.now), [])
})

test('the authority is made once, and is a trust anchor here', async (t) => {
  const { deps } = await provider(t)
  const again = await establishAuthority(deps, { domain: domain('biglobe.ne.jp'), nowMs: START_MS + 1, actor: 'test' })
  const anchors = await deps.anchors.list()
  assert.deepEqual(
    anchors.map(({ certificate, source }) => [certificate.fingerprint, source]),
    [[again.certificate.fingerprint, 'own']],
  )
  assert.equal(await deps.anchors.certificates(), await deps.anchors.certificates())
})

test('anchors: a certificate that is no authority is refused', async (t) => {
  const { deps, store } = await provider(t)
  const enrolled = await enrol(deps, order())
  assert.ok(enrolled.ok)
  for (const encoded of [only(enrolled.value).encoded, new Uint8Array([0x30, 0]), new Uint8Array()]) {
    const added = await store.commit((tx) => deps.anchors.add(tx, { encoded, source: 'admin', nowMs: START_MS }))
    assert.equal(added.ok, false)
  }
  const other = await createAuthority({ domain: 'abc.com', nowMs: START_MS })
  const encoded = other.certificate
  const added = await store.commit((tx) => deps.anchors.add(tx, { encoded, source: 'admin', nowMs: START_MS }))
  assert.ok(added.ok)
  assert.equal((await deps.anchors.certificates()).length, 2)
  await store.commit((tx) => deps.anchors.remove(tx, added.value.fingerprint))
  assert.equal((await deps.anchors.certificates()).length, 1)
})

test('221: a key and a certificate that do not belong together are refused', async (t) => {
  const { deps, store } = await provider(t)
  const enrolled = await enrol(deps, order())
  assert.ok(enrolled.ok)
  const { privateKey, publicKey } = await generateKey('ec-p256')
  const certificate = only(enrolled.value)
  for (const key of [privateKey, publicKey]) {
    const entry = { address: AZUMA, certificate, chain: [], key, nowMs: START_MS }
    const added = await store.commit((tx) => deps.privateKeys.add(tx, entry))
    assert.equal(added.ok, false)
  }
})

test('221: a sealed key does not open in another row, nor under another master key', async (t) => {
  const { deps, store, dir, clock, masterKey } = await provider(t)
  await enrol(deps, order())
  const thief = address('thief@biglobe.ne.jp')
  await store.commit((tx) =>
    tx.updateTable('private_keys').set({ owner_key: thief }).where('purpose', '=', 'mail').execute(),
  )
  await using again = await openStore({ dir, masterKey, clock })
  await assert.rejects(new PrivateKeys(again, clock).keysOf(thief), /does not verify/)
  assert.deepEqual(await new PrivateKeys(again, clock).keysOf(AZUMA), [])
})

test('221: what another process adds is seen at once, and survives a restart', async (t) => {
  const { deps, dir, masterKey, clock } = await provider(t)
  assert.deepEqual(await deps.privateKeys.signingKeys(AZUMA), [])
  await using other = await openStore({ dir, masterKey, clock })
  await enrol(depsOf({ store: other, clock }), order())
  const [own] = await deps.privateKeys.signingKeys(AZUMA)
  assert.ok(own)
  const parsed = parseCertificate(own.certificate.encoded)
  assert.ok(parsed.ok && parsed.value.publicKey.equals(createPublicKey(own.key)))
  assert.deepEqual(
    (await deps.privateKeys.list()).map(({ owner, purpose }) => [owner, purpose]),
    [
      ['biglobe.ne.jp', 'authority'],
      [AZUMA, 'mail'],
    ],
  )
})

test('222: what may be used to encrypt', async (t) => {
  const { deps, store, clock } = await provider(t)
  const authority = await createAuthority({ domain: 'abc.com', nowMs: START_MS })
  const issue = async (nowMs: number, validityDays: number) => {
    const { publicKey } = await generateKey('ec-p256')
    const parsed = parseCertificate(
      await issueMailCertificate(authority, { address: SUZUKI, publicKey, nowMs, validityDays }),
    )
    assert.ok(parsed.ok)
    return parsed.value
  }
  const expired = await issue(START_MS - 100 * DAY_MS, 30)
  const chained = await issue(START_MS, 365)
  const newer = await issue(START_MS + DAY_MS, 365)
  const confirmed = await issue(START_MS - DAY_MS, 365)
  const candidate = await issue(START_MS, 365)
  const revoked = await issue(START_MS, 365)
  const add = (certificate: typeof expired, trust: 'chained' | 'confirmed' | 'candidate') =>
    store.commit((tx) =>
      deps.publicKeys.add(tx, { address: SUZUKI, certificate, trust, source: 'admin', nowMs: START_MS }),
    )
  assert.deepEqual(await add(expired, 'confirmed'), { kept: 'added', changed: false, held: false })
  assert.deepEqual(await add(chained, 'chained'), { kept: 'added', changed: true, held: false })
  assert.deepEqual(await add(chained, 'candidate'), { kept: 'seen', changed: false, held: false })
  for (const each of [newer, revoked]) await add(each, 'chained')
  await add(confirmed, 'confirmed')
  await add(candidate, 'candidate')
  await store.commit((tx) => deps.publicKeys.revoke(tx, revoked.fingerprint, START_MS))
  const usable = async (nowMs: number) =>
    (await deps.publicKeys.encryptionCertificates(address('U-Suzuki@ABC.com'), nowMs)).map((each) => each.fingerprint)
  clock.now += 2 * DAY_MS
  assert.deepEqual(
    await usable(clock.now),
    [confirmed, newer, chained].map((each) => each.fingerprint),
  )
  assert.deepEqual(await usable(START_MS + 10_000 * DAY_MS), [])
  const known = await deps.publicKeys.known(SUZUKI)
  assert.equal(known.length, 6)
  assert.equal(known.find((each) => each.certificate.fingerprint === revoked.fingerprint)?.revokedMs, START_MS)
  await store.commit((tx) => deps.publicKeys.remove(tx, confirmed.fingerprint))
  assert.equal((await usable(clock.now))[0], newer.fingerprint)
  assert.equal((await deps.publicKeys.list()).length, 5)
})
