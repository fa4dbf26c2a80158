/** The queue, and what is held for the postmaster. */
import { audit } from '../../store/audit.ts'
import { type QueueItem, holdItems, listQueue, releaseItems, removeItems } from '../../store/queue.ts'
import { type TraceEntry, traceOf } from '../../store/trace.ts'
import { type Desk, OperationRefused } from '../desk.ts'

export type QueueChange = 'retry' | 'hold' | 'release' | 'remove'

export function listQueued(desk: Desk): Promise<readonly QueueItem[]> {
  return listQueue(desk.store.db)
}

/** Changes the rows with these ids, or all of them; `retry` leaves held ones held. Removing sends no report: the mail is gone. Returns how many. */
export async function changeQueue(
  desk: Desk,
  input: { change: QueueChange; ids: readonly number[] | 'all' },
): Promise<number> {
  const { change } = input
  const states = new Map((await listQueue(desk.store.db)).map((item) => [item.id, item.state]))
  const ids = input.ids === 'all' ? [...states.keys()] : input.ids
  const unknown = ids.find((id) => !states.has(id))
  if (unknown !== undefined)
    throw new OperationRefused(`There is no queue entry ${unknown}; "sealpost queue list" names them`)
  const nowMs = desk.clock.nowMs()
  await desk.store.commit(async (tx) => {
    switch (change) {
      case 'retry':
        await releaseItems(
          tx,
          ids.filter((id) => states.get(id) === 'ready'),
          nowMs,
        )
        break
      case 'hold':
        await holdItems(tx, ids, 'held by an administrator')
        break
      case 'release':
        await releaseItems(tx, ids, nowMs)
        break
      case 'remove':
        await removeItems(tx, ids)
    }
    await audit(tx, { nowMs, actor: desk.actor, operation: `queue ${change}`, subject: ids.join(','), detail: '' })
  })
  return ids.length
}

/** Everything that happened to one message, in order. */
export function traceMessage(desk: Desk, input: { messageId: string }): Promise<readonly TraceEntry[]> {
  const { messageId } = input
  return traceOf(desk.store.db, messageId.startsWith('<') ? messageId : `<${messageId}>`)
}
