/** Commands that ask what the server can do. */
import type { Pop3Command } from '../../protocol/pop3-command.ts'
import { negative, positive } from '../../protocol/pop3-reply.ts'
import { mayLogIn, type Answer, type CommandContext, type SessionState } from './session-state.ts'

/** RFC 2449 §5. */
export function onCapa(context: CommandContext): Answer {
  return { kind: 'lines', reply: positive('Capability list follows'), lines: capabilities(context.state) }
}

/**
 * RFC 6856 §2.1. Nothing changes by it: a message goes out byte for byte as it is stored, in either mode. To rewrite a
 * UTF-8 header for a client that did not ask for UTF8 would break what was signed.
 */
export function onUtf8(): Answer {
  return { kind: 'reply', reply: positive('UTF-8 it is') }
}

/** RFC 6856 §3: the texts are in English only, which serves as i-default too. */
export function onLang(_context: CommandContext, command: Extract<Pop3Command, { readonly name: 'LANG' }>): Answer {
  if (command.language === undefined)
    return { kind: 'lines', reply: positive('Language listing follows'), lines: ['en English', 'i-default Default'] }
  const language = command.language.toLowerCase()
  if (language === '*' || language === 'i-default')
    return { kind: 'reply', reply: positive('i-default Texts are in English') }
  if (language === 'en') return { kind: 'reply', reply: positive('en Texts are in English') }
  return { kind: 'reply', reply: negative('That language is not known here') }
}

function capabilities(state: SessionState): readonly string[] {
  const loginNow = mayLogIn(state)
  return [
    'TOP', // RFC 2449 §6.1
    'UIDL', // §6.8
    'RESP-CODES', // §6.4
    'AUTH-RESP-CODE', // RFC 3206 §6
    'PIPELINING', // RFC 2449 §6.6
    'EXPIRE NEVER', // §6.7: what no terminal deletes stays
    'UTF8 USER', // RFC 6856 §2
    'LANG', // RFC 6856 §3
    ...(loginNow ? ['USER', 'SASL PLAIN'] : []), // RFC 2449 §6.2, §6.3
    ...(state.tlsAvailable && !state.tls ? ['STLS'] : []), // RFC 2595 §4: announced in both states
    'IMPLEMENTATION Sealpost', // RFC 2449 §6.9
  ]
}
