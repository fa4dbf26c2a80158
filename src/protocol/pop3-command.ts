import { Buffer, isUtf8 } from 'node:buffer'
import { latin1 } from '../base/bytes.ts'
import { fail, ok, type Result } from '../base/result.ts'

/** A command of POP3 with its arguments (RFC 1939, 2449, 2595, 5034, 6856). Message numbers start at 1. */
export type Pop3Command =
  | { readonly name: 'CAPA' | 'NOOP' | 'QUIT' | 'RSET' | 'STAT' | 'STLS' | 'UTF8' }
  | { readonly name: 'USER'; readonly mailbox: string }
  | { readonly name: 'PASS'; readonly password: string }
  | { readonly name: 'AUTH'; readonly mechanism: string; readonly initialResponse: string | undefined }
  | { readonly name: 'LIST' | 'UIDL'; readonly message: number | undefined }
  | { readonly name: 'RETR' | 'DELE'; readonly message: number }
  | { readonly name: 'TOP'; readonly message: number; readonly bodyLines: number }
  | { readonly name: 'LANG'; readonly language: string | undefined }

export type Pop3CommandName = Pop3Command['name']

/** Digits of a message number or line count: more than any mailbox has, and safely a number. */
const NUMBER_DIGITS_MAX = 10

/**
 * Parses one command line without its CRLF (RFC 2449 §3). The error is a text for the client; it never repeats what the
 * client sent, so a mistyped password is not echoed.
 */
export function parsePop3Command(line: Uint8Array): Result<Pop3Command> {
  const space = line.indexOf(0x20)
  const keyword = latin1(space === -1 ? line : line.subarray(0, space)).toUpperCase()
  const argument = space === -1 ? undefined : line.subarray(space + 1)
  if (!isCommandName(keyword)) return fail('Unknown command')
  if (line.some(isControl)) return fail('A command has no control characters')
  return parseArguments(keyword, argument)
}

const COMMAND_NAMES = {
  AUTH: true,
  CAPA: true,
  DELE: true,
  LANG: true,
  LIST: true,
  NOOP: true,
  PASS: true,
  QUIT: true,
  RETR: true,
  RSET: true,
  STAT: true,
  STLS: true,
  TOP: true,
  UIDL: true,
  USER: true,
  UTF8: true,
} as const satisfies Record<Pop3CommandName, true>

function isCommandName(keyword: string): keyword is Pop3CommandName {
  return Object.hasOwn(COMMAND_NAMES, keyword)
}

function parseArguments(name: Pop3CommandName, argument: Uint8Array | undefined): Result<Pop3Command> {
  switch (name) {
    case 'USER': {
      const mailbox = parseText(argument)
      return mailbox.ok ? ok({ name, mailbox: mailbox.value }) : mailbox
    }
    case 'PASS': {
      const password = parseText(argument)
      return password.ok ? ok({ name, password: password.value }) : password
    }
    case 'CAPA':
    case 'NOOP':
    case 'QUIT':
    case 'RSET':
    case 'STAT':
    case 'STLS':
    case 'UTF8':
    case 'AUTH':
    case 'LANG':
    case 'LIST':
    case 'UIDL':
    case 'RETR':
    case 'DELE':
    case 'TOP': {
      const words = parseWords(argument)
      return words.ok ? parseWordArguments(name, words.value) : words
    }
  }
}

function parseWordArguments(
  name: Exclude<Pop3CommandName, 'USER' | 'PASS'>,
  words: readonly string[],
): Result<Pop3Command> {
  const [first, second] = words
  switch (name) {
    case 'CAPA':
    case 'NOOP':
    case 'QUIT':
    case 'RSET':
    case 'STAT':
    case 'STLS':
    case 'UTF8':
      return first === undefined ? ok({ name }) : fail(`${name} takes no argument`)
    case 'AUTH':
      if (first === undefined || words.length > 2) return fail('AUTH takes a mechanism and perhaps an initial response')
      return ok({ name, mechanism: first.toUpperCase(), initialResponse: second })
    case 'LANG':
      return words.length <= 1 ? ok({ name, language: first }) : fail('LANG takes one language at most')
    case 'LIST':
    case 'UIDL': {
      if (words.length > 1) return fail(`${name} takes one message number at most`)
      if (first === undefined) return ok({ name, message: undefined })
      const message = parseNumber(first)
      return message === undefined ? fail(`${name} takes one message number at most`) : ok({ name, message })
    }
    case 'RETR':
    case 'DELE': {
      const message = words.length === 1 ? parseNumber(first) : undefined
      return message === undefined ? fail(`${name} takes a message number`) : ok({ name, message })
    }
    case 'TOP': {
      const message = parseNumber(first)
      const bodyLines = words.length === 2 ? parseNumber(second) : undefined
      if (message === undefined || bodyLines === undefined) return fail('TOP takes a message number and a line count')
      return ok({ name, message, bodyLines })
    }
  }
}

/**
 * USER and PASS have one argument, which is all the rest of the line: a password may hold spaces, also at its ends
 * (RFC 1939 §7), and UTF-8, which the UTF8 USER capability promises (RFC 6856 §2.2).
 */
function parseText(argument: Uint8Array | undefined): Result<string> {
  if (argument === undefined || argument.length === 0) return fail('An argument is missing')
  return isUtf8(argument) ? ok(Buffer.from(argument).toString('utf8')) : fail('The argument is not UTF-8')
}

/** Printable ASCII words (RFC 2449 §3). Spaces too many are forgiven; clients send them. */
function parseWords(argument: Uint8Array | undefined): Result<readonly string[]> {
  if (argument === undefined) return ok([])
  if (argument.some((byte) => byte >= 0x80)) return fail('Arguments are ASCII')
  return ok(
    latin1(argument)
      .split(' ')
      .filter((word) => word !== ''),
  )
}

function parseNumber(word: string | undefined): number | undefined {
  if (word === undefined || word.length > NUMBER_DIGITS_MAX || !/^[0-9]+$/.test(word)) return undefined
  return Number(word)
}

const isControl = (byte: number): boolean => byte < 0x20 || byte === 0x7f
