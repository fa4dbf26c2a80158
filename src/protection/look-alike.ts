/**
 * What in From could make a person read another author than the one who signed. It makes no signature wrong, for honest
 * mail has such things too; the reader is told.
 */
import { isAscii } from 'node:buffer'
import { domainToUnicode } from 'node:url'
import { type Address, domainOf, localPart, parseAddress, sameAddress } from '../message/address.ts'
import { decodeWords } from '../message/encoded-word.ts'
import { fieldBody, isField } from '../message/header-field.ts'
import { addressesIn, parseMailboxList } from '../message/mailbox-list.ts'
import type { HeaderField } from '../message/part.ts'
import { authorOf } from './author.ts'

/** Sentences; none for a header that has not just one author (`authorOf` says so). */
export function cautionsAbout(fields: readonly HeaderField[]): readonly string[] {
  const author = authorOf({ fields })
  const from = fields.find((each) => isField(each, 'From'))
  if ('problem' in author || from === undefined) return []
  const sender = fields.find((each) => isField(each, 'Sender'))
  return [
    ...cautionsAboutText(fieldBody(from), author.address),
    ...cautionsAboutAddress(author.address),
    ...(sender === undefined ? [] : cautionsAboutSender(fieldBody(sender), author.address)),
  ]
}

/** Many programs show the name only, or that of the group. */
function cautionsAboutText(text: string, author: Address): readonly string[] {
  // some decode encoded words within quotes too, where they mean nothing (RFC 2047 §5)
  const seen = decodeWords(text)
  const other = addressesIn(seen.normalize('NFKC')).find((each) => !isAddressOf(author, each))
  return [
    ...(other === undefined ? [] : [`The name in From shows ${other}, which is not the author.`]),
    ...(UNSEEN.test(seen) ? ['The name in From has invisible or direction-changing characters.'] : []),
  ]
}

function isAddressOf(author: Address, text: string): boolean {
  const address = parseAddress(text)
  return address === undefined ? text === author.toLowerCase() : sameAddress(address, author)
}

/** Who sent the mail for its author (RFC 5322 §3.6.2) may be anybody; programs write "on behalf of". */
function cautionsAboutSender(text: string, author: Address): readonly string[] {
  const mailboxes = parseMailboxList(text)
  const others = mailboxes.ok ? mailboxes.value.filter(({ address }) => !sameAddress(address, author)) : undefined
  if (others === undefined) return ['Sender cannot be read.']
  return others.slice(0, 1).map(({ address }) => `Sender names ${address}, for whom nobody signed.`)
}

/** Controls and format characters, except the two joiners that some scripts and emoji need. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}]/u

function cautionsAboutAddress(address: Address): readonly string[] {
  if (isAscii(Buffer.from(address)) && !/xn--/i.test(address)) return [] // one script, and as it looks
  const domain = domainToUnicode(domainOf(address))
  const mixed = [localPart(address), ...domain.split('.')].find(mixesScripts)
  if (mixed !== undefined) return [`The author's address ${address} mixes letters of several scripts.`]
  const looksLatin = isLatin(topOf(domain)) && domain.split('.').slice(0, -1).some(looksLikeLatin)
  return looksLatin ? [`The author's domain ${domainOf(address)} is in letters that look like Latin ones.`] : []
}

const topOf = (domain: string): string => domain.slice(domain.lastIndexOf('.') + 1)

/** UTS #39 §5.2, "Highly Restrictive": one script, or Latin with the scripts of one East Asian language. */
function mixesScripts(text: string): boolean {
  const scripts = new Set(Array.from(text.match(/\p{L}/gu) ?? [], scriptOf))
  return scripts.size > 1 && !WRITTEN_TOGETHER.some((together) => scripts.isSubsetOf(together))
}

const WRITTEN_TOGETHER: readonly ReadonlySet<string>[] = [
  new Set(['Latin', 'Han', 'Hiragana', 'Katakana', 'Common']),
  new Set(['Latin', 'Han', 'Bopomofo', 'Common']),
  new Set(['Latin', 'Han', 'Hangul', 'Common']),
]

const SCRIPTS: readonly (readonly [name: string, letter: RegExp])[] = [
  ['Latin', /\p{Script=Latin}/u],
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Greek', /\p{Script=Greek}/u],
  ['Han', /\p{Script=Han}/u],
  ['Hiragana', /\p{Script=Hiragana}/u],
  ['Katakana', /\p{Script=Katakana}/u],
  ['Hangul', /\p{Script=Hangul}/u],
  ['Bopomofo', /\p{Script=Bopomofo}/u],
  ['Armenian', /\p{Script=Armenian}/u],
  ['Hebrew', /\p{Script=Hebrew}/u],
  ['Arabic', /\p{Script=Arabic}/u],
  ['Cherokee', /\p{Script=Cherokee}/u],
  ['Common', /\p{Script=Common}/u],
]

const scriptOf = (letter: string): string => SCRIPTS.find(([, pattern]) => pattern.test(letter))?.[0] ?? 'another'

const isLatin = (text: string): boolean => /^[a-z0-9-]+$/.test(text)

/** Letters of other scripts that are drawn like a Latin one. */
const DRAWN_LIKE_LATIN = /^[аԁеԍһіјӏоргѕуԝхԛсѵʏοναικρτυχγ0-9-]+$/u

const looksLikeLatin = (label: string): boolean => !isLatin(label) && DRAWN_LIKE_LATIN.test(label)
