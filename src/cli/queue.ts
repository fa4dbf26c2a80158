/** `sealpost queue …` and `sealpost trace …` */
import { Command } from 'commander'
import { type QueueChange, changeQueue, listQueued, traceMessage } from '../admin/operations/queue.ts'
import { atDesk } from './desk-of.ts'
import { type CommonOptions, command, isoTime, say, sayRows } from './output.ts'

const CHANGES: readonly [change: QueueChange, description: string][] = [
  ['retry', 'Try again now.'],
  ['hold', 'Stop trying until released.'],
  ['release', 'Undo "hold", and try now.'],
  ['remove', 'Drop it; nobody is told.'],
]

export function queueCommand(): Command {
  const queue = new Command('queue').description('Mail that waits to go out.')
  queue.addCommand(command('list', 'What waits, since when, and why.', ['sealpost queue list']).action(list))
  for (const [change, description] of CHANGES) {
    const examples = [`sealpost queue ${change} 17 18`, `sealpost queue ${change} --all`]
    queue.addCommand(
      command(`${change} [ids...]`, description, examples)
        .option('--all', 'everything in the queue')
        .action((ids: string[], options: CommonOptions & { all?: boolean }, made: Command) =>
          apply(change, ids, options, made),
        ),
    )
  }
  return queue
}

export function traceCommand(): Command {
  return command('trace <message-id>', 'Everything that happened to one mail, in order.', [
    "sealpost trace '<20261122.1@biglobe.ne.jp>'",
  ]).action(trace)
}

async function list(options: CommonOptions): Promise<void> {
  const items = await atDesk(options, listQueued)
  const rows = items.map((item) => ({
    id: item.id,
    state: item.state,
    from: item.mailFrom === '' ? '<>' : item.mailFrom,
    to: item.recipient,
    queued: isoTime(item.queuedMs),
    next: isoTime(item.nextAttemptMs),
    attempts: item.attempts,
    messageId: item.messageId,
    reply: item.lastReply,
  }))
  sayRows(options, rows, 'The queue is empty.')
}

async function apply(
  change: QueueChange,
  ids: string[],
  options: CommonOptions & { all?: boolean },
  made: Command,
): Promise<void> {
  const numbers = ids.map(Number)
  if ((numbers.length === 0) === (options.all !== true) || numbers.some((id) => !Number.isSafeInteger(id)))
    made.error('error: name queue ids, or --all')
  const count = await atDesk(options, (desk) =>
    changeQueue(desk, { change, ids: options.all === true ? 'all' : numbers }),
  )
  say(options, { change, count }, `${change}: ${count} ${count === 1 ? 'entry' : 'entries'}`)
}

async function trace(messageId: string, options: CommonOptions): Promise<void> {
  const entries = await atDesk(options, (desk) => traceMessage(desk, { messageId }))
  const rows = entries.map(({ atMs, event, detail }) => ({ at: isoTime(atMs), event, detail }))
  sayRows(options, rows, `Nothing is known of ${messageId}.`)
}
