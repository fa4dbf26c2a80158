/** The trace and report fields that the gateway adds, and the forged ones that it takes out. */
import { latin1 } from '../base/bytes.ts'
import { fieldBody, isField, makeField } from '../message/header-field.ts'
import { formatDate } from '../message/date.ts'
import type { HeaderField } from '../message/part.ts'
import type { InboundDecision } from '../policy/decide-inbound.ts'
import { explainToReader } from '../policy/explain.ts'
import type { SignatureVerdict } from '../protection/standard.ts'
import type { LayerReport, Summary } from '../protection/summary.ts'
import type { SessionFacts } from '../protocol/smtp-session.ts'

export interface TraceFacts {
  readonly session: SessionFacts
  readonly hostname: string
  /** Our id for the message. */
  readonly id: string
  /** Named only when there is one recipient: the others' addresses are nobody's business (RFC 5321 §7.2). */
  readonly recipient: string | undefined
  readonly nowMs: number
}

/** RFC 5321 §4.4; routing-loop.ts knows the form again. A signed-in user's own address and host name stay out of the mail. */
export function receivedField({ session, hostname, id, recipient, nowMs }: TraceFacts): HeaderField {
  const from = session.kind === 'submission' ? '' : `from ${safeHost(session.helo)} ([${session.peerAddress}]) `
  const tls = session.tls === undefined ? '' : ` (${session.tls.protocol} ${session.tls.cipher})`
  const to = recipient === undefined ? '' : ` for <${recipient}>`
  return makeField(
    'Received',
    `${from}by ${hostname} with ${session.protocol}${tls} id ${id}${to}; ${formatDate(nowMs)}`,
  )
}

/**
 * RFC 8601 §5: whoever sends from outside cannot speak in our name. And keys that come with a mail are for 222: a program
 * that knew them would answer around us.
 */
export function withoutForged(fields: readonly HeaderField[], hostname: string): HeaderField[] {
  return fields.filter((field) => {
    if (/^(?:x-sealpost.*|autocrypt|autocrypt-gossip)$/i.test(field.name) || hidesField(field)) return false
    return !(isField(field, 'Authentication-Results') && namesAuthority(fieldBody(field), hostname))
  })
}

/**
 * Whether a mail program that ends lines at a lone CR or a NUL, or that takes a broken line for a field, could find a field
 * of ours in this one. What comes in by SMTP has no such octets, but what was encrypted may have.
 */
function hidesField({ name, raw }: HeaderField): boolean {
  return (name === '' ? OURS_IN_LINE : OURS_AFTER_LINE_END).test(latin1(raw))
}

const OURS_IN_LINE = /x-sealpost|authentication-results/i
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const OURS_AFTER_LINE_END = /[\r\0](?:x-sealpost|authentication-results)/i

/** The authserv-id is the first word, perhaps behind comments; to be safe, our name anywhere before the first ";" counts. */
function namesAuthority(body: string, hostname: string): boolean {
  const [head = ''] = body.split(';', 1)
  return head.toLowerCase().includes(hostname.toLowerCase())
}

/** `smime=` as RFC 7281 §3 has it; other standards in the same form. `others`: what was found of the way it came. */
export function authenticationResults(
  hostname: string,
  summary: Summary,
  layers: readonly LayerReport[],
  others: readonly string[] = [],
): HeaderField {
  const signed = layers.find((layer) => layer.kind === 'signed')
  const standard = signed?.standard ?? layers[0]?.standard ?? 'smime'
  const signer =
    summary.signer === null || !SAFE_VALUE.test(summary.signer) ? '' : ` body.${standard}-identifier=${summary.signer}`
  const reason = summary.reason === null ? '' : ` reason="${quotable(summary.reason)}"`
  return makeField(
    'Authentication-Results',
    [hostname, `${standard}=${RESULT_WORD[summary.signature]}${reason}${signer}`, ...others].join('; '),
  )
}

const RESULT_WORD: Readonly<Record<SignatureVerdict, string>> = {
  valid: 'pass',
  none: 'none',
  expired: 'policy',
  untrusted: 'policy',
  'unknown-key': 'neutral',
  mismatch: 'fail',
  revoked: 'fail',
  invalid: 'fail',
}

export function statusField(summary: Summary, decision: InboundDecision): HeaderField {
  return makeField('X-Sealpost-Status', quotable(explainToReader(summary, decision)))
}

const SAFE_VALUE = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~@-]{1,320}$/

/** Printable ASCII without quote and backslash: certificates and mails can put anything into a reason. */
const quotable = (text: string): string => text.replaceAll(/[^ -~]|["\\]/g, '?')

const safeHost = (helo: string): string => helo.replaceAll(/[^A-Za-z0-9.:[\]_-]/g, '?').slice(0, 255) || 'unknown'
