/** The arguments of MAIL and RCPT: paths and parameters (RFC 5321 §4.1.2, and the extensions named below). */
import assert from 'node:assert/strict'
import { fail, ok, type Result } from '../base/result.ts'
import { parseAddress, type Address, type Domain } from '../message/address.ts'
import type { BodyType, EnvelopeDsn, ForwardPath, RecipientDsn, ReversePath } from './smtp-envelope.ts'
import { reply, type Reply } from './smtp-reply.ts'

/** What a MAIL command said. */
export interface MailCommand {
  readonly reversePath: ReversePath
  readonly smtpUtf8: boolean
  readonly body: BodyType
  readonly requireTls: boolean
  readonly declaredSizeBytes?: number
  readonly dsn: EnvelopeDsn
}

export const ENVID_MAX_CHARS = 100 // RFC 3461 §4.4, before decoding
export const ORCPT_MAX_CHARS = 500 // RFC 3461 §4.2, before decoding

/**
 * Reads what follows "MAIL ": `FROM:<path>` and the parameters SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531),
 * RET and ENVID (RFC 3461), REQUIRETLS (RFC 8689), AUTH (RFC 4954; read, not trusted, not kept). The error is the reply to give.
 */
export function parseMailArgument(argument: string): Result<MailCommand, Reply> {
  const split = splitArgument('FROM:', argument)
  if (split === undefined) return fail(reply(501, '5.1.7', 'Syntax: MAIL FROM:<address>'))
  const parameters = parseParameters(split.parameters, MAIL_PARAMETERS)
  if (!parameters.ok) return parameters
  const smtpUtf8 = parameters.value.has('SMTPUTF8')
  // RFC 6531 §3.5
  if (!smtpUtf8 && !ASCII.test(argument)) return fail(reply(550, '5.6.7', 'Non-ASCII address without SMTPUTF8'))
  const address = split.mailbox === '' ? '' : parseAddress(split.mailbox)
  if (address === undefined) return fail(reply(501, '5.1.7', 'Bad sender address'))
  const { SIZE, BODY, RET, ENVID } = Object.fromEntries(parameters.value)
  return ok({
    reversePath: { address },
    smtpUtf8,
    body: BODY?.toUpperCase() === '8BITMIME' ? '8BITMIME' : '7BIT',
    requireTls: parameters.value.has('REQUIRETLS'),
    ...(SIZE === undefined ? {} : { declaredSizeBytes: Math.min(Number(SIZE), Number.MAX_SAFE_INTEGER) }),
    dsn: {
      ...(RET === undefined ? {} : { ret: RET.toUpperCase() === 'FULL' ? 'FULL' : 'HDRS' }),
      ...(ENVID === undefined ? {} : { envid: decoded(ENVID) }),
    },
  })
}

/**
 * Reads what follows "RCPT ": `TO:<path>` and the parameters NOTIFY and ORCPT (RFC 3461). `postmaster` is who
 * `TO:<postmaster>`, the only address without a domain (RFC 5321 §4.1.1.3), stands for. The error is the reply to give.
 */
export function parseRcptArgument(
  argument: string,
  context: { readonly smtpUtf8: boolean; readonly postmaster: Address },
): Result<ForwardPath, Reply> {
  const split = splitArgument('TO:', argument)
  if (split === undefined) return fail(reply(501, '5.1.3', 'Syntax: RCPT TO:<address>'))
  // RFC 6531 §3.5
  if (!context.smtpUtf8 && !ASCII.test(argument)) return fail(reply(553, '5.6.7', 'Non-ASCII address without SMTPUTF8'))
  const parameters = parseParameters(split.parameters, RCPT_PARAMETERS)
  if (!parameters.ok) return parameters
  const address = split.mailbox.toLowerCase() === 'postmaster' ? context.postmaster : parseAddress(split.mailbox)
  if (address === undefined) return fail(reply(501, '5.1.3', 'Bad recipient address'))
  const { NOTIFY, ORCPT } = Object.fromEntries(parameters.value)
  const dsn: RecipientDsn = {
    ...(NOTIFY === undefined ? {} : { notify: NOTIFY.toUpperCase() }),
    ...(ORCPT === undefined ? {} : { orcpt: decoded(ORCPT) }),
  }
  return ok({ address, dsn })
}

/** The address that `<postmaster>` stands for in that domain. */
export function postmasterOf(domain: Domain): Address {
  const address = parseAddress(`postmaster@${domain}`)
  assert(address !== undefined)
  return address
}

/** xtext (RFC 3461 §4) to text; `undefined` when it is none, or hides what is not printable ASCII. */
export function decodeXtext(text: string): string | undefined {
  if (!XTEXT.test(text)) return undefined
  const plain = text.replaceAll(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return PRINTABLE.test(plain) ? plain : undefined
}

/** Printable ASCII to xtext (RFC 3461 §4). */
export const encodeXtext = (text: string): string =>
  text.replaceAll(/[^!-*,-<>-~]/g, (char) => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)

const ASCII = /^[\x20-\x7e]*$/
const PRINTABLE = /^[\x20-\x7e]*$/
const XTEXT = /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/
const KEYWORD = /^[A-Z0-9][A-Z0-9-]*$/ // esmtp-keyword, RFC 5321 §4.1.2, in upper case
/** esmtp-value (RFC 5321 §4.1.2) with the UTF-8 of RFC 6531 §3.3. */
const VALUE = /^[!-<>-~\u{80}-\u{10ffff}]+$/u

interface SplitArgument {
  /** Without angle brackets and source route. */
  readonly mailbox: string
  readonly parameters: readonly string[]
}

/** No blank stands on either side of the colon (RFC 5321 §3.3); blanks at the end of the line are tolerated (§4.1.1). */
function splitArgument(word: string, argument: string): SplitArgument | undefined {
  if (argument.slice(0, word.length).toUpperCase() !== word || argument[word.length] !== '<') return undefined
  const start = skipRoute(argument, word.length + 1)
  const end = endOfMailbox(argument, start)
  if (end === -1) return undefined
  const rest = argument.slice(end + 1)
  if (rest !== '' && !rest.startsWith(' ')) return undefined
  return { mailbox: argument.slice(start, end), parameters: rest.split(' ').filter((word) => word !== '') }
}

/** A source route is accepted and ignored (RFC 5321 §4.1.1.3, appendix C). */
function skipRoute(argument: string, start: number): number {
  if (argument[start] !== '@') return start
  const colon = argument.indexOf(':', start)
  const route = argument.slice(start, colon)
  return colon !== -1 && /^[@A-Za-z0-9.,-]+$/.test(route) ? colon + 1 : start
}

/** Index of the '>' that is not inside a quoted string. */
function endOfMailbox(argument: string, start: number): number {
  let quoted = false
  for (let at = start; at < argument.length; at++) {
    const char = argument[at]
    if (quoted && char === '\\') at++
    else if (char === '"') quoted = !quoted
    else if (char === '>' && !quoted) return at
  }
  return -1
}

/** What each parameter's value must be; `undefined`: it has no value. */
type ParameterTable = Readonly<Record<string, ((value: string) => boolean) | undefined>>

const MAIL_PARAMETERS: ParameterTable = {
  SIZE: (value) => /^\d{1,20}$/.test(value), // RFC 1870 §3
  BODY: (value) => /^(?:7BIT|8BITMIME)$/i.test(value), // RFC 6152 §2
  SMTPUTF8: undefined, // RFC 6531 §3.4
  RET: (value) => /^(?:FULL|HDRS)$/i.test(value), // RFC 3461 §4.3
  ENVID: (value) => value.length <= ENVID_MAX_CHARS && decodeXtext(value) !== undefined, // RFC 3461 §4.4
  REQUIRETLS: undefined, // RFC 8689
  AUTH: (value) => XTEXT.test(value), // RFC 4954 §5; '<>' is xtext too
}

const RCPT_PARAMETERS: ParameterTable = {
  NOTIFY: isNotify,
  ORCPT: (value) => value.length <= ORCPT_MAX_CHARS && /^[A-Z0-9-]+;./i.test(value) && isOrcptText(value),
}

/** Name and value of each parameter, '' for none. An unknown one is 555 (RFC 5321 §4.1.1.11), a wrong one 501. */
function parseParameters(words: readonly string[], table: ParameterTable): Result<Map<string, string>, Reply> {
  const values = new Map<string, string>()
  for (const word of words) {
    const equals = word.indexOf('=')
    const name = (equals === -1 ? word : word.slice(0, equals)).toUpperCase()
    const value = equals === -1 ? undefined : word.slice(equals + 1)
    if (!KEYWORD.test(name)) return fail(reply(501, '5.5.4', 'Bad parameter'))
    if (!Object.hasOwn(table, name)) return fail(reply(555, '5.5.4', `Parameter ${name} is not known here`))
    const rule = table[name]
    const right = value === undefined ? rule === undefined : rule !== undefined && VALUE.test(value) && rule(value)
    if (!right || values.has(name)) return fail(reply(501, '5.5.4', `Bad or repeated parameter ${name}`))
    values.set(name, value ?? '')
  }
  return ok(values)
}

/** RFC 3461 §4.1: NEVER stands alone. */
function isNotify(value: string): boolean {
  const words = value.toUpperCase().split(',')
  const known = words.every((word) => ['SUCCESS', 'FAILURE', 'DELAY'].includes(word))
  return (known && new Set(words).size === words.length) || (words.length === 1 && words[0] === 'NEVER')
}

const isOrcptText = (value: string): boolean => decodeXtext(asciiAddress(value)) !== undefined

/** utf-8-addr-unitext to utf-8-addr-xtext (RFC 6533 §3), so that what we keep is ASCII. */
const asciiAddress = (value: string): string =>
  value.replaceAll(/[^\0-\x7f]/gu, (char) => `\\x{${char.codePointAt(0)?.toString(16).toUpperCase()}}`) // oxlint-disable-line no-control-regex

/** Of a value that its rule has let pass. */
function decoded(value: string): string {
  const text = decodeXtext(asciiAddress(value))
  assert(text !== undefined)
  return text
}
