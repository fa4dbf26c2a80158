/** Certificates, anchors and sealed private keys: the rows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addAnchorRow, listAnchorRows, removeAnchorRow } from '../anchors.ts'
import {
  CANDIDATES_MAX,
  certificateBytes,
  certificatesOf,
  keepCertificate,
  listCertificates,
  removeCertificate,
  renewCertificate,
  revokeCertificate,
  SEEN_STEP_MS,
} from '../certificates.ts'
import { addPrivateKeyRow, privateKeyRowsOf, renewPrivateKeyRow, retirePrivateKeyRow } from '../private-key-rows.ts'
import { address, START_MS, type Open, type Opened } from './fixture.ts'

type Binding = Parameters<typeof keepCertificate>[1]

const binding = (more: Partial<Binding>): Binding => ({
  address: address('u-suzuki@abc.com'),
  standard: 'smime',
  fingerprint: 'f1',
  encoded: Buffer.from('der'),
  trust: 'candidate',
  source: 'harvested',
  nowMs: START_MS,
  ...more,
})

const keep = ({ store }: Opened, more: Partial<Binding>) => store.commit((tx) => keepCertificate(tx, binding(more)))

export function keysSuite(open: Open): void {
  certificates(open)
  revocation(open)
  anchors(open)
  privateKeys(open)
}

function certificates(open: Open): void {
  test('certificates: trust rises, and never sinks', async (t) => {
    const opened = await open(t)
    const { db } = opened.store
    assert.equal(await keep(opened, {}), 'added')
    assert.equal(await keep(opened, { trust: 'confirmed', source: 'admin' }), 'raised')
    assert.equal(await keep(opened, { trust: 'chained', source: 'chain' }), 'seen')
    const [row] = await certificatesOf(db, address('U-Suzuki@abc.com'))
    assert.deepEqual([row?.trust, row?.source], ['confirmed', 'admin'])
  })

  test('certificates: first and last time seen', async (t) => {
    const opened = await open(t)
    await keep(opened, {})
    await keep(opened, { nowMs: START_MS + SEEN_STEP_MS - 1 })
    const seen = async () => (await certificatesOf(opened.store.db, address('u-suzuki@abc.com')))[0]
    assert.equal((await seen())?.lastSeenMs, START_MS)
    await keep(opened, { nowMs: START_MS + SEEN_STEP_MS, source: 'wkd' })
    assert.equal((await seen())?.lastSeenMs, START_MS, 'somewhere else')
    await keep(opened, { nowMs: START_MS + SEEN_STEP_MS })
    assert.equal((await seen())?.lastSeenMs, START_MS + SEEN_STEP_MS)
    assert.equal((await seen())?.firstSeenMs, START_MS)
  })

  test('certificates: a renewed one is renewed for every address', async (t) => {
    const opened = await open(t)
    const { db } = opened.store
    const [one, other] = [address('u-suzuki@abc.com'), address('suzuki@abc.com')]
    assert.equal(await certificateBytes(db, 'f1'), undefined)
    for (const each of [one, other]) await keep(opened, { address: each })
    await keep(opened, { fingerprint: 'f2' })
    const before = await opened.store.changes.of('certificates')
    await opened.store.commit((tx) => renewCertificate(tx, 'f1', Buffer.from('renewed')))
    assert.equal(await opened.store.changes.of('certificates'), before + 1)
    const kept = (await listCertificates(db)).map((row) => `${row.fingerprint} ${Buffer.from(row.encoded).toString()}`)
    assert.deepEqual(kept.toSorted(), ['f1 renewed', 'f1 renewed', 'f2 der'])
    assert.equal(Buffer.from((await certificateBytes(db, 'f1')) ?? []).toString(), 'renewed')
  })

  test('certificates: highest trust first, and caches hear of what matters', async (t) => {
    const opened = await open(t)
    const before = await opened.store.changes.of('certificates')
    for (const [fingerprint, trust] of [
      ['a', 'candidate'],
      ['b', 'own'],
      ['c', 'chained'],
      ['d', 'chained'],
    ] as const)
      await keep(opened, { fingerprint, trust })
    const rows = await certificatesOf(opened.store.db, address('u-suzuki@abc.com'))
    assert.deepEqual(
      rows.map((row) => row.fingerprint),
      ['b', 'd', 'c', 'a'],
    )
    assert.equal(await opened.store.changes.of('certificates'), before + 4)
    await keep(opened, { fingerprint: 'a', nowMs: START_MS + SEEN_STEP_MS })
    assert.equal(await opened.store.changes.of('certificates'), before + 4, 'seen again changes no cache')
  })

  test('certificates: candidates of one address do not fill the store', async (t) => {
    const opened = await open(t)
    await keep(opened, { fingerprint: 'good', trust: 'chained' })
    for (let at = 0; at < CANDIDATES_MAX + 5; at++) await keep(opened, { fingerprint: `c${at}`, nowMs: START_MS + at })
    const rows = await certificatesOf(opened.store.db, address('u-suzuki@abc.com'))
    assert.equal(rows.length, CANDIDATES_MAX + 1)
    assert.ok(rows.some((row) => row.fingerprint === 'good'))
    assert.ok(!rows.some((row) => row.fingerprint === 'c0'))
  })
}

function revocation(open: Open): void {
  test('certificates: revoked stays revoked', async (t) => {
    const opened = await open(t)
    const { store } = opened
    await keep(opened, {})
    await keep(opened, { address: address('other@abc.com') })
    assert.equal(await store.commit((tx) => revokeCertificate(tx, 'f1', START_MS + 5)), 2)
    assert.equal(await store.commit((tx) => revokeCertificate(tx, 'f1', START_MS + 9)), 2)
    assert.equal(await keep(opened, { trust: 'confirmed', nowMs: START_MS + 9 }), 'raised')
    const rows = await listCertificates(store.db)
    assert.deepEqual(
      rows.map((row) => row.revokedMs),
      [START_MS + 5, START_MS + 5],
    )
    assert.equal(await store.commit((tx) => revokeCertificate(tx, 'f2', START_MS)), 0)
  })

  test('certificates: removed for one address or for all', async (t) => {
    const opened = await open(t)
    const { store } = opened
    for (const text of ['a@abc.com', 'b@abc.com', 'c@abc.com']) await keep(opened, { address: address(text) })
    assert.equal(await store.commit((tx) => removeCertificate(tx, 'f1', address('B@abc.com'))), 1)
    assert.deepEqual(
      (await listCertificates(store.db)).map((row) => row.address),
      ['a@abc.com', 'c@abc.com'],
    )
    assert.equal(await store.commit((tx) => removeCertificate(tx, 'f1')), 2)
    assert.equal(await store.commit((tx) => removeCertificate(tx, 'f1')), 0)
  })
}

function anchors(open: Open): void {
  test('anchors: added once, listed, removed', async (t) => {
    const { store } = await open(t)
    const anchor = {
      fingerprint: 'f',
      standard: 'smime',
      encoded: new Uint8Array([1]),
      source: 'admin',
      addedMs: START_MS,
    } as const
    assert.equal(await store.commit((tx) => addAnchorRow(tx, anchor)), true)
    assert.equal(await store.commit((tx) => addAnchorRow(tx, { ...anchor, addedMs: 9 })), false)
    assert.deepEqual(await listAnchorRows(store.db), [anchor])
    assert.equal(await store.commit((tx) => removeAnchorRow(tx, 'f')), true)
    assert.equal(await store.commit((tx) => removeAnchorRow(tx, 'f')), false)
  })
}

function privateKeys(open: Open): void {
  test('private keys: newest first, retired for good, one purpose apart from the other', async (t) => {
    const { store } = await open(t)
    const dataKey = store.dataKeys.current()
    const row = (fingerprint: string, createdMs: number, purpose: 'mail' | 'authority' = 'mail') => ({
      owner: 'A@abc.com',
      ownerKey: 'a@abc.com',
      purpose,
      standard: 'smime' as const,
      fingerprint,
      certificate: new Uint8Array([1]),
      chain: [new Uint8Array([2]), new Uint8Array([3, 4])],
      dataKeyId: dataKey.id,
      sealed: new Uint8Array([5]),
      createdMs,
      sealedRevocation: fingerprint === 'new' ? new Uint8Array([6]) : null,
    })
    for (const each of [row('old', 1), row('new', 2), row('ca', 3, 'authority')])
      assert.equal(await store.commit((tx) => addPrivateKeyRow(tx, each)), true)
    assert.equal(await store.commit((tx) => addPrivateKeyRow(tx, row('old', 7))), false)
    for (const atMs of [8, 9]) assert.equal(await store.commit((tx) => retirePrivateKeyRow(tx, 'old', atMs)), 1)
    const rows = await privateKeyRowsOf(store.db, 'mail', 'a@abc.com')
    assert.deepEqual(
      rows.map(({ fingerprint, retiredMs }) => [fingerprint, retiredMs]),
      [
        ['new', null],
        ['old', 8],
      ],
    )
    assert.deepEqual(
      rows[0]?.chain.map((each) => [...each]),
      [[2], [3, 4]],
    )
    assert.deepEqual(
      rows.map(({ sealedRevocation }) => sealedRevocation && [...sealedRevocation]),
      [[6], null],
    )
    await store.commit((tx) => renewPrivateKeyRow(tx, 'new', new Uint8Array([7])))
    const renewed = await privateKeyRowsOf(store.db, 'mail', 'a@abc.com')
    assert.deepEqual(
      renewed.map(({ certificate }) => [...certificate]),
      [[7], [1]],
    )
    const broken = { ...row('x', 1), dataKeyId: 999 }
    await assert.rejects(
      store.commit((tx) => addPrivateKeyRow(tx, broken)),
      /foreign key/i,
    )
  })
}
