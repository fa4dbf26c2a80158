/** SPF records (RFC 7208 §4.6, §5, §6): a list of terms, each checked before any is evaluated. */
import { isIPv4, isIPv6 } from 'node:net'
import { type MacroString, parseMacroString } from './spf-macro.ts'

/** What a mechanism that matches says of the client (RFC 7208 §4.6.2). */
export type SpfQualifier = 'pass' | 'fail' | 'softfail' | 'neutral'

const QUALIFIERS: Readonly<Record<string, SpfQualifier>> = {
  '': 'pass',
  '+': 'pass',
  '-': 'fail',
  '~': 'softfail',
  '?': 'neutral',
}

/** Prefix lengths for either family. */
interface Prefixes {
  readonly v4: number
  readonly v6: number
}

export type SpfMechanism =
  | { readonly kind: 'all' }
  | { readonly kind: 'include' | 'exists'; readonly target: MacroString }
  | { readonly kind: 'a' | 'mx'; readonly target: MacroString | undefined; readonly prefixes: Prefixes }
  | { readonly kind: 'ptr'; readonly target: MacroString | undefined }
  | { readonly kind: 'ip'; readonly address: string; readonly prefix: number }

export interface SpfDirective {
  readonly qualifier: SpfQualifier
  readonly mechanism: SpfMechanism
}

export interface SpfRecord {
  readonly directives: readonly SpfDirective[]
  readonly redirect: MacroString | undefined
}

/** Longer ones do not fit into what name servers hand out. */
const RECORD_MAX_CHARS = 8_192

/** RFC 7208 §4.5. */
export const isSpfRecord = (text: string): boolean => /^v=spf1(?: |$)/i.test(text)

/** `undefined`: permerror. */
export function parseSpfRecord(text: string): SpfRecord | undefined {
  // oxlint-disable-next-line no-control-regex -- records are US-ASCII (RFC 7208 §3.1)
  if (text.length > RECORD_MAX_CHARS || !/^[\x20-\x7e]*$/.test(text)) return undefined
  const directives: SpfDirective[] = []
  const modifiers = new Map<string, MacroString>()
  for (const term of text.split(' ').slice(1)) {
    if (term === '') continue
    const modifier = /^([a-z][a-z0-9_.-]*)=(.*)$/i.exec(term)
    if (modifier !== null) {
      if (!readModifier(modifiers, (modifier[1] as string).toLowerCase(), modifier[2] as string)) return undefined
      continue
    }
    const directive = readDirective(term)
    if (directive === undefined) return undefined
    directives.push(directive)
  }
  return { directives, redirect: modifiers.get('redirect') }
}

/** Two are known, and stand at most once (RFC 7208 §6); of all others only the form counts. */
function readModifier(known: Map<string, MacroString>, name: string, value: string): boolean {
  const isKnown = name === 'redirect' || name === 'exp'
  const parsed = parseMacroString(value, isKnown ? 'domain' : 'text')
  if (parsed === undefined || (isKnown && known.has(name))) return false
  if (isKnown) known.set(name, parsed)
  return true
}

function readDirective(term: string): SpfDirective | undefined {
  const read = /^([-+?~]?)([a-z][a-z0-9_.-]*)([:/].*)?$/i.exec(term)
  if (read === null) return undefined
  const [, sign = '', name = '', rest = ''] = read
  const mechanism = readMechanism(name.toLowerCase(), rest)
  return mechanism && { qualifier: QUALIFIERS[sign] as SpfQualifier, mechanism }
}

function readMechanism(name: string, rest: string): SpfMechanism | undefined {
  switch (name) {
    case 'all':
      return rest === '' ? { kind: 'all' } : undefined
    case 'include':
    case 'exists': {
      const target = rest.startsWith(':') ? parseMacroString(rest.slice(1), 'domain') : undefined
      return target && { kind: name, target }
    }
    case 'a':
    case 'mx':
      return readHosts(name, rest)
    case 'ptr': {
      if (rest === '') return { kind: 'ptr', target: undefined }
      const target = rest.startsWith(':') ? parseMacroString(rest.slice(1), 'domain') : undefined
      return target && { kind: 'ptr', target }
    }
    case 'ip4':
    case 'ip6':
      return readNetwork(name, rest)
    default:
      return undefined
  }
}

const V4_BITS = 32
const V6_BITS = 128

function readHosts(kind: 'a' | 'mx', rest: string): SpfMechanism | undefined {
  const read = /^(?::(.+?))?(?:\/(0|[1-9]\d?))?(?:\/\/(0|[1-9]\d{0,2}))?$/.exec(rest)
  if (read === null) return undefined
  const [, domain, v4 = V4_BITS, v6 = V6_BITS] = read
  const prefixes = { v4: Number(v4), v6: Number(v6) }
  if (prefixes.v4 > V4_BITS || prefixes.v6 > V6_BITS) return undefined
  if (domain === undefined) return { kind, target: undefined, prefixes }
  const target = parseMacroString(domain, 'domain')
  return target && { kind, target, prefixes }
}

function readNetwork(kind: 'ip4' | 'ip6', rest: string): SpfMechanism | undefined {
  const read = /^:([0-9a-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/i.exec(rest)
  if (read === null) return undefined
  const [, address = '', length] = read
  const bits = kind === 'ip4' ? V4_BITS : V6_BITS
  if (!(kind === 'ip4' ? isIPv4(address) : isIPv6(address))) return undefined
  const prefix = length === undefined ? bits : Number(length)
  return prefix > bits ? undefined : { kind: 'ip', address, prefix }
}
