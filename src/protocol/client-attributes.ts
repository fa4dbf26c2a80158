/**
 * What a server in front says of the client for whom it comes: the arguments of XCLIENT and XFORWARD (Postfix's
 * XCLIENT_README and XFORWARD_README). Only hosts that are configured may say it.
 */
import { fail, ok, type Result } from '../base/result.ts'
import { hostAddress } from './host-address.ts'
import { HELO_NAME, HELO_NAME_MAX_CHARS } from './helo-name.ts'
import { decodeXtext } from './smtp-path.ts'

/** `undefined`: nothing was said; `null`: the server in front does not know. */
export interface ClientAttributes {
  readonly address?: string | null
  readonly helo?: string | null
  /** As whom the client has signed in. */
  readonly login?: string | null
}

/** As they are offered in the reply to EHLO; what is not in `ClientAttributes` is checked, and of no use here. */
export const XCLIENT_ATTRIBUTES = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO'] as const
export const XCLIENT_LOGIN = 'LOGIN'
export const XFORWARD_ATTRIBUTES = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'IDENT', 'SOURCE'] as const

export const ATTRIBUTE_MAX_CHARS = 255

/** `allowed`: names in capitals. The error says what was wrong. */
export function parseClientAttributes(argument: string, allowed: readonly string[]): Result<ClientAttributes> {
  const words = argument.split(' ').filter((word) => word !== '')
  if (words.length === 0) return fail('Syntax: attribute=value')
  const values = new Map<string, string | null>()
  for (const word of words) {
    const equals = word.indexOf('=')
    const name = word.slice(0, Math.max(equals, 0)).toUpperCase()
    if (!allowed.includes(name) || values.has(name)) return fail('Unknown attribute, or one that is there twice')
    const value = decodeXtext(word.slice(equals + 1))
    if (value === undefined || value === '' || value.length > ATTRIBUTE_MAX_CHARS) return fail(`Bad value of ${name}`)
    const known = UNKNOWN.test(value) ? null : FORMS[name]?.(value)
    if (known === undefined) return fail(`Bad value of ${name}`)
    values.set(name, known)
  }
  const [address, helo, login] = ['ADDR', 'HELO', XCLIENT_LOGIN].map((name) => values.get(name))
  return ok({
    ...(address !== undefined && { address }),
    ...(helo !== undefined && { helo }),
    ...(login !== undefined && { login }),
  })
}

const UNKNOWN = /^\[(?:UNAVAILABLE|TEMPUNAVAIL)\]$/i

/** The value in one spelling; `undefined` when it has not the form of such a value. */
const FORMS: Readonly<Record<string, (value: string) => string | undefined>> = {
  ADDR: (value) => hostAddress(value.replace(/^IPV6:/i, '')),
  PORT: (value) => (/^\d{1,5}$/.test(value) ? value : undefined),
  HELO: (value) => (value.length <= HELO_NAME_MAX_CHARS && HELO_NAME.test(value) ? value : undefined),
  NAME: word,
  PROTO: word,
  IDENT: word,
  SOURCE: word,
  LOGIN: word,
}

/** No blank, and nothing that means something in a header. */
function word(value: string): string | undefined {
  return /^[^\s()<>,;\\"]+$/.test(value) ? value : undefined
}
