/** What we use of smtp-connection beyond its types. */
// oxlint-disable no-underscore-dangle -- the library's own names
import assert from 'node:assert/strict'
import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Failure } from './ending.ts'

/** `innerOf` proves that it is there. */
export interface Inner {
  _supportedExtensions: string[]
  _maxAllowedSize: number
  _sendCommand(line: string, logLine?: string): void
  _createSendStream(callback: HearsReply): { readonly outByteCount: number }
  readonly _responseActions: ((response: string) => void)[]
  _actionSMTPStream(response: string, callback: HearsReply): void
  /** Of the transaction that runs. */
  readonly _envelope: OpenEnvelope
}

export interface OpenEnvelope {
  /** Recipients that RCPT took. */
  readonly accepted: readonly string[]
  readonly rejectedErrors: Failure[]
}

export type HearsReply = (error: Failure | null, response?: string) => void

export function innerOf(smtp: SMTPConnection): Inner {
  const inner = smtp as unknown as Inner
  assert(Array.isArray(inner._supportedExtensions), 'smtp-connection changed: _supportedExtensions')
  assert(typeof inner._maxAllowedSize === 'number', 'smtp-connection changed: _maxAllowedSize')
  for (const name of ['_sendCommand', '_createSendStream', '_actionSMTPStream'] as const)
    assert(typeof inner[name] === 'function', `smtp-connection changed: ${name}`)
  assert(Array.isArray(inner._responseActions), 'smtp-connection changed: _responseActions')
  return inner
}
