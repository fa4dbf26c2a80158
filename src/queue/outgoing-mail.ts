/** From rows of the queue to one mail for whoever delivers it. */
import type { Address } from '../message/address.ts'
import type { OutgoingMail } from '../protocol/delivery.ts'
import type { ForwardPath, TlsWish } from '../protocol/smtp-envelope.ts'
import type { QueueBatch, QueueItem } from '../store/queue.ts'

export function outgoingMail(batch: QueueBatch): OutgoingMail {
  const first = batch.items[0]
  if (first === undefined) throw new Error('A batch without items')
  const paths = new Map<Address, ForwardPath>()
  for (const { recipient, dsn } of batch.items) {
    const { notify, orcpt } = dsn
    const wishes = { ...(notify !== undefined && { notify }), ...(orcpt !== undefined && { orcpt }) }
    paths.set(recipient, { address: recipient, dsn: wishes })
  }
  return {
    messageId: first.messageId,
    mailFrom: batch.mailFrom,
    recipients: [...paths.values()],
    domain: batch.domain,
    sizeBytes: batch.sizeBytes,
    smtpUtf8: batch.items.some((item) => item.smtpUtf8),
    eightBit: first.eightBit,
    sealed: first.bodyKind === 'sealed',
    tls: strictest(batch.items),
    ...(first.dsn.ret !== undefined && { ret: first.dsn.ret }),
    ...(first.dsn.envid !== undefined && { envid: first.dsn.envid }),
  }
}

const strictest = (items: readonly QueueItem[]): TlsWish =>
  (['required', 'usual'] as const).find((wish) => items.some(({ tls }) => tls === wish)) ?? 'unimportant'
