import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as events from '../base/events.ts'
import * as mailEvents from '../base/mail-events.ts'
import { countEvents } from './event-metrics.ts'
import { printMetrics } from './registry.ts'

const mail = { messageId: '<1@a.example>' }
const BEN = 'ben@b.example'
const attempt = { ...mail, recipient: BEN, remote: 'mx.b.example', reply: '250 Ok' }
const verdict = { ...mail, recipient: BEN, outcome: 'accept', rule: 'valid', layers: [], encrypted: true }
const copy = { recipients: [BEN, 'cara@b.example'], protection: 'encrypted', standard: 'smime' } as const

/** What is said, and the series that it adds to. */
const CASES: readonly [say: () => void, ...series: string[]][] = [
  [
    () => events.messageReceived({ ...mail, by: 'mx', mailFrom: 'ann@a.example', rcptTo: [BEN], sizeBytes: 500 }),
    'sealpost_messages_received_total{by="mx"} 1',
    'sealpost_received_bytes_total{by="mx"} 500',
  ],
  [
    () =>
      events.say(
        mailEvents.queued({
          ...mail,
          sender: 'ann@a.example',
          recipients: [...copy.recipients, 'x@c.example'],
          copies: [copy, { recipients: ['x@c.example'], protection: 'signed', standard: 'openpgp' }],
          refused: [],
          reply: 'Queued',
        }),
      ),
    'sealpost_recipients_queued_total 3',
    'sealpost_recipients_protected_total{protection="encrypted",standard="smime"} 2',
    'sealpost_recipients_protected_total{protection="signed",standard="openpgp"} 1',
  ],
  [
    () => events.connectionFailed({ by: 'mx', why: 'no shared cipher' }),
    'sealpost_connections_failed_total{by="mx"} 1',
  ],
  [
    () => events.say(mailEvents.verdict({ ...verdict, signature: 'valid', standard: 'openpgp' })),
    'sealpost_verdicts_total{outcome="accept",rule="valid",signature="valid",encrypted="yes",standard="openpgp"} 1',
  ],
  [
    () => events.say(mailEvents.delivered({ ...attempt, address: '192.0.2.1', tls: 'TLSv1.3', verified: 'dane' })),
    'sealpost_deliveries_total{outcome="delivered"} 1',
    'sealpost_delivered_over_total{tls="TLSv1.3",verified="dane"} 1',
  ],
  [
    () => events.say(mailEvents.delivered({ ...attempt, address: '192.0.2.1', tls: 'none', verified: 'none' })),
    'sealpost_deliveries_total{outcome="delivered"} 2',
    'sealpost_delivered_over_total{tls="none",verified="none"} 1',
  ],
  [
    () => events.say(mailEvents.delivered({ ...mail, recipient: BEN })),
    'sealpost_deliveries_total{outcome="delivered"} 3',
  ],
  [
    () => events.say(mailEvents.deferred({ ...attempt, nextAttemptMs: 0, attempts: 1 })),
    'sealpost_deliveries_total{outcome="deferred"} 1',
  ],
  [
    () => events.say(mailEvents.returned({ ...attempt, action: 'failed', sender: 'ann@a.example' })),
    'sealpost_deliveries_total{outcome="returned"} 1',
  ],
  [
    () => events.say(mailEvents.returned({ ...attempt, action: 'relayed', sender: 'ann@a.example' })),
    'sealpost_deliveries_total{outcome="returned"} 1',
  ],
  [
    () => events.took({ ...mail, by: 'relay', tookMs: { deliver: 30 } }),
    'sealpost_stage_seconds_bucket{stage="deliver",by="relay",le="0.025"} 0',
    'sealpost_stage_seconds_bucket{stage="deliver",by="relay",le="0.05"} 1',
    'sealpost_stage_seconds_sum{stage="deliver",by="relay"} 0.03',
  ],
  [
    () => events.keyLookedUp({ address: BEN, source: 'wkd', outcome: 'found', fingerprints: ['00'] }),
    'sealpost_key_lookups_total{source="wkd",outcome="found"} 1',
  ],
  [
    () => events.workerReplaced({ pool: 'protection', why: 'it took too long' }),
    'sealpost_workers_replaced_total{pool="protection"} 1',
  ],
  [() => events.refused({ by: 'mx', reply: '550 5.7.7 Changed' }), 'sealpost_refused_total{by="mx",code="550"} 1'],
]

test('what is said is counted, with words of ours and never an address', async () => {
  const counted = countEvents()
  const print = () => printMetrics(counted.metrics, (error) => assert.fail(String(error)))
  for (const [say, ...series] of CASES) {
    say()
    const lines = new Set((await print()).split('\n'))
    for (const one of series) assert.ok(lines.has(one), one)
  }
  assert.doesNotMatch(await print(), /example/)
  counted.stop()
  events.refused({ by: 'mx', reply: '550 5.7.7 Changed' })
  assert.match(await print(), /sealpost_refused_total\{by="mx",code="550"\} 1\n/)
})
