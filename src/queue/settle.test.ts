import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Address, domainOf, parseAddress } from '../message/address.ts'
import { reply } from '../protocol/smtp-reply.ts'
import { openStore } from '../store/database.ts'
import { enqueue, listQueue } from '../store/queue.ts'
import { Settler, type Settlement } from './settle.ts'

const NOW_MS = Date.UTC(2026, 10, 22)

test('a settlement that cannot be written keeps no other from being written', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-settle-'))
  const masterKey = { id: '0123456789abcdef', key: createSecretKey(randomBytes(32)) }
  const store = await openStore({ dir, masterKey, clock: { nowMs: () => NOW_MS } })
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
    await store.close()
    await rm(dir, { recursive: true })
  }
})

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
