/** A queue worker with a clock of its own whose relay and mailboxes answer what the test says. */
import assert from 'node:assert/strict'
import { createHash, createSecretKey, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { domainOf, parseAddress, parseDomain, type Address, type Domain } from '../../src/message/address.ts'
import type { OutgoingMail, RecipientResult } from '../../src/protocol/delivery.ts'
import { reply } from '../../src/protocol/smtp-reply.ts'
import { enqueueFor, type HandedOver } from '../../src/store/hand-over.ts'
import { openStore, type Store } from '../../src/store/database.ts'
import { enqueue, listQueue, type NewQueueItem } from '../../src/store/queue.ts'
import { QueueWorker, type QueueWorkerDeps } from '../../src/queue/worker.ts'

export const ALICE = address('alice@here.example')
export const BOB = address('bob@there.example')
export const EVE = address('eve@there.example')
export const HERE = domainOf(ALICE)
const ORIGINAL = 'Subject: secret plan\r\nMessage-ID: <1@here.example>\r\n\r\nbody text\r\n'

type Answer = (mail: OutgoingMail, recipient: Address) => RecipientResult

interface StartOptions {
  readonly started?: boolean
  readonly limits?: QueueWorkerDeps['limits']
  readonly gate?: Promise<void>
  readonly abort?: () => void
}

export async function start(answer: Answer, options: StartOptions = {}): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-queue-'))
  const secret = randomBytes(32)
  const id = createHash('sha256').update(secret).digest('hex').slice(0, 16)
  const clock = { ms: Date.UTC(2026, 10, 1), nowMs: (): number => clock.ms }
  const store = await openStore({ dir, masterKey: { id, key: createSecretKey(secret) }, clock })
  const bench = new Bench(dir, store, clock, answer, options)
  if (options.started !== false) await bench.worker.start()
  return bench
}

export class Bench implements AsyncDisposable {
  readonly worker: QueueWorker
  readonly relayed: OutgoingMail[] = []
  readonly stored: OutgoingMail[] = []
  readonly local: { mail: OutgoingMail; text: string }[] = []
  readonly store: Store
  readonly clock: { ms: number }
  readonly #dir: string
  runningMax = 0
  #running = 0

  constructor(
    dir: string,
    store: Store,
    clock: { ms: number; nowMs(): number },
    answer: Answer,
    options: StartOptions,
  ) {
    this.#dir = dir
    this.store = store
    this.clock = clock
    this.worker = new QueueWorker({
      clock,
      store,
      hostname: parseDomain('mx.here.example') as Domain,
      isOwnDomain: (domain) => domain === HERE,
      random: () => 0,
      ...(options.limits && { limits: options.limits }),
      abortRelay: options.abort ?? (() => {}),
      relay: async (mail) => {
        this.relayed.push(mail)
        this.runningMax = Math.max(this.runningMax, ++this.#running)
        await options.gate
        await sleep(1)
        this.#running--
        return mail.recipients.map((path) => answer(mail, path.address))
      },
      deliverLocally: async (mail, content) => {
        const chunks = await Array.fromAsync(content())
        this.local.push({ mail, text: Buffer.concat(chunks).toString('latin1') })
        return mail.recipients.map((path) => answer(mail, path.address))
      },
      deliverToStore: (mail) => {
        this.stored.push(mail)
        return Promise.resolve(mail.recipients.map((path) => answer(mail, path.address)))
      },
    })
  }

  async queue(items: readonly Omit<NewQueueItem, 'bytesId' | 'queuedMs'>[], wake = true): Promise<void> {
    const sealed = await this.store.bytes.seal(Buffer.from(ORIGINAL))
    await this.store.commit(async (tx) => {
      const bytesId = await this.store.bytes.insert(tx, sealed)
      await enqueue(
        tx,
        items.map((one) => ({ ...one, bytesId, queuedMs: this.clock.ms })),
      )
    })
    if (wake) this.worker.notify()
  }

  /** As `outbound` does it; sealed is one thing and `plain` another, to tell where the bytes came from. */
  async handOver(items: readonly Omit<NewQueueItem, 'bytesId' | 'queuedMs'>[], plain?: Uint8Array): Promise<void> {
    this.worker.take(await this.queueFor(items, plain))
  }

  async queueFor(
    items: readonly Omit<NewQueueItem, 'bytesId' | 'queuedMs'>[],
    plain?: Uint8Array,
  ): Promise<HandedOver> {
    const sealed = await this.store.bytes.seal(Buffer.from(ORIGINAL))
    assert(sealed.place.kind === 'inline')
    const bytes = plain === undefined ? sealed : { ...sealed, place: { ...sealed.place, plain } }
    return this.store.commit(async (tx) => {
      const bytesId = await this.store.bytes.insert(tx, sealed)
      const rows = items.map((one) => ({ ...one, bytesId, queuedMs: this.clock.ms }))
      return enqueueFor(this.worker, tx, rows, bytes)
    })
  }

  rows(): ReturnType<typeof listQueue> {
    return listQueue(this.store.db)
  }

  count(table: 'bytes'): Promise<unknown[]> {
    return this.store.db.selectFrom(table).select('id').execute()
  }

  async goOn(ms: number): Promise<void> {
    this.clock.ms += ms
    this.worker.notify()
    await sleep(1)
  }

  empty(): Promise<void> {
    return this.until(async () => (await this.rows()).length === 0)
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const endMs = performance.now() + 60_000
    while (!(await condition())) {
      assert.ok(performance.now() < endMs, 'timeout')
      await sleep(5)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.stop(100)
    await this.store.close()
    await rm(this.#dir, { recursive: true })
  }
}

export function item(recipient: Address): Omit<NewQueueItem, 'bytesId' | 'queuedMs'> {
  return {
    mailFrom: ALICE,
    recipient,
    domain: domainOf(recipient),
    messageId: '<1@here.example>',
    dsn: {},
    smtpUtf8: false,
    eightBit: false,
    bodyKind: 'sealed',
  }
}

const remote = 'mx.there.example'
const result = { remote, dsnPassedOn: false }

export const delivered = (recipient: Address): RecipientResult => ({
  ...result,
  recipient,
  outcome: 'delivered',
  reply: reply(250, '2.0.0', 'Ok'),
})

export const stored = (recipient: Address): RecipientResult => ({
  recipient,
  outcome: 'delivered',
  reply: reply(250, '2.0.0', 'Stored'),
  dsnPassedOn: false,
})

export const failed = (recipient: Address, status: `5.${number}.${number}`, text: string): RecipientResult => ({
  ...result,
  recipient,
  outcome: 'failed',
  reply: reply(550, status, text),
})

export const deferred = (recipient: Address, status: `4.${number}.${number}`, text: string): RecipientResult => ({
  ...result,
  recipient,
  outcome: 'deferred',
  reply: reply(450, status, text),
})

export const unreachable = (recipient: Address): RecipientResult => ({
  recipient,
  outcome: 'deferred',
  reply: reply(451, '4.4.1', 'No connection'),
  dsnPassedOn: false,
})

export function address(text: string): Address {
  const parsed = parseAddress(text)
  assert.ok(parsed !== undefined)
  return parsed
}
