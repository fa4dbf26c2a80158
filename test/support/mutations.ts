/**
 * Changes to a mail that somebody on the way could make, from one bit to a certificate put elsewhere. Each is three numbers,
 * so that fast-check can make it, repeat it, and leave out what a failure does not need.
 */
import * as fc from 'fast-check'
import { encodeBase64Lines } from '../../src/message/encode.ts'
import { mutate } from '../../tools/fuzz/mutate.ts'
import { Random } from '../../tools/fuzz/random.ts'
import { EDITS as CMS_EDITS, editTree, readTree, writeTree } from './der-tree.ts'

export interface Edit {
  readonly kind: (typeof KINDS)[number]
  /** Where; taken modulo the number of places. */
  readonly at: number
  /** What; taken modulo the number of possibilities. */
  readonly what: number
}

const KINDS = ['bytes', 'lines', 'header', 'parts', 'base64', 'cms', 'cms', 'cms'] as const

export const anyEdits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({ kind: fc.constantFrom(...KINDS), at: fc.nat(2 ** 20), what: fc.nat(2 ** 20) }),
  { minLength: 1, maxLength: 4 },
)

/** `others`: mails that pieces may be taken from. */
export function edited(mail: Buffer, edits: readonly Edit[], others: readonly Buffer[]): Buffer {
  return edits.reduce((bytes, edit) => APPLY[edit.kind](bytes, edit, others), mail)
}

type Apply = (mail: Buffer, edit: Edit, others: readonly Buffer[]) => Buffer

const APPLY: Readonly<Record<(typeof KINDS)[number], Apply>> = {
  bytes: (mail, { at, what }) => Buffer.from(mutate([mail], new Random(at * 31 + what))),
  lines: editLines,
  header: editHeader,
  parts: editParts,
  base64: editBase64,
  cms: editCms,
}

const pick = <T>(from: readonly T[], index: number): T => from[index % from.length] as T
const text = (mail: Buffer): string => mail.toString('latin1')
const bytes = (value: string): Buffer => Buffer.from(value, 'latin1')

/** Lines are taken away, doubled, exchanged, joined, or end otherwise. */
function editLines(mail: Buffer, { at, what }: Edit): Buffer {
  const lines = text(mail).split('\r\n')
  const i = at % lines.length
  const line = lines[i] ?? ''
  const j = Math.floor(what / 8) % lines.length
  const ways: readonly (() => string[])[] = [
    () => lines.toSpliced(i, 1),
    () => lines.toSpliced(i, 0, line),
    () => lines.with(i, lines[j] ?? '').with(j, line),
    () => lines.toSpliced(i, 2, line + (lines[i + 1] ?? '')),
    () => lines.with(i, `${line} `),
    () => lines.with(i, ` ${line}`),
    () => lines.with(i, `${line}\r`),
    () => lines.toSpliced(i, 0, 'Pay 9999 yen'),
  ]
  return bytes(pick(ways, what)().join('\r\n'))
}

const FIELDS = [
  'From: mallory@evil.example',
  'Sender: mallory@evil.example',
  'Subject: Cancelled',
  'Content-Type: text/html',
  'Content-Type: multipart/mixed; boundary=x',
  'Content-Type: application/pkcs7-mime; smime-type=signed-data',
  'Content-Type: application/pkcs7-mime; smime-type=enveloped-data',
  'Content-Transfer-Encoding: base64',
  'Content-Transfer-Encoding: quoted-printable',
  'Content-Transfer-Encoding: binary',
  'HP-Outer: From: mallory@evil.example',
  'X-Sealpost-Status: Signature valid',
  '',
  ' continued',
  'no field at all',
]
const WORDS: readonly [from: string | RegExp, to: string][] = [
  [/alice/i, 'mallory'],
  [/^From:/im, 'X-From:'],
  [/smime-type=[a-z-]+/i, 'smime-type=certs-only'],
  [/multipart\/signed/i, 'multipart/mixed'],
  [/application\/(x-)?pkcs7-signature/i, 'application/octet-stream'],
  [/boundary="?/i, '$&x'],
  [/; hp="?(clear|cipher)"?/i, ''],
  [/hp="clear"/i, 'hp="cipher"'],
  [/text\/plain/i, 'text/html'],
  [/7bit|8bit/i, 'base64'],
  [/micalg="?[a-z0-9-]+/i, 'micalg=md5'],
]

/** A field is put anywhere between two lines, or a word that decides something is another. */
function editHeader(mail: Buffer, { at, what }: Edit): Buffer {
  const way = what % (FIELDS.length + WORDS.length)
  if (way >= FIELDS.length) {
    const [from, to] = WORDS[way - FIELDS.length] ?? ['', '']
    const places = [...text(mail).matchAll(new RegExp(from, 'gim'))]
    if (places.length === 0) return mail
    const start = pick(places, at).index
    return bytes(text(mail).slice(0, start) + text(mail).slice(start).replace(from, to))
  }
  const lines = text(mail).split('\r\n')
  const headerEnds = lines.flatMap((line, i) => (line === '' ? [i] : [])).slice(0, 8)
  const place = headerEnds.length === 0 ? 0 : at % ((pick(headerEnds, Math.floor(what / 64)) || 1) + 1)
  return bytes(lines.toSpliced(place, 0, FIELDS[way] ?? '').join('\r\n'))
}

/** MIME parts are left out, doubled, exchanged, wrapped, or come from another mail. */
function editParts(mail: Buffer, { at, what }: Edit, others: readonly Buffer[]): Buffer {
  const boundaries = [...text(mail).matchAll(/boundary="?([^"\r\n;]+)/gi)].map(([, name]) => name ?? '')
  if (boundaries.length === 0) return wrapped(mail)
  const delimiter = `\r\n--${pick(boundaries, at)}`
  const pieces = text(mail).split(delimiter)
  const i = Math.floor(at / 8) % pieces.length
  const piece = pieces[i] ?? ''
  const other = text(pick(others, Math.floor(what / 8)))
  const ways: readonly (() => string[])[] = [
    () => pieces.toSpliced(i, 1),
    () => pieces.toSpliced(i, 0, piece),
    () => pieces.toReversed(),
    () => pieces.toSpliced(i, 0, '\r\nContent-Type: text/html\r\n\r\n<b>Pay 9999 yen</b>'),
    () => pieces.with(i, `${piece}\r\nPay 9999 yen`),
    () => pieces.toSpliced(i, 0, `\r\n${other}`),
    () => pieces.with(i, '--\r\n'),
    () => [text(wrapped(mail))],
  ]
  return bytes(pick(ways, what)().join(delimiter))
}

/** The mail as it is becomes the first part of another. */
function wrapped(mail: Buffer): Buffer {
  const at = text(mail).search(/^Content-/im)
  if (at < 0) return mail
  const outer = 'Content-Type: multipart/mixed; boundary=w\r\n\r\n--w\r\n'
  return bytes(`${text(mail).slice(0, at)}${outer}${text(mail).slice(at)}\r\n--w\r\n\r\nPay 9999 yen\r\n--w--\r\n`)
}

/** Runs of base64 lines, which are CMS in these mails. */
const BASE64 = /(?:^[A-Za-z0-9+/=]{60,}\r\n)+(?:[A-Za-z0-9+/=]+(?:\r\n|$))?/gm

interface Run {
  readonly start: number
  readonly end: number
  readonly decoded: Buffer
}

const runsOf = (mail: Buffer): Run[] =>
  [...text(mail).matchAll(BASE64)].map(({ index, 0: run }) => ({
    start: index,
    end: index + run.length,
    decoded: Buffer.from(run, 'base64'),
  }))

const withRun = (mail: Buffer, { start, end }: Run, encoded: Uint8Array): Buffer =>
  Buffer.concat([mail.subarray(0, start), encoded, Buffer.from('\r\n'), mail.subarray(end)])

/** What was encoded is changed as bytes, or exchanged for that of another mail. */
function editBase64(mail: Buffer, { at, what }: Edit, others: readonly Buffer[]): Buffer {
  const runs = runsOf(mail)
  if (runs.length === 0) return mail
  const run = pick(runs, at)
  const foreign = runsOf(pick(others, what))
  const decoded =
    what % 4 === 0 && foreign.length > 0 ? pick(foreign, at).decoded : mutate([run.decoded], new Random(what * 31 + at))
  return withRun(mail, run, encodeBase64Lines(decoded))
}

/** One element of a CMS structure is left out, doubled, exchanged, or written otherwise; all lengths fit again. */
function editCms(mail: Buffer, { at, what }: Edit, others: readonly Buffer[]): Buffer {
  const runs = runsOf(mail)
  if (runs.length === 0) return mail
  const run = pick(runs, at)
  const tree = readTree(run.decoded)
  if (tree === undefined) return mail
  const donors = runsOf(pick(others, Math.floor(what / CMS_EDITS.length)))
  const donor = donors.length === 0 ? undefined : readTree(pick(donors, at).decoded)
  editTree(tree, Math.floor(at / 4), what, donor ?? tree)
  return withRun(mail, run, encodeBase64Lines(writeTree(tree)))
}
