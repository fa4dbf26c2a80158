/** The commands of RFC 5321 §4.1 and their order (§4.1.4), apart from any socket: a session and a line in, a step out. */
import { addressKey, parseAddress, type Address, type Domain } from '../message/address.ts'
import {
  parseClientAttributes,
  XCLIENT_ATTRIBUTES,
  XCLIENT_LOGIN,
  XFORWARD_ATTRIBUTES,
} from '../protocol/client-attributes.ts'
import { HELO_NAME, HELO_NAME_MAX_CHARS } from '../protocol/helo-name.ts'
import type { ForwardPath, SmtpEnvelope } from '../protocol/smtp-envelope.ts'
import { parseMailArgument, parseRcptArgument, type MailCommand } from '../protocol/smtp-path.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import type { SessionFacts } from '../protocol/smtp-session.ts'
import type { Agent, MaybeLater } from './agent.ts'
import type { ClientIdentity } from './client-identity.ts'
import type { Guards } from './guards.ts'
import type { ReceiveLimits } from './limits.ts'

/** What the commands know and change of a session. */
export interface Session {
  readonly agent: Agent
  readonly limits: ReceiveLimits
  readonly guards: Guards
  /** Of `client`, as things are now. */
  remoteAddress: string
  readonly client: ClientIdentity
  /** Our name. */
  readonly hostname: Domain
  /** Who `RCPT TO:<postmaster>` is for. */
  readonly postmaster: Address
  readonly secure: boolean
  readonly startTlsOffered: boolean
  /** May passwords travel on this connection? */
  readonly passwordsSafe: boolean
  readonly login: Address | undefined
  helo: { readonly name: string; readonly extended: boolean } | undefined
  transaction: Transaction | undefined
  /** Since the last accepted message. */
  idleCommands: number
  facts(): SessionFacts
}

/** From MAIL to the end of the data. */
export interface Transaction {
  readonly mail: MailCommand
  readonly rcptTo: ForwardPath[]
  /** Keys of the addresses in `rcptTo`. */
  readonly known: Set<string>
  /** Whose mail it is; on `mx` nobody is signed in. */
  readonly user: Address | undefined
}

/** What the connection does next. */
export type Step =
  | { readonly kind: 'reply'; readonly reply: Reply }
  /** Answer, then close. */
  | { readonly kind: 'close'; readonly reply: Reply }
  | { readonly kind: 'starttls' }
  | { readonly kind: 'auth' }
  /** Begin anew, with the client that XCLIENT has named, signed in or not. */
  | { readonly kind: 'greet'; readonly login: Address | undefined }
  | { readonly kind: 'data'; readonly envelope: SmtpEnvelope }

type State = 'greeted' | 'ready' | 'mail' | 'rcpt'

interface Command {
  /** RFC 5321 §4.1.4; elsewhere 503. */
  readonly allowedIn: readonly State[]
  /** Brings no message nearer. */
  readonly idle?: true
  readonly needsLogin?: true
  run(session: Session, argument: string): MaybeLater<Step>
}

/** Runs one command line, decoded, without its CRLF. */
export function runCommand(session: Session, line: string): MaybeLater<Step> {
  const space = line.indexOf(' ')
  const name = (space === -1 ? line : line.slice(0, space)).toUpperCase()
  const argument = space === -1 ? '' : line.slice(space + 1)
  const command = COMMANDS.get(name)
  if (command === undefined) return unknownCommand(session, name)
  if (command.idle) session.idleCommands++
  if (!command.allowedIn.includes(stateOf(session))) return answer(503, '5.5.1', OUT_OF_ORDER[stateOf(session)])
  const isOpen =
    session.agent.login === undefined || session.login !== undefined || session.client.submitsForUsers(session.secure)
  if (command.needsLogin && !isOpen)
    return answer(530, '5.7.0', session.passwordsSafe ? 'Sign in first' : 'Start TLS and sign in first')
  return command.run(session, argument)
}

const ANY: readonly State[] = ['greeted', 'ready', 'mail', 'rcpt']

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['EHLO', { allowedIn: ANY, idle: true, run: (session, argument) => onHello(session, argument, true) }],
  ['HELO', { allowedIn: ANY, idle: true, run: (session, argument) => onHello(session, argument, false) }],
  ['STARTTLS', { allowedIn: ANY, idle: true, run: onStartTls }],
  ['AUTH', { allowedIn: ['ready'], idle: true, run: onAuth }],
  ['XCLIENT', { allowedIn: ['greeted', 'ready'], idle: true, run: onXclient }],
  ['XFORWARD', { allowedIn: ['greeted', 'ready'], idle: true, run: onXforward }],
  ['MAIL', { allowedIn: ['ready'], needsLogin: true, run: onMail }],
  ['RCPT', { allowedIn: ['mail', 'rcpt'], needsLogin: true, run: onRcpt }],
  ['DATA', { allowedIn: ['rcpt'], needsLogin: true, run: onData }],
  ['RSET', { allowedIn: ANY, idle: true, run: onRset }],
  ['NOOP', { allowedIn: ANY, idle: true, run: () => answer(250, '2.0.0', 'Ok') }],
  ['VRFY', { allowedIn: ANY, idle: true, run: onVrfy }],
  ['HELP', { allowedIn: ANY, idle: true, run: () => answer(214, '2.0.0', 'See RFC 5321') }],
  ['QUIT', { allowedIn: ANY, run: () => ({ kind: 'close', reply: reply(221, '2.0.0', 'Bye') }) }],
])

/** Known to RFCs, not offered here (RFC 5321 §4.2.4). */
const NOT_IMPLEMENTED = new Set(['EXPN', 'ETRN', 'ATRN', 'TURN', 'SEND', 'SOML', 'SAML', 'BURL'])
/** What would follow these is not a command, and must not be read as one: BDAT's chunk, an HTTP request's fields. */
const FOREIGN = new Set(['BDAT', 'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE', 'PATCH', 'PRI'])

const OUT_OF_ORDER: Readonly<Record<State, string>> = {
  greeted: 'Send EHLO or HELO first',
  ready: 'Send MAIL first',
  mail: 'Send RCPT first',
  rcpt: 'A message is under way: send DATA, or RSET to give it up',
}

const answer = (code: number, enhanced: Reply['enhanced'], text: string): Step => ({
  kind: 'reply',
  reply: reply(code, enhanced, text),
})

function stateOf({ helo, transaction }: Session): State {
  if (helo === undefined) return 'greeted'
  if (transaction === undefined) return 'ready'
  return transaction.rcptTo.length === 0 ? 'mail' : 'rcpt'
}

function unknownCommand(session: Session, name: string): Step {
  session.idleCommands++
  if (FOREIGN.has(name)) return { kind: 'close', reply: reply(502, '5.5.1', 'Not offered here') }
  if (NOT_IMPLEMENTED.has(name)) return answer(502, '5.5.1', 'Not implemented')
  return answer(500, '5.5.2', 'Command not recognised')
}

function onHello(session: Session, argument: string, extended: boolean): Step {
  const name = argument.trim()
  if (name.length > HELO_NAME_MAX_CHARS || !HELO_NAME.test(name))
    return answer(501, '', `Syntax: ${extended ? 'EHLO' : 'HELO'} your-domain`) // RFC 2034 §4: no enhanced code
  session.helo = { name, extended }
  session.transaction = undefined // RFC 5321 §4.1.4
  return answer(250, '', extended ? [session.hostname, ...extensions(session)].join('\n') : session.hostname)
}

function extensions(session: Session): string[] {
  return [
    'PIPELINING', // RFC 2920
    `SIZE ${session.limits.messageMaxBytes}`, // RFC 1870
    '8BITMIME', // RFC 6152
    'SMTPUTF8', // RFC 6531
    'DSN', // RFC 3461
    'ENHANCEDSTATUSCODES', // RFC 2034
    ...(session.startTlsOffered && !session.secure ? ['STARTTLS'] : []), // RFC 3207 §4.2: not inside TLS
    ...(session.secure ? ['REQUIRETLS'] : []), // RFC 8689: a promise that only TLS can keep
    ...(session.agent.login !== undefined && session.passwordsSafe ? ['AUTH PLAIN LOGIN'] : []), // RFC 4954
    ...(session.client.mayNameOthers
      ? [`XCLIENT ${xclientAttributes(session).join(' ')}`, `XFORWARD ${XFORWARD_ATTRIBUTES.join(' ')}`]
      : []),
  ]
}

function onStartTls(session: Session, argument: string): Step {
  if (argument.trim() !== '') return answer(501, '5.5.4', 'STARTTLS takes no argument')
  if (session.secure) return answer(503, '5.5.1', 'TLS is active already')
  if (!session.startTlsOffered) return answer(502, '5.5.1', 'Not implemented')
  return { kind: 'starttls' }
}

function onAuth(session: Session): Step {
  if (session.agent.login === undefined) return answer(502, '5.5.1', 'Not implemented')
  if (!session.passwordsSafe) return answer(538, '5.7.11', 'Start TLS first') // RFC 4954 §6
  if (session.login !== undefined) return answer(503, '5.5.1', 'Signed in already') // RFC 4954 §4
  return { kind: 'auth' }
}

const xclientAttributes = ({ agent }: Session): readonly string[] =>
  agent.userNamed === undefined ? XCLIENT_ATTRIBUTES : [...XCLIENT_ATTRIBUTES, XCLIENT_LOGIN]

async function onXclient(session: Session, argument: string): Promise<Step> {
  if (!session.client.mayNameOthers) return unknownCommand(session, 'XCLIENT')
  const said = parseClientAttributes(argument, xclientAttributes(session))
  if (!said.ok) return answer(501, '5.5.4', said.error)
  const { login } = said.value
  const user = login === undefined || login === null ? undefined : await userNamed(session, login)
  if (typeof user === 'object') return { kind: 'reply', reply: user }
  session.client.speaksFor(said.value)
  return { kind: 'greet', login: user }
}

function onXforward(session: Session, argument: string): Step {
  if (!session.client.mayNameOthers) return unknownCommand(session, 'XFORWARD')
  const said = parseClientAttributes(argument, XFORWARD_ATTRIBUTES)
  if (!said.ok) return answer(501, '5.5.4', said.error)
  session.client.forwardsFrom(said.value)
  session.remoteAddress = session.client.address
  return answer(250, '2.0.0', 'Ok')
}

function userNamed({ agent }: Session, name: string): MaybeLater<Address | Reply> {
  const address = parseAddress(name)
  if (address === undefined || agent.userNamed === undefined) return reply(550, '5.7.1', 'This is no user of ours')
  return agent.userNamed(address)
}

async function onMail(session: Session, argument: string): Promise<Step> {
  const parsed = parseMailArgument(argument)
  if (!parsed.ok) return { kind: 'reply', reply: parsed.error }
  const mail = parsed.value
  if (mail.requireTls && !session.secure) return answer(555, '5.5.4', 'REQUIRETLS is offered over TLS only')
  if ((mail.declaredSizeBytes ?? 0) > session.limits.messageMaxBytes)
    return answer(552, '5.3.4', `Message larger than ${session.limits.messageMaxBytes} bytes`) // RFC 1870 §6.1
  // who is not signed in and got here has a trusted server in between
  const named =
    session.agent.login === undefined || session.login !== undefined
      ? session.login
      : await userNamed(session, mail.reversePath.address)
  if (typeof named === 'object') return { kind: 'reply', reply: named }
  const { agent, remoteAddress } = session
  const facts = { ...session.facts(), ...(named !== undefined && { login: named }) }
  const refusal = session.guards.mail({ agent, remoteAddress, login: named }) ?? (await agent.onMail(facts, mail))
  if (refusal !== undefined) return { kind: 'reply', reply: refusal }
  session.transaction = { mail, rcptTo: [], known: new Set(), user: named }
  return answer(250, '2.1.0', 'Sender ok')
}

async function onRcpt(session: Session, argument: string): Promise<Step> {
  const { transaction, limits, guards, postmaster, agent } = session
  if (transaction === undefined) return answer(503, '5.5.1', OUT_OF_ORDER.ready)
  const context = { smtpUtf8: transaction.mail.smtpUtf8, postmaster }
  const parsed = parseRcptArgument(argument, context)
  if (!parsed.ok) return { kind: 'reply', reply: parsed.error }
  const key = addressKey(parsed.value.address)
  if (transaction.known.has(key)) return answer(250, '2.1.5', 'Recipient ok') // named twice, served once
  // RFC 5321 §4.5.3.1.10
  if (transaction.rcptTo.length >= limits.recipientsMax) return answer(452, '4.5.3', 'Too many recipients')
  const tooMany = guards.recipient({ agent, remoteAddress: session.remoteAddress, login: transaction.user })
  if (tooMany !== undefined) return { kind: 'reply', reply: tooMany }
  const refusal = await agent.onRcpt(session.facts(), parsed.value)
  if (refusal !== undefined) {
    if (refusal.code >= 500) guards.recipientRefused(session)
    return { kind: 'reply', reply: refusal }
  }
  transaction.known.add(key)
  transaction.rcptTo.push(parsed.value)
  return answer(250, '2.1.5', 'Recipient ok')
}

function onData(session: Session, argument: string): Step {
  if (argument.trim() !== '') return answer(501, '5.5.4', 'DATA takes no argument')
  const { transaction } = session
  if (transaction === undefined) return answer(503, '5.5.1', OUT_OF_ORDER.ready)
  const { reversePath: mailFrom, ...rest } = transaction.mail
  return { kind: 'data', envelope: { mailFrom, rcptTo: transaction.rcptTo, ...rest } }
}

function onRset(session: Session, argument: string): Step {
  if (argument.trim() !== '') return answer(501, '5.5.4', 'RSET takes no argument')
  session.transaction = undefined
  return answer(250, '2.0.0', 'Ok')
}

/** RFC 5321 §7.3: who is a user here is nobody's business. */
function onVrfy(_session: Session, argument: string): Step {
  if (argument.trim() === '') return answer(501, '5.5.4', 'Syntax: VRFY address')
  return answer(252, '2.0.0', 'Send the message, and you will see')
}
