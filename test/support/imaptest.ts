/**
 * The grammar of imaptest's scripts (../shared/corpora/imaptest), and whether an IMAP reply is what a script expects. Pure.
 * Values are compared without regard to case; `$name` stands for a value that is bound where it is met first.
 */

/** An atom or string is its text; what stands in parentheses or, as a reply code, in brackets is a list. */
export type Value = string | readonly Value[]

export interface Step {
  /** 1 for the first. */
  readonly connection: number
  /** `any` where it does not matter. */
  readonly expected: 'ok' | 'no' | 'bad' | 'any'
  readonly command: string
  /** Behind `ok`, `no` or `bad`, such as a reply code. */
  readonly reply: string
  /** Untagged replies that have to come. */
  readonly wanted: readonly string[]
  /** Untagged replies that must not come. */
  readonly banned: readonly string[]
}

export interface Script {
  readonly capabilities: readonly string[]
  readonly connections: number
  readonly messages: number
  readonly state: string
  readonly steps: readonly Step[]
}

const MESSAGES_MAX = 1_000

/** `undefined` for scripts whose commands overlap: they need a client that does not wait for replies. */
export function parseScript(text: string): Script | undefined {
  const lines = joinLiterals(text.split('\n'))
  const head = new Map<string, string>()
  while (/^(?:#|$|[a-z_ 0-9]+: )/.test(lines[0] ?? '#') && lines.length > 0) {
    const [name, value] = (lines.shift() as string).split(/: +/, 2)
    if (value !== undefined && name !== undefined && !name.startsWith('#')) head.set(name, value.trim())
  }
  if ([...head.keys()].some((name) => name.startsWith('user'))) return undefined
  const connections = Number(head.get('connections') ?? 1)
  const steps = readSteps(lines, connections > 1)
  const messages = head.get('messages') ?? '0'
  return (
    steps && {
      capabilities: head.get('capabilities')?.split(/\s+/) ?? [],
      connections,
      messages: messages === 'all' ? MESSAGES_MAX : Number(messages),
      state: head.get('state') ?? 'selected',
      steps,
    }
  )
}

function readSteps(lines: readonly string[], numbered: boolean): Step[] | undefined {
  const steps: (Step & { wanted: string[]; banned: string[] })[] = []
  let open: { connection: number; command: string; wanted: string[]; banned: string[] } | undefined
  let last = open ?? { wanted: [] as string[], banned: [] as string[] }
  for (const line of lines) {
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('? ')) continue // may come
    if (/^[*!] /.test(line)) {
      last[line.startsWith('*') ? 'wanted' : 'banned'].push(line.slice(2))
      continue
    }
    const [, number, rest = ''] = (numbered ? /^(\d+) ([^]*)$/ : /^()([^]*)$/).exec(line) ?? []
    const connection = Number(number ?? 1) || 1
    const status = /^(ok|no|bad|"")(?: ([^]*))?$/i.exec(rest)
    if (status === null) {
      if (open !== undefined || /^tag\d/.test(rest)) return undefined
      open = { connection, command: rest, wanted: [], banned: [] }
      last = open
    } else {
      const expected = status[1] === '""' ? 'any' : (status[1]?.toLowerCase() as Step['expected'])
      const behind = status[2] ?? ''
      const step =
        open === undefined
          ? { connection, expected, command: behind, reply: '', wanted: [], banned: [] }
          : { ...open, expected, reply: behind }
      steps.push(step)
      last = step
      open = undefined
    }
  }
  return steps
}

/** `{{{` at the end of a line begins text that goes on to a line that begins with `}}}`; the last line end is not part of it. */
function joinLiterals(lines: readonly string[]): string[] {
  const joined: string[] = []
  let inside = false
  for (const line of lines) {
    const end = inside && line.startsWith('}}}')
    if (inside) joined.push(`${joined.pop() ?? ''}\n${line}`)
    else joined.push(line.trimEnd())
    if (end || !inside) inside = line.trimEnd().endsWith('{{{')
  }
  return joined
}

/** Reads a reply, or what is expected of one. Text for people, behind the codes, may not be understood. */
export function parseValues(text: string): readonly Value[] {
  return new Reader(text).list('')
}

/** Text between triple braces: its lines end in CRLF on the wire, but for octets (`~`), which stand there as they are. */
export const BLOCK = /(~?)\{\{\{\n([^]*?)\n?\}\}\}/y

export const octetsOf = (raw: string, text: string): string => (raw === '~' ? text : text.replaceAll('\n', '\r\n'))

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  list(end: string): Value[] {
    const values: Value[] = []
    for (;;) {
      while (this.#text[this.#at] === ' ') this.#at++
      const char = this.#text[this.#at]
      if (char === undefined) return values
      if (char === end) {
        this.#at++
        return values
      }
      values.push(this.#value(char, end))
    }
  }

  #value(char: string, end: string): Value {
    if (char === '(' || char === '[') {
      this.#at++
      return this.list(char === '(' ? ')' : ']')
    }
    const string = this.#match(/"((?:[^"\\]|\\.)*)"/y)
    if (string !== undefined) return (string[1] ?? '').replaceAll(/\\(.)/g, '$1')
    const block = this.#match(BLOCK)
    if (block !== undefined) return octetsOf(block[1] ?? '', block[2] ?? '')
    const literal = this.#match(/~?\{(\d+)\}\r\n/y)
    if (literal !== undefined) {
      const from = this.#at
      this.#at += Number(literal[1])
      return this.#text.slice(from, this.#at)
    }
    // a section stands in brackets, with spaces and parentheses of its own: BODY[HEADER.FIELDS (To)]<0>
    const atom = this.#match(end === ']' ? /[^\s\]]+/y : /(?:[^\s()[]|\[[^\]]*\])+/y)
    if (atom !== undefined) return atom[0]
    this.#at++
    return char
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) return undefined
    this.#at = pattern.lastIndex
    return found
  }
}

export type Variables = ReadonlyMap<string, string>

const VARIABLE = /\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/g

/** With the values of all variables that are known; `$$` is a dollar sign. */
export const expand = (text: string, variables: Variables): string =>
  text.replaceAll(VARIABLE, (whole: string, braced?: string, plain?: string) =>
    whole === '$$' ? '$' : (variables.get(braced ?? plain ?? '') ?? whole),
  )

/** What is known when `expected` is taken for `actual`; `undefined` when it is something else. */
export function matches(
  expected: readonly Value[],
  actual: readonly Value[],
  variables: Variables,
): Variables | undefined {
  const [first, second] = expected.map(word)
  if (/^(?:ok|no|bad|bye|preauth)$/.test(first ?? ''))
    return inOrder(expected, actual.slice(0, expected.length), variables)
  const how: How =
    second === 'fetch' || first === 'status' ? 'pairs' : first === 'list' || first === 'lsub' ? 'some' : 'order'
  if (expected.length !== actual.length) return undefined
  let known: Variables | undefined = variables
  for (const [at, value] of expected.entries())
    known = known && matchValue(value, actual[at] as Value, known, Array.isArray(value) ? how : 'order')
  return known
}

type How = 'pairs' | 'some' | 'order'

const word = (value: Value): string => (typeof value === 'string' ? value.toLowerCase() : '')

function matchValue(expected: Value, actual: Value, variables: Variables, how: How = 'order'): Variables | undefined {
  if (typeof expected === 'string')
    return typeof actual === 'string' ? matchText(expected, actual, variables) : bound(expected, actual, variables)
  if (typeof actual === 'string') return undefined
  if (expected[0] === '$!unordered') return anyOrder(expected.slice(1), actual, variables)
  if (how === 'some') return anyOrder(expected, actual, variables)
  return how === 'pairs' ? inPairs(expected, actual, variables) : inOrder(expected, actual, variables)
}

/** A variable may stand for a whole list. */
function bound(expected: string, actual: Value, variables: Variables): Variables | undefined {
  const name = /^\$([A-Za-z_]\w*)$/.exec(expected)?.[1]
  if (name === undefined) return undefined
  const text = JSON.stringify(actual)
  const known = variables.get(name)
  return known === undefined ? new Map([...variables, [name, text]]) : known === text ? variables : undefined
}

/** Stands for `$$` while variables are looked for; replies have octets only. */
const DOLLAR = '\u{e000}'

function matchText(expected: string, actual: string, variables: Variables): Variables | undefined {
  const names: string[] = []
  const unknown = expand(expected.replaceAll('$$', DOLLAR), variables)
  const pattern = unknown.split(/(\$\{?[A-Za-z_]\w*\}?)/).map((piece, index) => {
    if (index % 2 === 0) return RegExp.escape(piece.replaceAll(DOLLAR, '$'))
    names.push(piece.replaceAll(/[${}]/g, ''))
    return '([^]*?)'
  })
  const found = new RegExp(`^${pattern.join('')}$`, 'i').exec(actual)
  if (found === null) return undefined
  return names.length === 0
    ? variables
    : new Map([...variables, ...names.map((name, at) => [name, found[at + 1] ?? ''] as const)])
}

function inOrder(expected: readonly Value[], actual: readonly Value[], variables: Variables): Variables | undefined {
  if (expected.length !== actual.length) return undefined
  let known: Variables | undefined = variables
  for (const [at, value] of expected.entries()) known = known && matchValue(value, actual[at] as Value, known)
  return known
}

function anyOrder(expected: readonly Value[], actual: readonly Value[], variables: Variables): Variables | undefined {
  const left = [...actual]
  let known = variables
  for (const value of expected) {
    const banned = /^\$!ban=([^]+)$/.exec(word(value))?.[1]
    if (banned !== undefined && left.some((each) => word(each) === banned)) return undefined
    if (banned !== undefined) continue
    const at = left.findIndex((each) => matchValue(value, each, known) !== undefined)
    if (at < 0) return undefined
    known = matchValue(value, left.splice(at, 1)[0] as Value, known) ?? known
  }
  return known
}

/** Names with their values, in any order, among others. Flags are a set, without \Recent, which is not the message's. */
function inPairs(expected: readonly Value[], actual: readonly Value[], variables: Variables): Variables | undefined {
  let known: Variables | undefined = variables
  for (let at = 0; at + 1 < expected.length; at += 2) {
    const name = word(expected[at] as Value)
    const found = actual.findIndex((each, index) => index % 2 === 0 && word(each) === name)
    if (found < 0) return undefined
    const [wanted, given] = [expected[at + 1] as Value, actual[found + 1] as Value]
    known = known && (name === 'flags' ? sameFlags(wanted, given, known) : matchValue(wanted, given, known))
    if (known === undefined) return undefined
  }
  return known
}

function sameFlags(expected: Value, actual: Value, variables: Variables): Variables | undefined {
  if (typeof expected === 'string' || typeof actual === 'string') return matchValue(expected, actual, variables)
  const given = actual.filter((flag) => word(flag) !== '\\recent')
  const wanted = expected.filter((flag) => word(flag) !== '\\recent' && !word(flag).startsWith('$!'))
  return given.length === wanted.length ? anyOrder(wanted, given, variables) : undefined
}
