import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { addAccount } from '../store/accounts.ts'
import { address, openSqliteStore, START_MS, type Opened } from '../store/conformance/fixture.ts'
import { addToMailbox } from '../store/mailboxes.ts'
import { openMaildrop } from './mailbox-maildrop.ts'
import { MessageGone } from './pop3/maildrop.ts'

const SMALL = Buffer.from('Subject: small\r\n\r\n.\r\n')
const LARGE = randomBytes(300_000)

async function mailboxOf(
  t: TestContext,
  contents: readonly Uint8Array[],
): Promise<Opened & { readonly accountId: number }> {
  const opened = await openSqliteStore(t)
  const { store } = opened
  const account = await store.commit((tx) =>
    addAccount(tx, { address: address('bob@abc.com'), passwordHash: '$argon2id$', nowMs: START_MS }),
  )
  assert(account !== 'taken')
  for (const content of contents) {
    const finished = await store.bytes.seal(content)
    await store.commit(async (tx) => {
      const bytesId = await store.bytes.insert(tx, finished)
      const item = { accountId: account.id, bytesId, sizeBytes: content.length, receivedMs: START_MS }
      await addToMailbox(tx, item)
    })
  }
  return { ...opened, accountId: account.id }
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks))
}

test('a maildrop gives what is stored, in the order of arrival', async (t) => {
  const { store, accountId } = await mailboxOf(t, [SMALL, LARGE])
  const maildrop = await openMaildrop(store, accountId)
  assert.deepEqual(
    maildrop.messages.map(({ sizeBytes }) => sizeBytes),
    [SMALL.length, LARGE.length],
  )
  const [small, large] = maildrop.messages
  assert(small !== undefined && large !== undefined)
  assert((await readAll(maildrop.read(small.id))).equals(SMALL))
  assert((await readAll(maildrop.read(large.id))).equals(LARGE))
})

test('what one session removes is gone for the other, and may be removed again', async (t) => {
  const { store, accountId } = await mailboxOf(t, [SMALL, LARGE, SMALL])
  const [one, other] = [await openMaildrop(store, accountId), await openMaildrop(store, accountId)]
  const ids = one.messages.slice(0, 2).map(({ id }) => id)
  await one.remove(ids)
  for (const id of ids) await assert.rejects(readAll(other.read(id)), MessageGone)
  await other.remove(ids)
  const left = await openMaildrop(store, accountId)
  assert.deepEqual(left.messages, other.messages.slice(2))
})

test('a message of nobody, or of somebody else, is not there', async (t) => {
  const { store, accountId } = await mailboxOf(t, [SMALL])
  const [message] = (await openMaildrop(store, accountId)).messages
  assert(message !== undefined)
  const stranger = await openMaildrop(store, accountId + 1)
  assert.deepEqual(stranger.messages, [])
  await assert.rejects(readAll(stranger.read(message.id)), MessageGone)
  await stranger.remove([message.id])
  assert.equal((await openMaildrop(store, accountId)).messages.length, 1)
})

test('bytes that are lost do not look like a deletion', async (t) => {
  const { store, dir, accountId } = await mailboxOf(t, [LARGE])
  const maildrop = await openMaildrop(store, accountId)
  await rm(join(dir, 'bytes'), { recursive: true })
  const [message] = maildrop.messages
  assert(message !== undefined)
  await assert.rejects(readAll(maildrop.read(message.id)), (error) => !(error instanceof MessageGone))
})
