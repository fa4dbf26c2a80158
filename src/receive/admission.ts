/** Who may come in, and who may stay: pure, facts in, reply out; `undefined` lets them. */
import type { DataFault } from '../protocol/smtp-data.ts'
import { reply, type Reply } from '../protocol/smtp-reply.ts'
import type { ReceiveLimits } from './limits.ts'

/** `open` and `ofPeer` count the connections that are there already. */
export function connectRefusal(open: number, ofPeer: number, limits: ReceiveLimits): Reply | undefined {
  if (open >= limits.connectionsMax) return reply(421, '4.3.2', 'Too many connections, try again later')
  if (ofPeer >= limits.connectionsPerPeerMax) return reply(421, '4.7.0', 'Too many connections from your address')
  return undefined
}

/** What a session has done since its last accepted message. */
export interface Conduct {
  readonly idleCommands: number
  readonly errors: number
}

/** After a command was answered: the last words, if the session has to end. */
export function conductRefusal(conduct: Conduct, limits: ReceiveLimits): Reply | undefined {
  if (conduct.errors >= limits.errorsMax) return reply(421, '4.7.0', 'Too many errors')
  if (conduct.idleCommands >= limits.idleCommandsMax) return reply(421, '4.7.0', 'Too many commands without a message')
  return undefined
}

/** What a client hears whose message cannot be accepted (docs/decisions/0007-bare-line-ends.md). */
export function faultReply(fault: DataFault, limits: ReceiveLimits): Reply {
  switch (fault) {
    case 'bare-cr':
    case 'bare-lf':
      return reply(550, '5.6.11', `Lines end with CRLF (RFC 5321 section 2.3.8): ${fault.replace('-', ' ')} in message`)
    case 'nul':
      return reply(550, '5.6.0', 'NUL byte in message')
    case 'line-too-long':
      return reply(550, '5.6.0', `Line longer than ${limits.lineMaxBytes} bytes`)
    case 'header-too-large':
      return reply(550, '5.6.0', `Header larger than ${limits.headerMaxBytes} bytes`)
    case 'too-large':
      return reply(552, '5.3.4', `Message larger than ${limits.messageMaxBytes} bytes`)
  }
}

/** Two servers may disagree about what follows a bare line end: nothing of it is read as a command. */
export const endsSession = (fault: DataFault): boolean => fault === 'bare-cr' || fault === 'bare-lf' || fault === 'nul'
