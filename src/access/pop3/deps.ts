import type { Maildrop, MaildropMessage } from './maildrop.ts'

/** What the POP3 server is handed by wiring/. */
export interface Pop3Deps {
  /** Counts; false: this address has come too often in the last minute. */
  mayConnect(peerAddress: string): boolean
  /**
   * Checks a user's name and password. `temporary` means that it could not be found out; the client may try again. Takes
   * the same time for an unknown name as for a wrong password. Name and password are as the client sent them, in any case
   * and any Unicode normal form.
   */
  login(name: string, password: string, peerAddress: string): Promise<LoginVerdict>
  readonly events: Pop3Events
}

export type LoginVerdict =
  { readonly ok: true; open(): Promise<Maildrop> } | { readonly ok: false; readonly temporary: boolean }

/** Called as things happen; none may throw. Passwords and content are in none of them. */
export interface Pop3Events {
  /** The user has signed in and the maildrop is open. */
  loggedIn(session: Pop3SessionFacts, opened: { readonly messages: number }): void
  loginFailed(session: Pop3SessionFacts, failure: { readonly name: string; readonly temporary: boolean }): void
  /** The whole message has been handed to the client's connection. */
  retrieved(session: Pop3SessionFacts, message: MaildropMessage): void
  /** Messages the client deleted have been removed at QUIT. */
  removed(session: Pop3SessionFacts, ids: readonly number[]): void
  /** A connection was turned away before it became a session. */
  turnedAway(peerAddress: string, why: TurnedAway): void
  closed(session: Pop3SessionFacts, why: Pop3CloseReason): void
  /**
   * The maildrop or the login failed, and the client was told SYS/TEMP or cut off; without a session: a connection could
   * not be accepted.
   */
  failed(session: Pop3SessionFacts | undefined, error: unknown): void
}

export type TurnedAway =
  'connections-max' | 'connections-per-address-max' | 'connections-per-minute' | 'no-proxy-header'

export interface Pop3SessionFacts {
  /** Unique while the process runs. */
  readonly id: string
  readonly peerAddress: string
  readonly tls: boolean
  /** The name that signed in, as the client wrote it; `undefined` before. */
  readonly login: string | undefined
}

/** Why a session ended. Only `quit` deletes. */
export type Pop3CloseReason =
  | 'quit'
  | 'client-gone'
  | 'idle'
  | 'login-too-slow'
  | 'too-many-commands'
  | 'too-many-mistakes'
  | 'too-many-login-failures'
  | 'tls-failed'
  | 'injected-before-tls'
  | 'content-failed'
  | 'stopped'
