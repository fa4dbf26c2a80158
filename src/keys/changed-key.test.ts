import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Certificate, TrustLevel } from '../protection/standard.ts'
import { openpgpIdentity } from '../../test/support/openpgp-identity.ts'
import { readOpenpgpCertificate } from '../protection/openpgp/certificate/read.ts'
import { readStructure, writeStructure } from '../protection/openpgp/certificate/structure.ts'
import { parseCertificate } from '../protection/smime/x509/certificate.ts'
import { SEEN_STEP_MS } from '../store/certificates.ts'
import { START_MS, address, openSqliteStore } from '../store/conformance/fixture.ts'
import { type Authority, createAuthority, generateKey, issueMailCertificate } from './certificate-authority.ts'
import { type CertificateSource, PublicKeys } from './public-keys.ts'

const CHIEF = address('chief@bank.example')
const DAY_MS = 24 * 60 * 60_000

async function issuedBy(authority: Authority, validityDays = 365): Promise<Certificate> {
  const { publicKey } = await generateKey('ec-p256')
  const order = { address: CHIEF, publicKey, nowMs: START_MS, validityDays }
  const parsed = parseCertificate(await issueMailCertificate(authority, order))
  assert(parsed.ok)
  return parsed.value
}

test('a key by another authority is held while the one known before is in its time', async (t) => {
  const { store } = await openSqliteStore(t)
  const keys = new PublicKeys(store)
  const [usual, other] = await Promise.all(
    ['bank.example', 'elsewhere.example'].map((domain) => createAuthority({ domain, nowMs: START_MS })),
  )
  assert(usual !== undefined && other !== undefined)
  const [first, renewed, foreign] = [await issuedBy(usual, 30), await issuedBy(usual, 40), await issuedBy(other)]
  const bind = (certificate: Certificate, trust: TrustLevel, nowMs: number) =>
    store.commit((tx) => keys.add(tx, { address: CHIEF, certificate, trust, source: 'harvested', nowMs }))
  const add = async (...binding: Parameters<typeof bind>): Promise<boolean> => (await bind(...binding)).changed
  const usable = async (atMs: number): Promise<string[]> =>
    (await keys.encryptionCertificates(CHIEF, atMs)).map(({ fingerprint }) => fingerprint)
  const held = async (atMs: number): Promise<string[]> => [...(await keys.held(CHIEF, atMs))]

  assert.equal(await add(first, 'chained', START_MS), false)
  assert.equal(await add(foreign, 'candidate', START_MS + 1), false, 'a candidate is no change')
  const changed = { kept: 'raised', changed: true, held: true }
  assert.partialDeepStrictEqual(
    await bind(foreign, 'chained', START_MS + 2),
    changed,
    'but when an anchor vouches for it',
  )
  assert.deepEqual(await usable(START_MS + 2), [first.fingerprint])
  assert.deepEqual(await held(START_MS + 2), [foreign.fingerprint])
  assert.partialDeepStrictEqual(await bind(renewed, 'chained', START_MS + 3), { changed: true, held: false })
  assert.deepEqual(
    (await usable(START_MS + 3)).toSorted(),
    [first.fingerprint, renewed.fingerprint].toSorted(),
    'a renewal is not held',
  )

  assert.deepEqual(
    await usable(START_MS + 50 * DAY_MS),
    [foreign.fingerprint],
    'nor anything when all others have run out',
  )
  await store.commit((tx) => keys.revoke(tx, renewed.fingerprint, START_MS))
  assert.deepEqual(await usable(START_MS + 35 * DAY_MS), [foreign.fingerprint], 'or are revoked')

  await add(foreign, 'confirmed', START_MS + 4)
  assert.deepEqual(await held(START_MS + 4), [first.fingerprint], 'once it is confirmed, the other one is the stranger')
  assert.deepEqual(await usable(START_MS + 4), [foreign.fingerprint])
})

describe('a key that was found, after another one', () => {
  type Seen = readonly [trust: TrustLevel, source: CertificateSource]
  const cases: readonly [before: Seen, now: Seen, used: 'old' | 'both', why: string][] = [
    [['found', 'wkd'], ['found', 'wkd'], 'both', 'by the same domain, whose word it is'],
    [['found', 'vks'], ['found', 'wkd'], 'both', 'by the domain, where a server had one'],
    [['found', 'vks'], ['found', 'vks'], 'both', 'by the same kind of server'],
    [['found', 'wkd'], ['found', 'vks'], 'old', 'by a server, where the domain had one'],
    [['confirmed', 'admin'], ['found', 'wkd'], 'old', 'where an administrator has confirmed one'],
    [['chained', 'harvested'], ['found', 'wkd'], 'old', 'where an authority vouches for another'],
  ]
  for (const [before, now, used, why] of cases)
    test(why, async (t) => {
      const { store } = await openSqliteStore(t)
      const keys = new PublicKeys(store)
      const authority = await createAuthority({ domain: 'bank.example', nowMs: START_MS })
      const [old, fresh] = [await issuedBy(authority, 30), await issuedBy(authority, 40)]
      const seen: readonly [Certificate, Seen][] = [
        [old, before],
        [fresh, now],
      ]
      for (const [at, [certificate, [trust, source]]] of seen.entries())
        await store.commit((tx) => keys.add(tx, { address: CHIEF, certificate, trust, source, nowMs: START_MS + at }))
      const usable = await keys.encryptionCertificates(CHIEF, START_MS + 2)
      const wanted = used === 'both' ? [old, fresh] : [old]
      const believed = (await keys.toVerify(CHIEF, START_MS + 2)).filter(({ trust }) => trust !== 'candidate')
      assert.deepEqual(
        believed.map(({ certificate }) => certificate.fingerprint).toSorted(),
        wanted.map(({ fingerprint }) => fingerprint).toSorted(),
      )
      assert.deepEqual(
        usable.map(({ fingerprint }) => fingerprint).toSorted(),
        wanted.map(({ fingerprint }) => fingerprint).toSorted(),
      )
    })
})

test('what was seen is said from memory, until it is time to note that it was seen again', async (t) => {
  const { store } = await openSqliteStore(t)
  const keys = new PublicKeys(store)
  const authority = await createAuthority({ domain: 'bank.example', nowMs: START_MS })
  const [certificate, another] = [await issuedBy(authority), await issuedBy(authority)]
  const bound = { address: CHIEF, certificate, trust: 'chained', source: 'harvested', nowMs: START_MS } as const
  assert.equal(await keys.hasSeen(bound), false)
  await store.commit((tx) => keys.add(tx, bound))
  assert.equal(await keys.hasSeen(bound), true)
  assert.equal(await keys.hasSeen({ ...bound, trust: 'candidate' }), true)
  assert.equal(await keys.hasSeen({ ...bound, trust: 'confirmed' }), false)
  assert.equal(await keys.hasSeen({ ...bound, certificate: another }), false)
  const later = { ...bound, nowMs: START_MS + SEEN_STEP_MS }
  assert.equal(await keys.hasSeen(later), false)
  await store.commit((tx) => keys.add(tx, later))
  assert.equal(await keys.hasSeen({ ...later, nowMs: later.nowMs + SEEN_STEP_MS - 1 }), true)
  const longer = { ...certificate, encoded: Buffer.concat([certificate.encoded, Uint8Array.of(0)]) }
  assert.equal(await keys.hasSeen({ ...later, certificate: longer }), false, 'the same key, and it says more')
})

test('a key of which a mail brings a part only is known from memory, too', async (t) => {
  const { store } = await openSqliteStore(t)
  const keys = new PublicKeys(store)
  const { certificate } = openpgpIdentity(CHIEF)
  const structure = readStructure(certificate.encoded)
  const part = readOpenpgpCertificate(writeStructure({ ...structure, subkeys: [] }))
  assert(part.ok)
  const brought = {
    address: CHIEF,
    certificate: part.value,
    trust: 'candidate',
    source: 'harvested',
    nowMs: START_MS,
  } as const
  await store.commit((tx) => keys.add(tx, { ...brought, certificate, trust: 'confirmed', source: 'admin' }))
  assert.equal(await keys.hasSeen(brought), false)
  for (let mail = 0; mail < 2; mail++) await store.commit((tx) => keys.add(tx, brought))
  assert.equal(await keys.hasSeen(brought), true)
  const [kept] = await keys.known(CHIEF)
  assert(kept !== undefined && readStructure(kept.certificate.encoded).subkeys.length === structure.subkeys.length)
})
