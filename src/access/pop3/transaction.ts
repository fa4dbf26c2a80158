/** Commands of the TRANSACTION state: what is there? */
import assert from 'node:assert/strict'
import type { Pop3Command } from '../../protocol/pop3-command.ts'
import { negative, positive, type Pop3Reply } from '../../protocol/pop3-reply.ts'
import { TopCutter } from '../../protocol/pop3-top.ts'
import { MessageGone, type MaildropMessage } from './maildrop.ts'
import { factsOf, type Answer, type CommandContext, type OpenMaildrop } from './session-state.ts'
import { findMessage, markDeleted, remaining, tally, unmarkAll } from './snapshot.ts'

type CommandOf<Name extends Pop3Command['name']> = Extract<Pop3Command, { readonly name: Name }>

/** RFC 1939 §5: the numbers only, nothing after them. */
export function onStat(context: CommandContext): Answer {
  const { count, sizeBytes } = tally(openOf(context))
  return ok(`${count} ${sizeBytes}`)
}

/** RFC 1939 §5. */
export function onList(context: CommandContext, command: CommandOf<'LIST' | 'UIDL'>): Answer {
  const open = openOf(context)
  if (command.message !== undefined) {
    const message = findMessage(open, command.message)
    return message === undefined ? NO_SUCH_MESSAGE : ok(`${command.message} ${message.sizeBytes}`)
  }
  const { count, sizeBytes } = tally(open)
  return {
    kind: 'lines',
    reply: positive(`${count} messages (${sizeBytes} octets)`),
    lines: remaining(open).map(([number, message]) => `${number} ${message.sizeBytes}`),
  }
}

/** RFC 1939 §7. */
export function onUidl(context: CommandContext, command: CommandOf<'LIST' | 'UIDL'>): Answer {
  const open = openOf(context)
  if (command.message !== undefined) {
    const message = findMessage(open, command.message)
    return message === undefined ? NO_SUCH_MESSAGE : ok(`${command.message} ${message.uidl}`)
  }
  const lines = remaining(open).map(([number, message]) => `${number} ${message.uidl}`)
  return { kind: 'lines', reply: positive('Unique-id listing follows'), lines }
}

/** RFC 1939 §5. */
export async function onRetr(context: CommandContext, command: CommandOf<'RETR' | 'DELE'>): Promise<Answer> {
  const message = findMessage(openOf(context), command.message)
  if (message === undefined) return NO_SUCH_MESSAGE
  return send(context, message, {
    reply: positive(`${message.sizeBytes} octets`),
    show: (chunks) => chunks,
    delivered: () => context.deps.events.retrieved(factsOf(context.state), message),
  })
}

/** RFC 1939 §7. */
export async function onTop(context: CommandContext, command: CommandOf<'TOP'>): Promise<Answer> {
  const message = findMessage(openOf(context), command.message)
  if (message === undefined) return NO_SUCH_MESSAGE
  return send(context, message, {
    reply: positive('Top of message follows'),
    show: (chunks) => top(chunks, command.bodyLines),
    delivered: () => {},
  })
}

/** RFC 1939 §5: marks only; QUIT removes. */
export function onDele(context: CommandContext, command: CommandOf<'RETR' | 'DELE'>): Answer {
  const open = openOf(context)
  if (!markDeleted(open, command.message)) return NO_SUCH_MESSAGE
  return ok(`Message ${command.message} will be deleted at QUIT`)
}

/** RFC 1939 §5. */
export function onRset(context: CommandContext): Answer {
  const open = openOf(context)
  unmarkAll(open)
  return ok(`${open.maildrop.messages.length} messages, none deleted`)
}

/** RFC 1939 §5. */
export const onNoop = (): Answer => ok('Still here')

const NO_SUCH_MESSAGE: Answer = { kind: 'reply', reply: negative('No such message') }

const ok = (text: string): Answer => ({ kind: 'reply', reply: positive(text) })

function openOf(context: CommandContext): OpenMaildrop {
  const { open } = context.state
  assert(open !== undefined) // the command table lets these in only after login
  return open
}

interface Showing {
  readonly reply: Pop3Reply
  show(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
  delivered(): void
}

/** Gets the first chunk before it says +OK: afterwards a failure could only be shown by cutting the connection. */
async function send(context: CommandContext, message: MaildropMessage, showing: Showing): Promise<Answer> {
  const iterator = openOf(context).maildrop.read(message.id)[Symbol.asyncIterator]()
  try {
    const first = await iterator.next()
    const chunks = showing.show(startingWith(first, iterator))
    return { kind: 'message', reply: showing.reply, chunks, delivered: () => showing.delivered() }
  } catch (error) {
    if (error instanceof MessageGone)
      return { kind: 'reply', reply: negative('That message has been deleted by another session') }
    context.deps.events.failed(factsOf(context.state), error)
    return { kind: 'reply', reply: negative('That message cannot be read at the moment', 'SYS/TEMP') }
  }
}

async function* startingWith(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.() // the file is closed also when the client has gone, or has seen enough
  }
}

async function* top(chunks: AsyncIterable<Uint8Array>, bodyLines: number): AsyncGenerator<Uint8Array> {
  const cutter = new TopCutter(bodyLines)
  for await (const chunk of chunks) {
    yield cutter.push(chunk)
    if (cutter.done) return
  }
}
