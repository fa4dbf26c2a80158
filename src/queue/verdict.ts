/** From what an attempt gave to what becomes of each row, and what its sender hears. Pure. */
import type { RecipientResult } from '../protocol/delivery.ts'
import type { Reply } from '../protocol/smtp-reply.ts'
import type { QueueItem } from '../store/queue.ts'
import { nextStep, type RetrySchedule } from './retry.ts'

/** What happens with one row. `notify`: the sender gets a DSN about it (RFC 3461 §4.1). */
export type ItemVerdict = { readonly item: QueueItem; readonly result: RecipientResult } & (
  | { readonly kind: 'delivered'; readonly notify: 'delivered' | 'relayed' | undefined }
  | { readonly kind: 'failed'; readonly expired: boolean; readonly notify: 'failed' | undefined }
  | { readonly kind: 'retry'; readonly atMs: number; readonly notify: 'delayed' | undefined }
  | { readonly kind: 'held'; readonly notify?: undefined }
)

export function verdictOn(
  item: QueueItem,
  result: RecipientResult,
  now: { readonly nowMs: number; readonly schedule: RetrySchedule; readonly random: number },
): ItemVerdict {
  switch (result.outcome) {
    case 'delivered': {
      // RFC 3461 §5.2.2: where nobody further on will report, "relayed" is the last that can be said
      const action = result.remote === undefined || isOpened(item) ? 'delivered' : 'relayed'
      const wanted = !result.dsnPassedOn && wants(item, 'SUCCESS')
      return { kind: 'delivered', item, result, notify: wanted ? action : undefined }
    }
    case 'failed':
      return failed(item, result, false)
    case 'deferred': {
      const step = nextStep(item, now.nowMs, now.schedule, now.random)
      if (step.kind === 'give-up') return failed(item, result, true)
      const tell = step.tellDelay && wants(item, 'DELAY')
      return { kind: 'retry', atMs: step.atMs, item, result, notify: tell ? 'delayed' : undefined }
    }
  }
}

/** It was opened for one of our users and is on its way into the mail store behind us. */
export const isOpened = ({ bodyKind }: QueueItem): boolean => bodyKind === 'opened'

/** Its sender has heard 250: what the mail store refuses and nobody may be told of waits for the postmaster. */
function failed(item: QueueItem, result: RecipientResult, expired: boolean): ItemVerdict {
  if (wants(item, 'FAILURE')) return { kind: 'failed', expired, item, result, notify: 'failed' }
  if (isOpened(item)) return { kind: 'held', item, result }
  return { kind: 'failed', expired, item, result, notify: undefined }
}

/** RFC 3463 status for the DSN (RFC 3464 §2.3.4). X.4.7: the time ran out; the reply then stands as diagnostic. */
export function statusOf(verdict: ItemVerdict): string {
  if (verdict.kind === 'failed' && verdict.expired) return '4.4.7'
  const { reply } = verdict.result
  return reply.enhanced === '' ? `${classOf(reply)}.0.0` : reply.enhanced
}

const classOf = (answer: Reply): number => (answer.code >= 500 ? 5 : answer.code >= 400 ? 4 : 2)

/** RFC 3461 §4.1: without NOTIFY failures and delays are told, success is not. Null reverse-path: never (RFC 5321 §4.5.5). */
function wants(item: QueueItem, condition: 'SUCCESS' | 'FAILURE' | 'DELAY'): boolean {
  if (item.mailFrom === '') return false
  if (item.dsn.notify === undefined) return condition !== 'SUCCESS'
  return item.dsn.notify.toUpperCase().split(',').includes(condition)
}
