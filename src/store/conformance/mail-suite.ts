/** Accounts, mailboxes, quarantine, trace and audit. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  addAccount,
  fillWkdNames,
  findAccount,
  findAccountByWkd,
  listAccounts,
  setAccountStatus,
  setPasswordHash,
} from '../accounts.ts'
import { audit, listAudit } from '../audit.ts'
import { BytesMissing } from '../bytes/sealing.ts'
import type { Store } from '../database.ts'
import { domainOf } from '../../message/address.ts'
import { keepHouse } from '../housekeeping.ts'
import { addToMailbox, deleteFromMailbox, expireEvidence, listMailbox } from '../mailboxes.ts'
import { addToQuarantine, listQuarantine, takeFromQuarantine } from '../quarantine.ts'
import { enqueue } from '../queue.ts'
import { addTlsResults, tlsResultsOf } from '../tls-results.ts'
import { addTrace, expireTrace, traceOf } from '../trace.ts'
import { address, putBytes, queueItem, START_MS, type Open } from './fixture.ts'

export function mailSuite(open: Open): void {
  accounts(open)
  mailboxes(open)
  others(open)
}

async function account(store: Store, text: string): Promise<number> {
  const added = await store.commit((tx) =>
    addAccount(tx, { address: address(text), passwordHash: '$argon2id$', nowMs: START_MS }),
  )
  assert.ok(added !== 'taken')
  return added.id
}

/** The example of the draft (draft-koch-openpgp-webkey-service). */
const JOE_DOE = 'iy9q119eutrkn8s1mk4r39qejnbu3n5q'

function accounts(open: Open): void {
  test('accounts: found by address, whatever its case', async (t) => {
    const { store } = await open(t)
    const id = await account(store, 'T-Azuma@biglobe.ne.jp')
    const found = await findAccount(store.db, address('t-azuma@BIGLOBE.ne.jp'))
    assert.deepEqual(found, {
      id,
      address: 'T-Azuma@biglobe.ne.jp',
      passwordHash: '$argon2id$',
      source: 'table',
      status: 'active',
      createdMs: START_MS,
      entryId: null,
      otherEntryId: null,
    })
    assert.equal(await findAccount(store.db, address('t-azuma@abc.com')), undefined)
  })

  test('accounts: an address that was used once is never given away again', async (t) => {
    const { store } = await open(t)
    await account(store, 'a@abc.com')
    assert.equal(await store.commit((tx) => setAccountStatus(tx, address('A@abc.com'), 'removed')), true)
    const again = { address: address('A@abc.com'), passwordHash: 'x', nowMs: START_MS + 1 }
    assert.equal(await store.commit((tx) => addAccount(tx, again)), 'taken')
    assert.equal(await store.commit((tx) => setAccountStatus(tx, address('a@abc.com'), 'active')), false)
    assert.equal(await store.commit((tx) => setPasswordHash(tx, address('a@abc.com'), 'y')), false)
    assert.deepEqual(
      (await listAccounts(store.db)).map(({ status, passwordHash }) => [status, passwordHash]),
      [['removed', '$argon2id$']],
    )
  })

  test('accounts: found by the hash of the Web Key Directory, also where an earlier version made them', async (t) => {
    const { store } = await open(t)
    await account(store, 'Joe.Doe@example.org')
    await account(store, 'joe.doe@abc.com')
    const found = async (): Promise<string | undefined> =>
      (await findAccountByWkd(store.db, domainOf(address('x@example.org')), JOE_DOE))?.address
    assert.equal(await found(), 'Joe.Doe@example.org')
    await store.commit((tx) => tx.updateTable('accounts').set({ wkd_name: null }).execute())
    assert.equal(await found(), undefined)
    await keepHouse(store, { nowMs: () => START_MS }, { evidenceDays: 1, traceDays: 1 })
    assert.equal(await found(), 'Joe.Doe@example.org')
    assert.equal(await store.commit((tx) => fillWkdNames(tx, 1)), 0)
  })

  test('accounts: suspend, resume, new password; what is not there is said', async (t) => {
    const { store } = await open(t)
    await account(store, 'a@abc.com')
    const before = await store.changes.of('accounts')
    for (const status of ['suspended', 'active'] as const) {
      await store.commit((tx) => setAccountStatus(tx, address('a@abc.com'), status))
      assert.equal((await findAccount(store.db, address('a@abc.com')))?.status, status)
    }
    assert.equal(await store.commit((tx) => setPasswordHash(tx, address('a@abc.com'), 'new')), true)
    assert.equal((await findAccount(store.db, address('a@abc.com')))?.passwordHash, 'new')
    assert.equal(await store.commit((tx) => setAccountStatus(tx, address('b@abc.com'), 'active')), false)
    assert.equal(await store.changes.of('accounts'), before + 3)
  })
}

function mailboxes(open: Open): void {
  test('mailbox: in order of arrival, each with its own uidl (RFC 1939 §7)', async (t) => {
    const { store } = await open(t)
    const accountId = await account(store, 'a@abc.com')
    const other = await account(store, 'b@abc.com')
    const put = (to: number) =>
      store.commit(async (tx) => {
        const bytesId = await putBytes(store, tx)
        return addToMailbox(tx, { accountId: to, bytesId, sizeBytes: 100, receivedMs: START_MS })
      })
    const ids = [await put(accountId), await put(accountId)]
    await put(other)
    const items = await listMailbox(store.db, accountId)
    assert.deepEqual(
      items.map((item) => item.id),
      ids,
    )
    for (const { uidl } of items) assert.match(uidl, /^[\x21-\x7e]{1,70}$/)
    assert.notEqual(items[0]?.uidl, items[1]?.uidl)
    assert.deepEqual(await listMailbox(store.db, accountId), items)
  })

  test('mailbox: two terminals delete the same mail; nobody deletes from another account', async (t) => {
    const { store } = await open(t)
    const accountId = await account(store, 'a@abc.com')
    const other = await account(store, 'b@abc.com')
    const { id, bytesId } = await store.commit(async (tx) => {
      const added = await putBytes(store, tx)
      const item = { accountId, bytesId: added, sizeBytes: 100, receivedMs: START_MS }
      return { id: await addToMailbox(tx, item), bytesId: added }
    })
    assert.equal(await store.commit((tx) => deleteFromMailbox(tx, other, [id])), 0)
    const both = await Promise.all([1, 2].map(() => store.commit((tx) => deleteFromMailbox(tx, accountId, [id]))))
    assert.deepEqual(
      both.toSorted((a, b) => a - b),
      [0, 1],
    )
    await assert.rejects(store.bytes.read(bytesId), BytesMissing)
    assert.deepEqual(await listMailbox(store.db, accountId), [])
  })

  test('mailbox: an id is never given twice, even after the last mail was deleted', async (t) => {
    const { store } = await open(t)
    const accountId = await account(store, 'a@abc.com')
    const put = () =>
      store.commit(async (tx) => {
        const bytesId = await putBytes(store, tx)
        return addToMailbox(tx, { accountId, bytesId, sizeBytes: 100, receivedMs: START_MS })
      })
    const first = await put()
    await store.commit((tx) => deleteFromMailbox(tx, accountId, [first]))
    assert.ok((await put()) > first)
  })

  test('mailbox: evidence is kept beside the mail, and dropped in time', async (t) => {
    const { store } = await open(t)
    const accountId = await account(store, 'a@abc.com')
    const ids = await store.commit(async (tx) => {
      const bytesId = await putBytes(store, tx)
      const evidenceBytesId = await putBytes(store, tx)
      await addToMailbox(tx, { accountId, bytesId, sizeBytes: 100, receivedMs: START_MS, evidenceBytesId })
      return { bytesId, evidenceBytesId }
    })
    const expire = (beforeMs: number) => store.commit((tx) => expireEvidence(tx, { beforeMs, limit: 10 }))
    assert.equal(await expire(START_MS), 0)
    assert.equal((await store.bytes.read(ids.evidenceBytesId)).length, 100)
    assert.equal(await expire(START_MS + 1), 1)
    assert.equal(await expire(START_MS + 1), 0)
    await assert.rejects(store.bytes.read(ids.evidenceBytesId), BytesMissing)
    assert.equal((await store.bytes.read(ids.bytesId)).length, 100)
  })

  test('mailbox: bytes that two mailboxes share go with the second', async (t) => {
    const { store } = await open(t)
    const accountIds = [await account(store, 'a@abc.com'), await account(store, 'b@abc.com')]
    const { bytesId, rows } = await store.commit(async (tx) => {
      const shared = await putBytes(store, tx)
      const added: number[] = []
      for (const accountId of accountIds)
        added.push(await addToMailbox(tx, { accountId, bytesId: shared, sizeBytes: 100, receivedMs: START_MS }))
      return { bytesId: shared, rows: added }
    })
    await store.commit((tx) => deleteFromMailbox(tx, accountIds[0] ?? 0, rows))
    assert.equal((await store.bytes.read(bytesId)).length, 100)
    await store.commit((tx) => deleteFromMailbox(tx, accountIds[1] ?? 0, rows))
    await assert.rejects(store.bytes.read(bytesId), BytesMissing)
  })
}

function others(open: Open): void {
  test('quarantine: listed, taken out once; bytes stay when they are queued again', async (t) => {
    const { store } = await open(t)
    const { id, bytesId } = await store.commit(async (tx) => {
      const added = await putBytes(store, tx)
      const mail = {
        bytesId: added,
        atMs: START_MS,
        mailFrom: '' as const,
        recipients: [address('a@abc.com')],
        messageId: '<1@x>',
        reason: 'changed on its way',
      }
      return { id: await addToQuarantine(tx, mail), bytesId: added }
    })
    assert.deepEqual((await listQuarantine(store.db))[0]?.recipients, ['a@abc.com'])
    const take = () =>
      store.commit((tx) =>
        takeFromQuarantine(tx, id, async (mail) => {
          await enqueue(tx, [queueItem(mail.bytesId, 'a@abc.com')])
        }),
      )
    assert.equal((await take())?.reason, 'changed on its way')
    assert.equal(await take(), undefined)
    assert.deepEqual(await listQuarantine(store.db), [])
    assert.equal((await store.bytes.read(bytesId)).length, 100)
  })

  test('trace: the events of one message, in order; old ones are forgotten', async (t) => {
    const { store } = await open(t)
    const entry = (messageId: string, atMs: number, event: string) => ({ atMs, messageId, event, detail: '' })
    await store.commit((tx) =>
      addTrace(tx, [entry('<1@x>', 5, 'A1'), entry('<2@x>', 5, 'A1'), entry('<1@x>', 5, 'A2')]),
    )
    await store.commit((tx) => addTrace(tx, entry('<1@x>', 9, 'A4')))
    assert.deepEqual(
      (await traceOf(store.db, '<1@x>')).map(({ event }) => event),
      ['A1', 'A2', 'A4'],
    )
    assert.equal(await store.commit((tx) => expireTrace(tx, { beforeMs: 9, limit: 2 })), 2)
    assert.equal(await store.commit((tx) => expireTrace(tx, { beforeMs: 9, limit: 2 })), 1)
    assert.deepEqual(
      (await traceOf(store.db, '<1@x>')).map(({ event }) => event),
      ['A4'],
    )
    assert.deepEqual(await traceOf(store.db, '<3@x>'), [])
  })

  test('audit: written with the change, and undone with it', async (t) => {
    const { store } = await open(t)
    const entry = { nowMs: START_MS, actor: 'cli:root', operation: 'user add', subject: 'a@abc.com', detail: 'x' }
    await store.commit((tx) => audit(tx, entry))
    await assert.rejects(
      store.commit(async (tx) => {
        await audit(tx, { ...entry, subject: 'b@abc.com' })
        throw new Error('changed my mind')
      }),
    )
    assert.deepEqual(await listAudit(store.db, { limit: 10 }), [entry])
  })

  test('TLS results: counted together by policy, however long that is', async (t) => {
    const { store } = await open(t)
    const policyOf = (records: number): string =>
      JSON.stringify({
        type: 'tlsa',
        strings: Array.from({ length: records }, () => randomBytes(1_000).toString('hex')),
      })
    const policies = [policyOf(0), policyOf(50), policyOf(50)]
    const rows = policies.map((policy) => ({ ...tlsResult, policy }))
    await store.commit((tx) => addTlsResults(tx, rows))
    await store.commit((tx) => addTlsResults(tx, rows.slice(1)))
    const counted = rows.map((row, index) => ({ ...row, count: index === 0 ? 1 : 2 }))
    const read = await tlsResultsOf(store.db, tlsResult.day, tlsResult.domain)
    assert.deepEqual(
      read.map((row) => ({ ...row })),
      counted,
    )
  })
}

const tlsResult = {
  day: '2026-11-23',
  domain: 'b.example',
  result: 'success',
  host: 'mx.b.example',
  address: '192.0.2.1',
  sendingAddress: '192.0.2.2',
  count: 1,
} as const
