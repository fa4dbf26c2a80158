/** An address that the directory gives to another entry: nobody gets the former user's keys or mail, unless they are theirs. */
import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { describe, test, type TestContext } from 'node:test'
import { FakeSource, usersWith } from '../support/fake-source.ts'
import { describeOnPostgres } from '../support/postgres-store.ts'
import { EVENT_CHANNEL, type SealpostEvent } from '../../src/base/events.ts'
import { AddressDisputed, entriesAfter } from '../../src/keys/user-sources/same-entry.ts'
import { domainOf } from '../../src/message/address.ts'
import { wkdHash } from '../../src/protocol/wkd.ts'
import { publishedUser } from '../../src/publish/published-users.ts'
import { findAccount, listAccounts, setAccountStatus } from '../../src/store/accounts.ts'
import { listAudit } from '../../src/store/audit.ts'
import {
  address,
  type Open,
  openSqliteStore,
  putBytes,
  queueItem,
  START_MS,
} from '../../src/store/conformance/fixture.ts'
import { disputedAddresses } from '../../src/store/account-entries.ts'
import { keepHouse } from '../../src/store/housekeeping.ts'
import { addToMailbox, listMailbox } from '../../src/store/mailboxes.ts'
import { addToQuarantine } from '../../src/store/quarantine.ts'
import { enqueue, listQueue } from '../../src/store/queue.ts'
import { confirmAllUsers, confirmUser, reassignAddress } from '../../src/admin/operations/disputed-users.ts'
import { changeQuarantined } from '../../src/admin/operations/quarantine.ts'

const AZUMA = address('t-azuma@biglobe.ne.jp')
const SUZUKI = address('u-suzuki@biglobe.ne.jp')

test('what is known after the source has said which entry it is', () => {
  const cases: readonly [known: string, said: string | undefined, then: string, why: string][] = [
    ['-,-', 'a', 'a,-', 'the first time'],
    ['a,-', 'a', 'a,-', 'the same'],
    ['a,-', 'b', 'a,b', 'another one'],
    ['a,b', 'b', 'a,b', 'that one again'],
    ['a,b', 'c', 'a,c', 'a third one'],
    ['a,b', 'a', 'a,-', 'the first one again'],
    ['-,-', undefined, '-,-', 'never said'],
    ['a,-', undefined, 'a,-', 'said no more'],
    ['a,b', undefined, 'a,b', 'said no more, while it is another one'],
  ]
  for (const [known, said, then, why] of cases) {
    const [entryId = null, otherEntryId = null] = known.split(',').map((each) => (each === '-' ? null : each))
    const before = { entryId, otherEntryId }
    const after = entriesAfter(before, said)
    assert.equal(`${after.entryId ?? '-'},${after.otherEntryId ?? '-'}`, then, why)
    assert.equal(after === before, known === then, why)
  }
})

describe('SQLite', () => suite(openSqliteStore))

describeOnPostgres('PostgreSQL', ({ open }) => suite(open))

function eventsOf(t: TestContext): () => string[] {
  const said: string[] = []
  const listen = (message: unknown): void => void said.push((message as SealpostEvent).event)
  diagnostics.subscribe(EVENT_CHANNEL, listen)
  t.after(() => diagnostics.unsubscribe(EVENT_CHANNEL, listen))
  return () => said.filter((event) => event.startsWith('user-'))
}

async function directory(t: TestContext, open: Open) {
  const ldap = new FakeSource()
  const opened = await open(t)
  const node = await usersWith(opened, ldap)
  const entryOf = async () => (await findAccount(opened.store.db, AZUMA))?.entryId
  return { ...node, opened, clock: opened.clock, ldap, entryOf, anotherNode: () => usersWith(opened, ldap) }
}

function suite(open: Open): void {
  noticed(open)
  confirmed(open)
  reassigned(open)
}

function noticed(open: Open): void {
  test('kept with the row; by a row of an earlier version at the next look-up; missing where nobody says it', async (t) => {
    const { users, store, ldap, entryOf } = await directory(t, open)
    ldap.addEntry(AZUMA, undefined)
    await users.receiving(AZUMA)
    assert.equal(await entryOf(), null)
    ldap.addEntry(AZUMA, 'one')
    assert.equal((await users.receiving(AZUMA))?.entryId, 'one')
    ldap.addEntry(AZUMA, undefined)
    assert.equal((await users.receiving(AZUMA))?.entryId, 'one')
    ldap.addEntry(SUZUKI, 'two')
    assert.equal((await users.receiving(SUZUKI))?.entryId, 'two')
    assert.deepEqual(await disputedAddresses(store.db), [])
  })

  test('another entry: no mail, no sign-in, no published key, said once by all nodes; its own again: all goes on', async (t) => {
    const { users, store, ldap, rowOf, anotherNode } = await directory(t, open)
    const published = () => publishedUser(store.db, domainOf(AZUMA), wkdHash('t-azuma'), undefined)
    const other = await anotherNode()
    const said = eventsOf(t)
    ldap.addEntry(AZUMA, 'one')
    await users.receiving(AZUMA)
    assert.equal(await published(), AZUMA)
    ldap.addEntry(AZUMA, 'two', 'new secret')
    for (const node of [users, other.users, users]) {
      await assert.rejects(node.receiving(AZUMA), AddressDisputed)
      assert.equal(await node.signIn(AZUMA, 'new secret'), 'unavailable')
      assert.equal(await node.signIn(AZUMA, 'secret'), 'wrong')
    }
    assert.equal(await published(), undefined)
    assert.equal(await rowOf(AZUMA), 'ldap active')
    assert.deepEqual(await disputedAddresses(store.db), [AZUMA])
    ldap.addEntry(AZUMA, undefined)
    await assert.rejects(users.receiving(AZUMA), AddressDisputed)
    ldap.addEntry(AZUMA, 'one')
    assert.equal((await users.receiving(AZUMA))?.address, AZUMA)
    assert.equal(await published(), AZUMA)
    assert.deepEqual(said(), ['user-disputed', 'user-settled'])
  })

  test('of who is absent or suspended the address is not taken over either', async (t) => {
    const { users, store, ldap, rowOf } = await directory(t, open)
    ldap.addEntry(AZUMA, 'one')
    ldap.addEntry(SUZUKI, 'two')
    for (const each of [AZUMA, SUZUKI]) await users.receiving(each)
    await store.commit((tx) => setAccountStatus(tx, SUZUKI, 'suspended'))
    ldap.people.clear()
    assert.equal(await users.receiving(AZUMA), undefined)
    ldap.addEntry(AZUMA, 'three')
    ldap.addEntry(SUZUKI, 'four')
    for (const each of [AZUMA, SUZUKI]) await assert.rejects(users.receiving(each), AddressDisputed)
    assert.deepEqual([await rowOf(AZUMA), await rowOf(SUZUKI)], ['ldap absent', 'ldap suspended'])
  })
}

function confirmed(open: Open): void {
  test('confirmed: the same user by another entry, with the same keys; a third entry is another one again', async (t) => {
    const { users, ldap, desk, privateKeys, entryOf } = await directory(t, open)
    ldap.addEntry(AZUMA, 'one')
    const before = await users.receiving(AZUMA)
    const [key] = await privateKeys.keysOf(AZUMA)
    await assert.rejects(confirmUser(desk, { address: AZUMA }), /nobody else/)
    ldap.addEntry(AZUMA, 'two')
    await assert.rejects(users.receiving(AZUMA), AddressDisputed)
    await confirmUser(desk, { address: 'T-Azuma@biglobe.ne.jp' })
    assert.equal((await users.receiving(AZUMA))?.id, before?.id)
    const kept = (await privateKeys.currentKeys(AZUMA)).map(({ certificate }) => certificate.fingerprint)
    assert.deepEqual(kept, [key?.certificate.fingerprint])
    assert.equal(await entryOf(), 'two')
    ldap.addEntry(AZUMA, 'one')
    await assert.rejects(users.receiving(AZUMA), AddressDisputed)
  })

  test('all confirmed: each takes the entry that is found next, whether it was asked for already or not', async (t) => {
    const { users, ldap, desk } = await directory(t, open)
    const all = [AZUMA, SUZUKI]
    for (const each of all) ldap.addEntry(each, `before ${each}`)
    for (const each of all) await users.receiving(each)
    for (const each of all) ldap.addEntry(each, `after ${each}`)
    await assert.rejects(users.receiving(AZUMA), AddressDisputed)
    await confirmAllUsers(desk)
    for (const each of all) assert.equal((await users.receiving(each))?.entryId, `after ${each}`)
  })
}

function reassigned(open: Open): void {
  test('reassigned: the new user has neither keys nor mail of the former one, whose own are kept', async (t) => {
    const { users, ldap, desk, store, clock, privateKeys, publicKeys, anotherNode } = await directory(t, open)
    ldap.addEntry(AZUMA, 'one')
    const former = await users.receiving(AZUMA)
    assert.ok(former)
    const [formerKey] = await privateKeys.decryptionKeys(AZUMA)
    await store.commit(async (tx) => {
      const item = { accountId: former.id, sizeBytes: 100, receivedMs: START_MS }
      await addToMailbox(tx, { ...item, bytesId: await putBytes(store, tx) })
      await enqueue(tx, [queueItem(await putBytes(store, tx), AZUMA), queueItem(await putBytes(store, tx), SUZUKI)])
    })
    await assert.rejects(reassignAddress(desk, { address: AZUMA }), /nobody else/)
    ldap.addEntry(AZUMA, 'two')
    await assert.rejects(users.receiving(AZUMA), AddressDisputed)
    clock.now += 1_000
    assert.deepEqual(await reassignAddress(desk, { address: AZUMA }), { address: AZUMA, held: 1 })
    assert.equal(await findAccount(store.db, AZUMA), undefined)

    const heir = await users.receiving(AZUMA)
    assert.ok(heir)
    assert.notEqual(heir.id, former.id)
    assert.equal(heir.entryId, 'two')
    assert.equal((await listMailbox(store.db, heir.id)).length, 0)
    assert.equal((await listMailbox(store.db, former.id)).length, 1)
    const other = await anotherNode()
    for (const keys of [privateKeys, other.privateKeys]) {
      const own = (await keys.keysOf(AZUMA)).map(({ certificate }) => certificate.fingerprint)
      assert.equal(own.length, 1)
      assert.notEqual(own[0], formerKey?.certificate.fingerprint)
      const encrypting = await publicKeys.encryptionCertificates(AZUMA, clock.now)
      assert.deepEqual(
        encrypting.map(({ fingerprint }) => fingerprint),
        own,
      )
    }
    const kept = (await privateKeys.list()).filter(({ purpose }) => purpose === 'former')
    assert.deepEqual(
      kept.map(({ certificate }) => certificate.fingerprint),
      [formerKey?.certificate.fingerprint],
    )
    assert.deepEqual(
      (await listAccounts(store.db)).map((each) => [each.address, each.status, each.entryId]),
      [
        [AZUMA, 'removed', 'one'],
        [AZUMA, 'active', 'two'],
      ],
    )
    const queued = await listQueue(store.db)
    assert.deepEqual(
      queued.map(({ recipient, state }) => [recipient, state]),
      [
        [AZUMA, 'held'],
        [SUZUKI, 'ready'],
      ],
    )
    await keepHouse(store, clock, { evidenceDays: 1, traceDays: 1 })
    assert.equal(await publishedUser(store.db, domainOf(AZUMA), wkdHash('t-azuma'), undefined), AZUMA)
    const [row] = (await listAudit(store.db, { limit: 100 })).filter(({ operation }) => operation === 'user reassign')
    assert.match(String(row?.detail), /^from entry one to two; account \d+, 1 keys put away, 1 mails held$/)

    ldap.addEntry(AZUMA, 'three')
    await assert.rejects(users.receiving(AZUMA), AddressDisputed)
    await reassignAddress(desk, { address: AZUMA })
    assert.equal((await users.receiving(AZUMA))?.entryId, 'three')
    assert.equal((await privateKeys.keysOf(AZUMA)).length, 1)
  })

  test('mail held for the former user is released to nobody else', async (t) => {
    const { users, ldap, desk, store, clock } = await directory(t, open)
    ldap.addEntry(AZUMA, 'one')
    await users.receiving(AZUMA)
    const id = await store.commit(async (tx) => {
      const facts = { mailFrom: SUZUKI, recipients: [AZUMA], messageId: '<1@biglobe.ne.jp>', reason: 'tampered' }
      return addToQuarantine(tx, { ...facts, bytesId: await putBytes(store, tx), atMs: clock.now })
    })
    const release = () => changeQuarantined(desk, { id, change: 'release' })
    ldap.addEntry(AZUMA, 'two')
    await assert.rejects(users.receiving(AZUMA), AddressDisputed)
    await assert.rejects(release(), /somebody else's since this mail came/)
    clock.now += 1_000
    await reassignAddress(desk, { address: AZUMA })
    await users.receiving(AZUMA)
    await assert.rejects(release(), /somebody else's since this mail came/)
  })
}
