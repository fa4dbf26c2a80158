/** A held mail is released to all of its recipients or stays where it is. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { addAccount } from '../../store/accounts.ts'
import { address, openSqliteStore, START_MS } from '../../store/conformance/fixture.ts'
import { addToQuarantine, listQuarantine } from '../../store/quarantine.ts'
import { leaseBatches } from '../../store/leases.ts'
import type { Desk } from '../desk.ts'
import { changeQuarantined } from './quarantine.ts'

const [HERE, GONE] = [address('here@here.example'), address('gone@here.example')]

/** Held for both; only one of them has an account. */
async function held(t: TestContext, lmtp: string | null, recipients = [HERE]) {
  const { store, clock } = await openSqliteStore(t)
  const sealed = await store.bytes.seal(Buffer.from('Subject: held\r\n\r\nheld\r\n'))
  const id = await store.commit(async (tx) => {
    await addAccount(tx, { address: HERE, passwordHash: 'h', nowMs: START_MS })
    const bytesId = await store.bytes.insert(tx, sealed)
    const facts = { mailFrom: address('a@there.example'), messageId: '<1@there.example>', reason: 'tampered' }
    return addToQuarantine(tx, { ...facts, bytesId, recipients, atMs: START_MS })
  })
  const desk = { store, clock, actor: 'test', config: { mailboxes: { lmtp, smtp: null } } } as unknown as Desk
  return {
    store,
    release: () => changeQuarantined(desk, { id, change: 'release' }),
    rowsOf: (table: 'mailbox' | 'queue' | 'bytes') => store.db.selectFrom(table).selectAll().execute(),
  }
}

test('a held mail is not released while one of its recipients has no account', async (t) => {
  for (const lmtp of [null, '127.0.0.1:24']) {
    const { store, release, rowsOf } = await held(t, lmtp, [HERE, GONE])
    await assert.rejects(release(), /gone@here\.example has no account any more/)
    assert.equal((await listQuarantine(store.db)).length, 1)
    assert.deepEqual([await rowsOf('mailbox'), await rowsOf('queue')], [[], []])
  }
})

test('a held mail is released into the mailbox, or to the mail store that is behind', async (t) => {
  const own = await held(t, null)
  await own.release()
  assert.deepEqual([(await own.rowsOf('mailbox')).length, (await own.rowsOf('queue')).length], [1, 0])

  const behind = await held(t, '127.0.0.1:24')
  await behind.release()
  assert.deepEqual([(await behind.rowsOf('mailbox')).length, (await behind.rowsOf('bytes')).length], [0, 1])
  const [batch] = await behind.store.commit((tx) =>
    leaseBatches(tx, { nowMs: START_MS, leaseMs: 1_000, limit: 9, node: behind.store.node }),
  )
  const [item] = batch?.items ?? []
  assert.deepEqual([item?.recipient, item?.bodyKind, item?.dsn.notify], [HERE, 'opened', 'NEVER'])
})
