/** Delivery status notifications (RFC 3464), as multipart/report (RFC 6522): what came of a mail, for people and programs. */
import { Buffer, isUtf8 } from 'node:buffer'
import { LF, concatBytes, fromLatin1, latin1, utf8 } from '../base/bytes.ts'
import type { Address } from './address.ts'
import { entity, multipart } from './build.ts'
import { formatDate } from './date.ts'
import { makeField, writeFields } from './header-field.ts'
import { LINE_BYTES_MAX, parsePart } from './parse.ts'
import type { HeaderField } from './part.ts'

export interface DsnRecipient {
  /** The address that the mail was to go to. */
  readonly recipient: Address
  /** `orcpt` as the sender gave it, decoded: `rfc822;a@b.example` (RFC 3461 §4.2). */
  readonly originalRecipient?: string
  readonly action: 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded'
  /** RFC 3463: `5.1.1`. */
  readonly status: string
  /** The peer's reply as it came: foreign text. */
  readonly diagnostic?: string
  readonly remoteMta?: string
  readonly lastAttemptMs?: number
  /** For `delayed`: until when we try (RFC 3464 §2.3.9). */
  readonly retryUntilMs?: number
}

export interface DsnInput {
  /** Our own host name. */
  readonly reportingMta: string
  /** mailer-daemon's address. */
  readonly from: Address
  readonly to: Address
  readonly failures: readonly DsnRecipient[]
  /** ENVID of the sender, decoded (RFC 3461 §4.4): foreign text. */
  readonly originalEnvelopeId?: string
  readonly arrivalMs: number
  readonly nowMs: number
  /** Header of the mail that this is about; its body never goes back. Cut after RETURNED_HEADER_BYTES_MAX. */
  readonly originalHeaders?: Uint8Array
  /** With its angle brackets. */
  readonly messageId: string
  readonly boundary: string
}

export const RETURNED_HEADER_BYTES_MAX = 64 * 1024
/** Of the peer's reply, in each place where it is quoted; a field with it still fits on a line (RFC 5322 §2.1.1). */
export const DIAGNOSTIC_CHARS_MAX = 900
const HOST_CHARS_MAX = 255

/**
 * Writes the whole message, to be sent with a null reverse-path (RFC 3464 §2). Foreign text comes through as one line
 * of printable characters. Where an address or the returned header is not US-ASCII, the forms of RFC 6533 are used.
 */
export function buildDsn(dsn: DsnInput): Uint8Array {
  const fields = [
    makeField('Date', formatDate(dsn.nowMs)),
    makeField('From', `Mail Delivery System <${dsn.from}>`),
    makeField('To', `<${dsn.to}>`),
    makeField('Subject', SUBJECTS[worstAction(dsn)]),
    makeField('Message-ID', dsn.messageId),
    makeField('Auto-Submitted', 'auto-replied'), // RFC 3834 §5
    makeField('MIME-Version', '1.0'),
    makeField('Content-Type', `multipart/report; report-type=delivery-status; boundary="${dsn.boundary}"`),
  ]
  const parts = [textPart(dsn), statusPart(dsn)]
  if (dsn.originalHeaders !== undefined) parts.push(headersPart(dsn.originalHeaders))
  return concatBytes(entity(fields, multipart(dsn.boundary, parts)))
}

const EMPTY_LINE = fromLatin1('\r\n')
const EIGHT_BIT = makeField('Content-Transfer-Encoding', '8bit')

type Action = DsnRecipient['action']

const SUBJECTS: Readonly<Record<Action, string>> = {
  failed: 'Undelivered mail returned to sender',
  delayed: 'Delivery of your mail is delayed',
  delivered: 'Your mail was delivered',
  relayed: 'Your mail was passed on',
  expanded: 'Your mail was passed on to a list',
}

const SENTENCES: Readonly<Record<Action, string>> = {
  failed: 'Your mail could not be delivered to:',
  delayed: 'Your mail could not be delivered yet. We keep trying; you need do nothing.\r\nIt is for:',
  delivered: 'Your mail was delivered to:',
  relayed: 'Your mail was passed on to a server that sends no reports, for:',
  expanded: 'Your mail was passed on to the members of:',
}

const SEVERITY: readonly Action[] = ['failed', 'delayed', 'expanded', 'relayed', 'delivered']

const worstAction = (dsn: DsnInput): Action =>
  SEVERITY.find((action) => dsn.failures.some((failure) => failure.action === action)) ?? 'failed'

function textPart(dsn: DsnInput): readonly Uint8Array[] {
  const lines = [`This is the mail system at ${oneLine(dsn.reportingMta)}.`, '']
  for (const failure of dsn.failures) {
    lines.push(SENTENCES[failure.action], '', `    ${failure.recipient}`)
    if (failure.diagnostic !== undefined) {
      lines.push(
        '',
        failure.remoteMta === undefined ? 'The reason:' : `What ${oneLine(failure.remoteMta, HOST_CHARS_MAX)} said:`,
        '',
      )
      lines.push(...wrapped(oneLine(failure.diagnostic)))
    }
    if (failure.retryUntilMs !== undefined) lines.push('', `We try until ${formatDate(failure.retryUntilMs)}.`)
    lines.push('')
  }
  lines.push(`Your mail reached us on ${formatDate(dsn.arrivalMs)}.`)
  if (dsn.originalHeaders !== undefined) lines.push('Its header is attached; its text is not.')
  return textEntity('text/plain; charset=utf-8', `${lines.join('\r\n')}\r\n`)
}

function statusPart(dsn: DsnInput): readonly Uint8Array[] {
  const international = dsn.failures.some((failure) => !isAscii(failure.recipient))
  const message = [makeField('Reporting-MTA', `dns; ${oneLine(dsn.reportingMta)}`)]
  message.push(...foreignField('Original-Envelope-Id', '', dsn.originalEnvelopeId))
  message.push(makeField('Arrival-Date', formatDate(dsn.arrivalMs)))
  const groups = dsn.failures.flatMap((failure) => [EMPTY_LINE, writeFields(recipientFields(failure))])
  const type = international ? 'message/global-delivery-status' : 'message/delivery-status'
  const fields = [makeField('Content-Type', type)]
  if (international) fields.push(EIGHT_BIT) // RFC 6533 §4
  return entity(fields, [writeFields(message), ...groups])
}

/** RFC 3464 §2.3, in the order of its grammar. */
function recipientFields(failure: DsnRecipient): readonly HeaderField[] {
  const addressType = isAscii(failure.recipient) ? 'rfc822' : 'utf-8' // RFC 6533 §3
  return [
    ...foreignField('Original-Recipient', '', failure.originalRecipient),
    makeField('Final-Recipient', `${addressType}; ${failure.recipient}`),
    makeField('Action', failure.action),
    makeField('Status', /^[245]\.\d{1,3}\.\d{1,3}$/.test(failure.status) ? failure.status : '5.0.0'),
    ...foreignField('Remote-MTA', 'dns; ', failure.remoteMta),
    ...foreignField('Diagnostic-Code', 'smtp; ', failure.diagnostic),
    ...dateField('Last-Attempt-Date', failure.lastAttemptMs),
    ...dateField('Will-Retry-Until', failure.retryUntilMs),
  ]
}

/** These fields know US-ASCII only; none when there is nothing to say. */
function foreignField(name: string, prefix: string, text: string | undefined): readonly HeaderField[] {
  const ascii = oneLine(text ?? '').replace(/[^\x20-\x7e]/g, '?')
  return ascii === '' ? [] : [makeField(name, prefix + ascii)]
}

const dateField = (name: string, ms: number | undefined): readonly HeaderField[] =>
  ms === undefined ? [] : [makeField(name, formatDate(ms))]

/**
 * The header as it was, made fit to travel: CRLF line ends, and nothing that is no field or longer than a line may be.
 * Octets that are neither US-ASCII nor UTF-8 become question marks.
 */
function headersPart(header: Uint8Array): readonly Uint8Array[] {
  const { fields } = parsePart(header.subarray(0, RETURNED_HEADER_BYTES_MAX))
  const lines = fields.flatMap(({ name, raw }) => (name === '' || raw.at(-1) !== LF ? [] : returnedLines(raw)))
  const text = lines.map((line) => `${line}\r\n`).join('')
  if (isAscii(text)) return entity([makeField('Content-Type', 'text/rfc822-headers')], [fromLatin1(text)])
  const fieldsOfPart = [makeField('Content-Type', 'message/global-headers'), EIGHT_BIT] // RFC 6533
  return entity(fieldsOfPart, [utf8(text)])
}

function returnedLines(raw: Uint8Array): readonly string[] {
  const text = isUtf8(raw) ? Buffer.from(raw).toString('utf8') : latin1(raw).replace(/[\x80-\xff]/g, '?')
  const lines = text.slice(0, -1).replace(/\r\n/g, '\n').replace(/\r$/, '').split('\n')
  // oxlint-disable-next-line no-control-regex -- these are what must not come through
  const clean = lines.map((line) => line.replace(/[\0-\x08\x0b-\x1f\x7f]/g, ' '))
  return clean.every((line) => Buffer.byteLength(line) <= LINE_BYTES_MAX) ? clean : []
}

function textEntity(type: string, text: string): readonly Uint8Array[] {
  const transfer = isAscii(text) ? '7bit' : '8bit'
  return entity([makeField('Content-Type', type), makeField('Content-Transfer-Encoding', transfer)], [utf8(text)])
}

const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text) // oxlint-disable-line no-control-regex

/** Foreign text as one line: controls, and characters that turn the writing direction, become blanks. */
function oneLine(text: string, charsMax: number = DIAGNOSTIC_CHARS_MAX): string {
  const start = text.slice(0, charsMax)
  return start.replace(/[\p{C}\p{Z}]+/gu, ' ').trim()
}

const TEXT_COLUMNS = 72

/** Words longer than a line are cut. */
function wrapped(text: string): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.match(/[^ ]{1,72}/g) ?? []) {
    if (line !== '' && line.length + word.length >= TEXT_COLUMNS) {
      lines.push(`    ${line}`)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, `    ${line}`]
}
