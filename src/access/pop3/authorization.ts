/** Commands of the AUTHORIZATION state: who is there? */
import assert from 'node:assert/strict'
import { Buffer, isUtf8 } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import { latin1 } from '../../base/bytes.ts'
import type { Pop3Command } from '../../protocol/pop3-command.ts'
import { negative, positive } from '../../protocol/pop3-reply.ts'
import type { LoginVerdict } from './deps.ts'
import { factsOf, mayLogIn, type Answer, type CommandContext, type OpenMaildrop } from './session-state.ts'
import { takeSnapshot } from './snapshot.ts'

type CommandOf<Name extends Pop3Command['name']> = Extract<Pop3Command, { readonly name: Name }>

/** RFC 1939 §7. Any name is accepted: what exists here is nobody's business before the password. */
export function onUser(context: CommandContext, command: CommandOf<'USER'>): Answer {
  // Refused here already, so that a careful client does not send its password in clear (RFC 2595 §2.3).
  if (!mayLogIn(context.state)) return TLS_FIRST
  context.state.name = command.mailbox
  context.state.stage = 'named'
  return { kind: 'reply', reply: positive('Password, please') }
}

/** RFC 1939 §7. */
export function onPass(context: CommandContext, command: CommandOf<'PASS'>): Promise<Answer> {
  const { name } = context.state
  assert(name !== undefined && mayLogIn(context.state)) // the command table lets PASS in only after USER
  return logIn(context, name, command.password)
}

/** RFC 5034 §4, with PLAIN (RFC 4616) as the only mechanism. */
export async function onAuth(context: CommandContext, command: CommandOf<'AUTH'>): Promise<Answer> {
  if (command.mechanism !== 'PLAIN') return { kind: 'reply', reply: negative('Only AUTH PLAIN is known here') }
  if (!mayLogIn(context.state)) return TLS_FIRST
  const response = command.initialResponse
  if (response === undefined) return { kind: 'challenge', respond: (line) => onPlain(context, latin1(line)) }
  return onPlain(context, response === '=' ? '' : response) // "=" is how an empty initial response is written
}

/** RFC 2595 §4. */
export function onStls(context: CommandContext): Answer {
  if (context.state.tls) return { kind: 'reply', reply: negative('TLS is active already') }
  if (!context.state.tlsAvailable) return { kind: 'reply', reply: negative('TLS is not available') }
  // What was learned in clear is forgotten (RFC 2595 §4): it may have been somebody else who said it.
  context.state.stage = 'authorization'
  context.state.name = undefined
  return { kind: 'start-tls', reply: positive('Begin TLS now') }
}

const TLS_FIRST: Answer = { kind: 'reply', reply: negative('Passwords are taken over TLS only: use STLS or port 995') }

async function onPlain(context: CommandContext, response: string): Promise<Answer> {
  if (response === '*') return { kind: 'reply', reply: negative('Authentication cancelled') } // RFC 5034 §4
  const plain = parsePlain(response)
  if (plain === undefined) return { kind: 'reply', reply: negative('That is no PLAIN response in base64') }
  if (plain.authorizeAs !== '' && plain.authorizeAs !== plain.name)
    return { kind: 'reply', reply: negative('Nobody may act for another user here', 'AUTH') }
  return logIn(context, plain.name, plain.password)
}

/** [authzid] NUL authcid NUL passwd, in UTF-8 (RFC 4616 §2). */
function parsePlain(response: string): { authorizeAs: string; name: string; password: string } | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(response) || response.length % 4 !== 0) return undefined
  const bytes = Buffer.from(response, 'base64')
  if (!isUtf8(bytes)) return undefined
  const [authorizeAs, name, password, ...rest] = bytes.toString('utf8').split('\0')
  if (authorizeAs === undefined || !name || !password || rest.length > 0) return undefined
  return { authorizeAs, name, password }
}

async function logIn(context: CommandContext, name: string, password: string): Promise<Answer> {
  const { state, deps } = context
  state.stage = 'authorization'
  state.name = undefined
  let verdict: LoginVerdict
  let open: OpenMaildrop | undefined
  try {
    verdict = await deps.login(name, password, state.peerAddress)
    if (verdict.ok) open = takeSnapshot(await verdict.open())
  } catch (error) {
    deps.events.failed(factsOf(state), error)
    verdict = { ok: false, temporary: true }
  }
  if (open === undefined) return refuse(context, name, !verdict.ok && verdict.temporary)
  state.name = name
  state.stage = 'transaction'
  state.open = open
  deps.events.loggedIn(factsOf(state), { messages: open.maildrop.messages.length })
  return { kind: 'reply', reply: positive(`Signed in, ${open.maildrop.messages.length} messages`) }
}

async function refuse(context: CommandContext, name: string, temporary: boolean): Promise<Answer> {
  const { state, deps, limits } = context
  state.loginFailures++
  deps.events.loginFailed(factsOf(state), { name, temporary })
  // The codes tell a client whether to ask for the password again (RFC 3206 §4, §5).
  const reply = temporary
    ? negative('Signing in is not possible at the moment', 'SYS/TEMP')
    : negative('Wrong name or password', 'AUTH')
  if (!temporary) await sleep(limits.loginFailureDelayMs * state.loginFailures)
  if (state.loginFailures < limits.loginFailuresMax) return { kind: 'reply', reply }
  return { kind: 'close', reply, why: 'too-many-login-failures' }
}
