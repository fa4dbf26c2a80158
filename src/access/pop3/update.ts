/** QUIT: the end of a session, and the only moment at which anything is deleted. */
import { negative, positive } from '../../protocol/pop3-reply.ts'
import { factsOf, type Answer, type CommandContext } from './session-state.ts'

/** RFC 1939 §4 before login, §6 (the UPDATE state) after it. */
export async function onQuit(context: CommandContext): Promise<Answer> {
  const { open } = context.state
  if (open === undefined || open.deleted.size === 0) return bye('Bye')
  const ids = open.maildrop.messages.filter((_, index) => open.deleted.has(index + 1)).map((message) => message.id)
  try {
    await open.maildrop.remove(ids)
  } catch (error) {
    context.deps.events.failed(factsOf(context.state), error)
    return { kind: 'close', reply: negative('Some deleted messages were not removed', 'SYS/TEMP'), why: 'quit' }
  }
  context.deps.events.removed(factsOf(context.state), ids)
  return bye(`Bye, ${ids.length} messages deleted`)
}

const bye = (text: string): Answer => ({ kind: 'close', reply: positive(text), why: 'quit' })
