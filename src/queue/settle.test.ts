import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Address, domainOf, parseAddress } from '../message/address.ts'
import { reply } from '../protocol/smtp-reply.ts'
import { openStore, type Store } from '../store/database.ts'
import { enqueue, listQueue, type QueueItem } from '../store/queue.ts'
import type { BytesId } from '../store/schema.ts'
import { RETRY_SCHEDULE } from './retry.ts'
import { prepareSettlement, Settler, type Settlement } from './settle.ts'

const NOW_MS = Date.UTC(2026, 10, 22)

test('a settlement that cannot be written keeps no other from being written', async () => {
  const { store, remove } = await openEmptyStore()
  try {
    const [first, second, third] = ['a', 'b', 'c'].map((name) => address(`${name}@there.example`))
    assert(first !== undefined && second !== undefined && third !== undefined)
    const sealed = await store.bytes.seal(Buffer.from('Subject: x\r\n\r\nx\r\n'))
    await store.commit(async (tx) => {
      const bytesId = await store.bytes.insert(tx, sealed)
      await enqueue(
        tx,
        [first, second, third].map((recipient) => ({
          bytesId,
          mailFrom: address('alice@here.example'),
          recipient,
          domain: domainOf(recipient),
          queuedMs: NOW_MS,
          messageId: '<1@here.example>',
          dsn: {},
          smtpUtf8: false,
          eightBit: false,
          bodyKind: 'sealed' as const,
        })),
      )
    })
    const delivered = new Map((await listQueue(store.db)).map((item) => [item.recipient, deliveredAt(item, NOW_MS)]))
    const settler = new Settler({ store, hostname: domainOf(address('x@mail.here.example')) })
    // the first is written alone; the others wait for it and make a group, of which one has no time: NOT NULL fails
    const one = settler.settle(delivered.get(first) as Settlement)
    const bad = settler.settle({ ...(delivered.get(second) as Settlement), nowMs: Number.NaN })
    const good = settler.settle(delivered.get(third) as Settlement)
    const [, rejected, written] = await Promise.allSettled([one, bad, good])
    assert.deepEqual([rejected?.status, written?.status], ['rejected', 'fulfilled'])
    assert.deepEqual(
      (await listQueue(store.db)).map((item) => item.recipient),
      [second],
    )
  } finally {
    await remove()
  }
})

test('of a message that cannot be read the report has the Message-ID at least', async () => {
  const { store, remove } = await openEmptyStore()
  try {
    const item: QueueItem = {
      id: 1,
      bytesId: 77 as BytesId, // of which there is nothing
      mailFrom: address('alice@here.example'),
      recipient: address('bob@there.example'),
      domain: domainOf(address('bob@there.example')),
      queuedMs: NOW_MS,
      nextAttemptMs: NOW_MS,
      messageId: '<1@here.example>',
      dsn: {},
      tls: 'usual',
      smtpUtf8: false,
      eightBit: false,
      bodyKind: 'sealed',
      state: 'ready',
      attempts: 0,
      lastReply: null,
      delayToldMs: null,
    }
    const { bytesId, mailFrom, domain, recipient } = item
    const refused = { recipient, outcome: 'failed' as const, reply: reply(550, '5.1.1', 'No'), dsnPassedOn: false }
    const { notice } = await prepareSettlement(
      { store, hostname: domainOf(address('x@mail.here.example')) },
      { bytesId, mailFrom, domain, sizeBytes: 5, items: [item] },
      [{ kind: 'failed', item, result: refused, expired: false, notify: 'failed' }],
      { nowMs: NOW_MS, schedule: RETRY_SCHEDULE },
    )
    assert.match(
      String(notice && Buffer.from(notice.bytes)),
      /text\/rfc822-headers[^]*\r\nMessage-ID: <1@here\.example>\r\n/,
    )
  } finally {
    await remove()
  }
})

async function openEmptyStore(): Promise<{ readonly store: Store; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-settle-'))
  const masterKey = { id: '0123456789abcdef', key: createSecretKey(randomBytes(32)) }
  const store = await openStore({ dir, masterKey, clock: { nowMs: () => NOW_MS } })
  return {
    store,
    async remove() {
      await store.close()
      await rm(dir, { recursive: true })
    },
  }
}

type Item = Awaited<ReturnType<typeof listQueue>>[number]

function deliveredAt(item: Item, nowMs: number): Settlement {
  const result = {
    recipient: item.recipient,
    outcome: 'delivered' as const,
    reply: reply(250, '2.0.0', 'Ok'),
    dsnPassedOn: false,
  }
  return { verdicts: [{ kind: 'delivered', item, result, notify: undefined }], notice: undefined, nowMs }
}

function address(text: string): Address {
  const parsed = parseAddress(text)
  assert(parsed !== undefined)
  return parsed
}
