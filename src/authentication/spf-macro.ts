/** The macros of SPF (RFC 7208 §7): names that depend on who is asking. */

/** What the letters stand for. `validatedName` is asked only when a record has the letter. */
export interface MacroFacts {
  readonly sender: string
  readonly domain: string
  readonly helo: string
  /** As `ip` is written between dots: an IPv6 address nibble by nibble. */
  readonly dottedIp: string
  readonly family: 'v4' | 'v6'
  validatedName(): Promise<string>
}

type Letter = 's' | 'l' | 'o' | 'd' | 'i' | 'p' | 'v' | 'h'

export type MacroString = readonly (
  | string
  | {
      readonly letter: Letter
      /** Rightmost parts that are kept; 0 keeps all. */
      readonly keep: number
      readonly reversed: boolean
      readonly delimiters: string
      readonly escaped: boolean
    }
)[]

const TOKEN = /%\{([slodipvh])(\d{0,3})(r?)([-.+,/_=]*)\}|%([%_-])|([!-$&-~]+)/giy
const SPECIAL: Readonly<Record<string, string>> = { '%': '%', _: ' ', '-': '%20' }
/** RFC 7208 §7.1: a domain-spec ends in a macro, or in a label that is not all of digits. */
const DOMAIN_END = /(?:%\{[^}]*\}|\.(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])\.?)$/i

/** `undefined` when it is none. `text`: of a modifier that nobody knows. */
export function parseMacroString(written: string, as: 'domain' | 'text'): MacroString | undefined {
  if (as === 'domain' && !DOMAIN_END.test(written)) return undefined
  const tokens: MacroString[number][] = []
  let at = 0
  TOKEN.lastIndex = 0
  while (at < written.length) {
    const [whole = '', letter, digits = '', reversed, delimiters = '', special, literal] = TOKEN.exec(written) ?? []
    if (whole === '' || (digits !== '' && Number(digits) === 0)) return undefined
    at += whole.length
    if (literal !== undefined) tokens.push(literal)
    else if (special !== undefined) tokens.push(SPECIAL[special] as string)
    else if (letter !== undefined)
      tokens.push({
        letter: letter.toLowerCase() as Letter,
        keep: Number(digits),
        reversed: reversed !== '',
        delimiters: delimiters === '' ? '.' : delimiters,
        escaped: letter !== letter.toLowerCase(),
      })
  }
  return tokens
}

const NAME_MAX_CHARS = 253

/** A name to ask for: labels on the left go when it is too long (RFC 7208 §7.3). */
export async function expandDomain(macro: MacroString, facts: MacroFacts): Promise<string> {
  const parts = await Promise.all(
    macro.map(async (token) =>
      typeof token === 'string' ? token : transform(await valueOf(token.letter, facts), token),
    ),
  )
  let name = parts.join('').replace(/\.$/, '')
  while (name.length > NAME_MAX_CHARS && name.includes('.')) name = name.slice(name.indexOf('.') + 1)
  return name
}

function valueOf(letter: Letter, facts: MacroFacts): string | Promise<string> {
  const at = facts.sender.lastIndexOf('@')
  switch (letter) {
    case 's':
      return facts.sender
    case 'l':
      return facts.sender.slice(0, at)
    case 'o':
      return facts.sender.slice(at + 1)
    case 'd':
      return facts.domain
    case 'i':
      return facts.dottedIp
    case 'v':
      return facts.family === 'v4' ? 'in-addr' : 'ip6'
    case 'h':
      return facts.helo
    case 'p':
      return facts.validatedName()
  }
}

function transform(value: string, token: Exclude<MacroString[number], string>): string {
  const parts: string[] = ['']
  for (const character of value)
    if (token.delimiters.includes(character)) parts.push('')
    else parts[parts.length - 1] += character
  if (token.reversed) parts.reverse()
  const kept = token.keep === 0 ? parts : parts.slice(-token.keep)
  return token.escaped ? encodeURIComponent(kept.join('.')) : kept.join('.')
}
