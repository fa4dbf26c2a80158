/** `sealpost queue …` and `sealpost trace …` */
import { Command } from 'commander'
import { type QueueChange, type QueueWish, changeQueue, listQueued, traceMessage } from '../admin/operations/queue.ts'
import type { QueueItem } from '../store/queue.ts'
import { atDesk } from './desk-of.ts'
import { type CommonOptions, command, isoTime, note, say, sayRows, spanOf } from './output.ts'

const CHANGES: readonly [change: QueueChange, description: string][] = [
  ['retry', 'Try again now.'],
  ['hold', 'Stop trying until released.'],
  ['release', 'Undo "hold", and try now.'],
  ['remove', 'Drop it; nobody is told.'],
]

interface WishOptions extends CommonOptions, QueueWish {
  readonly all?: boolean
}

export function queueCommand(): Command {
  const queue = new Command('queue').description('Mail that waits to go out: one entry for each recipient.')
  const listed = command('list', 'What waits, since when, when it is tried next, and the last answer.', [
    'sealpost queue list',
    'sealpost queue list --domain example.org',
    'sealpost queue list --state held --json',
  ])
  queue.addCommand(wishable(listed).action(list))
  for (const [change, description] of CHANGES) {
    const examples = [
      `sealpost queue ${change} 17 18`,
      `sealpost queue ${change} --domain example.org`,
      `sealpost queue ${change} --all`,
    ]
    queue.addCommand(
      wishable(command(`${change} [ids...]`, description, examples))
        .option('--all', 'everything in the queue')
        .action((ids: string[], options: WishOptions, made: Command) => apply(change, ids, options, made)),
    )
  }
  return queue
}

const wishable = (made: Command): Command =>
  made
    .option('--domain <domain>', 'only what goes to this domain')
    .option('--sender <address>', "only what is from this address; '<>' is reports, which nobody wants back")
    .option('--state <state>', 'only what is "ready", or "held" until somebody releases it')

export function traceCommand(): Command {
  return command('trace <message-id>', 'Everything that happened to one mail, in order.', [
    "sealpost trace '<20261122.1@biglobe.ne.jp>'",
  ]).action(trace)
}

async function list(options: WishOptions): Promise<void> {
  const items = await atDesk(options, (desk) => listQueued(desk, wishOf(options)))
  if (options.json === true) return sayRows(options, items.map(rowOf), '')
  const nowMs = Date.now()
  sayRows(
    options,
    items.map((item) => personsRow(item, nowMs)),
    'Nothing waits.',
  )
  const held = items.filter(({ state }) => state === 'held').length
  const [oldest] = items
  if (oldest !== undefined)
    note(`${items.length} waiting, ${held} of them held; the oldest for ${spanOf(nowMs - oldest.queuedMs)}`)
}

const rowOf = (item: QueueItem) => ({
  id: item.id,
  state: item.state,
  from: item.mailFrom === '' ? '<>' : item.mailFrom,
  to: item.recipient,
  queued: isoTime(item.queuedMs),
  next: isoTime(item.nextAttemptMs),
  attempts: item.attempts,
  messageId: item.messageId,
  reply: item.lastReply,
})

function personsRow(item: QueueItem, nowMs: number) {
  const inMs = item.nextAttemptMs - nowMs
  const { id, state, from, to, attempts, messageId, reply } = rowOf(item)
  const next = state === 'held' ? 'held' : inMs <= 0 ? 'now' : `in ${spanOf(inMs)}`
  return { id, age: spanOf(nowMs - item.queuedMs), next, attempts, from, to, messageId, reply: shortened(reply) }
}

/** A screen is not wide; `--json` has all of it. */
const REPLY_SHOWN_MAX = 100
const shortened = (text: string | null): string | null =>
  text !== null && text.length > REPLY_SHOWN_MAX ? `${text.slice(0, REPLY_SHOWN_MAX)}…` : text

const wishOf = ({ domain, sender, state }: WishOptions): QueueWish => ({
  ...(domain !== undefined && { domain }),
  ...(sender !== undefined && { sender }),
  ...(state !== undefined && { state }),
})

async function apply(change: QueueChange, ids: string[], options: WishOptions, made: Command): Promise<void> {
  const numbers = ids.map(Number)
  const wish = wishOf(options)
  const ways = [numbers.length > 0, options.all === true, Object.keys(wish).length > 0].filter(Boolean).length
  if (ways !== 1 || numbers.some((id) => !Number.isSafeInteger(id)))
    made.error('error: name queue ids, or say which by --domain, --sender and --state, or --all')
  const which = numbers.length > 0 ? numbers : wish
  const count = await atDesk(options, (desk) => changeQueue(desk, { change, which }))
  say(options, { change, count }, `${change}: ${count} ${count === 1 ? 'entry' : 'entries'}`)
}

async function trace(messageId: string, options: CommonOptions): Promise<void> {
  const entries = await atDesk(options, (desk) => traceMessage(desk, { messageId }))
  const rows = entries.map(({ atMs, event, detail, facts }) => ({
    at: isoTime(atMs),
    event,
    detail,
    ...(options.json === true && { facts: facts ?? null }),
  }))
  sayRows(options, rows, `Nothing is known of ${messageId}.`)
}
