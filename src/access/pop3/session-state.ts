import type { Pop3Reply } from '../../protocol/pop3-reply.ts'
import type { Pop3CloseReason, Pop3Deps, Pop3SessionFacts } from './deps.ts'
import type { Pop3Limits } from './limits.ts'
import type { Maildrop } from './maildrop.ts'

/** What a session remembers between commands. Commands change it; the loop in session.ts only reads `stage`. */
export interface SessionState {
  readonly id: string
  readonly peerAddress: string
  /** `named`: USER has been accepted and PASS may follow. */
  stage: 'authorization' | 'named' | 'transaction'
  tls: boolean
  /** STLS can be offered: a certificate is there. */
  readonly tlsAvailable: boolean
  /** Passwords may come in clear: the client is on this machine and the configuration allows it. */
  readonly plainAllowed: boolean
  /** The name given by USER, then the name that signed in. */
  name: string | undefined
  loginFailures: number
  /** Set from login on. */
  open: OpenMaildrop | undefined
}

export interface OpenMaildrop {
  readonly maildrop: Maildrop
  /** Message numbers marked by DELE. They are removed at QUIT only. */
  readonly deleted: Set<number>
  /** Size of all messages that are not marked: kept, not counted anew, so that STAT costs nothing. */
  remainingBytes: number
}

/** What a command is given besides the state. */
export interface CommandContext {
  readonly state: SessionState
  readonly deps: Pop3Deps
  readonly limits: Pop3Limits
}

/** What the session loop is to do after a command. */
export type Answer =
  | { readonly kind: 'reply'; readonly reply: Pop3Reply }
  /** A multi-line answer (RFC 1939 §3); no line may begin with a dot or hold CR or LF. */
  | { readonly kind: 'lines'; readonly reply: Pop3Reply; readonly lines: Iterable<string> }
  /** A multi-line answer that is a message; `delivered` is called when it has been sent to its end. */
  | {
      readonly kind: 'message'
      readonly reply: Pop3Reply
      readonly chunks: AsyncIterable<Uint8Array>
      delivered(): void
    }
  /** A SASL challenge, empty (RFC 5034 §4); the client's next line goes to `respond`. */
  | { readonly kind: 'challenge'; respond(line: Uint8Array): Promise<Answer> }
  | { readonly kind: 'start-tls'; readonly reply: Pop3Reply }
  | { readonly kind: 'close'; readonly reply: Pop3Reply; readonly why: Pop3CloseReason }

export const mayLogIn = (state: SessionState): boolean => state.tls || state.plainAllowed

export const factsOf = (state: SessionState): Pop3SessionFacts => ({
  id: state.id,
  peerAddress: state.peerAddress,
  tls: state.tls,
  login: state.open === undefined ? undefined : state.name,
})
