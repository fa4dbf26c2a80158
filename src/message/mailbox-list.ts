/** From, Sender, Reply-To, To, Cc and Bcc: who is named there (RFC 5322 §3.4)? Strict, for these names decide who signs. */
import assert from 'node:assert/strict'
import { type Result, fail, ok } from '../base/result.ts'
import { type Address, parseAddress, sameAddress } from './address.ts'
import { decodeWords } from './encoded-word.ts'

export interface Mailbox {
  /** Display name, decoded, for people to read; '' when there is none. */
  readonly name: string
  readonly address: Address
}

export const MAILBOXES_MAX = 10_000
const COMMENT_DEPTH_MAX = 20

/**
 * Reads an address-list: groups (also in From, RFC 6854), comments, quoted names, empty list members and routes
 * (RFC 5322 §4.4; the route itself is dropped). An empty body gives an empty list: callers count.
 *
 * What two readers could understand differently is an error and never a guess: a second `@`, control characters,
 * unbalanced quotes, brackets or comments, a local part with blanks around its dots, and an address in a comment or in
 * an encoded word that is not the mailbox's own. Takes linear time.
 * @param text the unfolded field body, as `fieldBody` gives it.
 */
export function parseMailboxList(text: string): Result<readonly Mailbox[]> {
  try {
    const { tokens, comments } = tokenise(text)
    const mailboxes = new ListReader(tokens).read()
    const addresses = new Set(mailboxes.map((mailbox) => mailbox.address.toLowerCase()))
    if (comments.some((comment) => addressesIn(decodeWords(comment)).some((hidden) => !addresses.has(hidden))))
      return fail('an address in a comment')
    return ok(mailboxes)
  } catch (error) {
    if (error instanceof ListError) return fail(error.message)
    throw error
  }
}

/** Thrown in this file only; parseMailboxList turns it into a Result. */
class ListError extends Error {}

type Special = '<' | '>' | '@' | ',' | ':' | ';'

/** `word` is a run of atext and dots; `spaced` says that a blank or a comment stands before it. */
type Token =
  | { readonly kind: 'word' | 'quoted' | 'literal'; readonly text: string; readonly spaced: boolean }
  | { readonly kind: Special; readonly text: string; readonly spaced: boolean }

const END = { kind: 'end' } as const

class ListReader {
  readonly #tokens: readonly Token[]
  readonly #mailboxes: Mailbox[] = []
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  read(): readonly Mailbox[] {
    while (this.#peek().kind !== 'end') {
      this.#member(false)
      if (this.#peek().kind !== 'end') this.#expect(',')
    }
    return this.#mailboxes
  }

  #peek(): Token | typeof END {
    return this.#tokens[this.#at] ?? END
  }

  #expect(kind: Token['kind']): Token {
    const token = this.#peek()
    if (token.kind !== kind) throw new ListError(`${describe(token)} where ${kind} belongs`)
    this.#at++
    return token
  }

  /** A mailbox, a group, or nothing (obs-mbox-list lets members be empty). */
  #member(inGroup: boolean): void {
    const words = this.#words()
    const next = this.#peek()
    if (next.kind === '@') this.#bareAddress(words)
    else if (next.kind === '<') this.#angleAddress(words)
    else if (next.kind === ':' && words.length > 0 && !inGroup) this.#group()
    else if (words.length > 0) throw new ListError('a name without an address')
  }

  /** An address, perhaps as the name of itself: `a@b <a@b>` is no phrase, but it is frequent and can mean one thing only. */
  #bareAddress(words: readonly Token[]): void {
    const address = this.#addrSpec(words)
    if (this.#peek().kind !== '<') return this.#keep('', address)
    this.#angleAddress([])
    const kept = this.#mailboxes.at(-1)
    if (kept === undefined || !sameAddress(kept.address, address)) throw new ListError('two addresses for one mailbox')
  }

  #words(): readonly Token[] {
    const start = this.#at
    while (this.#peek().kind === 'word' || this.#peek().kind === 'quoted') this.#at++
    return this.#tokens.slice(start, this.#at)
  }

  #group(): void {
    this.#expect(':')
    while (this.#peek().kind !== ';') {
      this.#member(true)
      if (this.#peek().kind !== ';') this.#expect(',')
    }
    this.#expect(';')
  }

  #angleAddress(name: readonly Token[]): void {
    this.#expect('<')
    if (this.#peek().kind === '@' || this.#peek().kind === ',') this.#route()
    const address = this.#addrSpec(this.#words())
    this.#expect('>')
    this.#keep(nameOf(name, address), address)
  }

  /** obs-route: `@a,@b:` (RFC 5322 §4.4). */
  #route(): void {
    while (this.#peek().kind !== ':') {
      if (this.#peek().kind === '@') {
        this.#expect('@')
        this.#domain()
      }
      if (this.#peek().kind !== ':') this.#expect(',')
    }
    this.#expect(':')
  }

  #addrSpec(local: readonly Token[]): Address {
    const [token] = local
    if (token === undefined || local.length > 1) throw new ListError('no single local part before @')
    this.#expect('@')
    const domain = this.#domain()
    const address = parseAddress(`${token.kind === 'quoted' ? quote(token.text) : token.text}@${domain}`)
    if (address === undefined) throw new ListError('not an address')
    if (token.text.includes('@')) throw new ListError('a second @ in the local part')
    return address
  }

  #domain(): string {
    const token = this.#peek()
    return this.#expect(token.kind === 'literal' ? 'literal' : 'word').text
  }

  #keep(name: string, address: Address): void {
    if (this.#mailboxes.length >= MAILBOXES_MAX) throw new ListError('too many addresses')
    this.#mailboxes.push({ name, address })
  }
}

const describe = (token: Token | typeof END): string => (token.kind === 'end' ? 'the end' : token.kind)

const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

/** Encoded words count in plain words only (RFC 2047 §5); what they hide may not be somebody else's address. */
function nameOf(words: readonly Token[], address: Address): string {
  let name = ''
  let plain = ''
  for (const { kind, text, spaced } of words) {
    const blank = spaced && (name !== '' || plain !== '') ? ' ' : ''
    if (kind === 'word') plain += blank + text
    else {
      name += decodeName(plain, address) + blank + text
      plain = ''
    }
  }
  return name + decodeName(plain, address)
}

function decodeName(text: string, address: Address): string {
  const decoded = decodeWords(text)
  if (decoded === text) return text
  // oxlint-disable-next-line no-control-regex -- these are what is refused
  if (/[\0-\x1f\x7f<>]/.test(decoded)) throw new ListError('a control character or bracket in an encoded word')
  if (addressesIn(decoded).some((hidden) => hidden !== address.toLowerCase()))
    throw new ListError('another address in an encoded word')
  return decoded
}

/** What a person or a careless program would take for addresses, in lower case. */
export function addressesIn(text: string): readonly string[] {
  const found: string[] = []
  for (const word of text.toLowerCase().split(/[\s<>()[\]'",;:]+/)) if (/[^@]@[^@]/.test(word)) found.push(word)
  return found
}

interface Tokens {
  readonly tokens: readonly Token[]
  readonly comments: readonly string[]
}

/** Everything that ends a run of atext and dots. */
const WORD = /[^\0-\x20\x7f"(),:;<>@[\\\]]+/y // oxlint-disable-line no-control-regex

function tokenise(text: string): Tokens {
  // oxlint-disable-next-line no-control-regex -- these are what is refused
  if (/[\0-\x08\x0a-\x1f\x7f-\x9f]/.test(text)) throw new ListError('a control character')
  const tokens: Token[] = []
  const comments: string[] = []
  let spaced = false
  for (let at = 0; at < text.length;) {
    const char = text.charAt(at)
    let end = at + 1
    if (char === ' ' || char === '\t') spaced = true
    else if (char === '(') {
      end = endOfComment(text, at)
      comments.push(unescape(text.slice(at + 1, end - 1)))
      spaced = true
    } else {
      const token = tokenAt(text, at, spaced)
      tokens.push(token.token)
      end = token.end
      spaced = false
    }
    at = end
  }
  return { tokens, comments }
}

function tokenAt(text: string, at: number, spaced: boolean): { token: Token; end: number } {
  const char = text.charAt(at)
  switch (char) {
    case '<':
    case '>':
    case '@':
    case ',':
    case ':':
    case ';':
      return { token: { kind: char, text: char, spaced }, end: at + 1 }
    case '"': {
      const end = endOfQuotes(text, at)
      return { token: { kind: 'quoted', text: unescape(text.slice(at + 1, end - 1)), spaced }, end }
    }
    case '[': {
      const end = text.indexOf(']', at) + 1
      if (end === 0) throw new ListError('unbalanced brackets')
      return { token: { kind: 'literal', text: text.slice(at, end), spaced }, end }
    }
    case ')':
    case ']':
    case '\\':
      throw new ListError(`${char} out of place`)
  }
  WORD.lastIndex = at
  const word = WORD.exec(text)?.[0] ?? ''
  assert(word !== '') // every other character has its case above
  return { token: { kind: 'word', text: word, spaced }, end: at + word.length }
}

const unescape = (text: string): string => text.replace(/\\(.)/gsu, '$1')

function endOfQuotes(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  throw new ListError('unbalanced quotes')
}

function endOfComment(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '(' && ++depth > COMMENT_DEPTH_MAX) throw new ListError('comments nested too deeply')
    else if (text[at] === ')' && --depth === 0) return at + 1
  }
  throw new ListError('unbalanced comment')
}
