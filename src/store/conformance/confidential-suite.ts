/** Mails that hid something of their header on the wire. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Account, addAccount } from '../accounts.ts'
import { expireConfidential, hiddenIn, rememberConfidential } from '../confidential-mails.ts'
import type { Store } from '../database.ts'
import { address, START_MS, type Open } from './fixture.ts'

export function confidentialSuite(open: Open): void {
  test('confidential mails: known to their own user only, by any of the identifiers', async (t) => {
    const { store } = await open(t)
    const [azuma, suzuki] = [await account(store, 't-azuma@abc.com'), await account(store, 'u-suzuki@abc.com')]
    await remember(store, azuma, '<1@x>', 'baseline')
    await remember(store, azuma, '<2@x>', 'shy')
    const cases: readonly [user: Account, ids: readonly string[], hidden: string][] = [
      [azuma, [], 'none'],
      [azuma, ['<0@x>'], 'none'],
      [azuma, ['<0@x>', '<1@x>'], 'baseline'],
      [azuma, ['<1@x>', '<2@x>'], 'shy'],
      [suzuki, ['<1@x>', '<2@x>'], 'none'],
    ]
    for (const [user, ids, hidden] of cases)
      assert.equal(await hiddenIn(store.db, user.id, ids), hidden, `${user.address} ${ids.join()}`)
  })

  test('confidential mails: the most that one identifier ever hid counts', async (t) => {
    const { store } = await open(t)
    const user = await account(store, 't-azuma@abc.com')
    for (const hidden of ['baseline', 'shy', 'baseline'] as const) await remember(store, user, '<1@x>', hidden)
    assert.equal(await hiddenIn(store.db, user.id, ['<1@x>']), 'shy')
  })

  test('confidential mails: forgotten by age, so many at a time; seen again, they are as new', async (t) => {
    const { store } = await open(t)
    const user = await account(store, 't-azuma@abc.com')
    for (const name of ['a', 'b', 'c']) await remember(store, user, `<${name}@x>`, 'baseline')
    await remember(store, user, '<c@x>', 'baseline', START_MS + 10)
    const old = { beforeMs: START_MS + 1, limit: 1 }
    const forget = (): Promise<number> => store.commit((tx) => expireConfidential(tx, old))
    assert.deepEqual([await forget(), await forget(), await forget()], [1, 1, 0])
    assert.equal(await hiddenIn(store.db, user.id, ['<a@x>', '<b@x>']), 'none')
    assert.equal(await hiddenIn(store.db, user.id, ['<c@x>']), 'baseline')
  })
}

function remember(
  store: Store,
  { address: user }: Account,
  messageId: string,
  hidden: 'baseline' | 'shy',
  atMs: number = START_MS,
): Promise<void> {
  return store.commit((tx) => rememberConfidential(tx, { user, messageId, hidden, atMs }))
}

async function account(store: Store, text: string): Promise<Account> {
  const added = await store.commit((tx) =>
    addAccount(tx, { address: address(text), passwordHash: '$argon2id$', nowMs: START_MS }),
  )
  assert.ok(added !== 'taken')
  return added
}
