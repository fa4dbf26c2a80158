/**
 * Every byte of a protected mail, changed on the wire, one at a time, in every layering: nothing is ever delivered as
 * valid with other content or another author, and what a signature covers is refused with 550 5.7.7. The mails are
 * opened as the gateway opens them (protection/jobs.ts, policy/decide-inbound.ts), without a server.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isField, writeFields } from '../../src/message/header-field.ts'
import { childrenOf } from '../../src/message/mime-tree.ts'
import { parsePart } from '../../src/message/parse.ts'
import { type Part, bodyOf } from '../../src/message/part.ts'
import type { EncryptionChoice } from '../../src/protection/standard.ts'
import type { Layering } from '../../src/protection/wrap.ts'
import { type Received, type Reader, protectedMail, receiveInMemory, withByte } from '../support/protected-mail.ts'
import { type IdentityKind, smimeIdentity } from '../support/smime-identity.ts'

const HEADER = [
  'From: Alice <alice@example.com>',
  'To: bob@example.com',
  'Subject: Contract',
  'Date: Sun, 22 Nov 2026 00:00:00 +0000',
  'Message-ID: <1@example.com>',
  'Content-Type: text/plain; charset=us-ascii',
]
  .map((line) => `${line}\r\n`)
  .join('')
const BODY = 'Please pay 100 yen to account 1234567.\r\n-- \r\nAlice\r\n'
const AUTHORS = ['From', 'Sender', 'Reply-To', 'To', 'Cc', 'Subject', 'Date', 'Message-ID', 'Content-Type'] as const

/** What a reader takes for the author's word: everything but the fields that any transport may add. */
function authorsWord(report: Received['report']): string {
  assert(report.message !== undefined)
  const part = parsePart(report.message)
  const fields = part.fields.filter((field) => AUTHORS.some((name) => isField(field, name)))
  return Buffer.concat([writeFields(fields), bodyOf(part)]).toString('latin1')
}

type Outcome = Received['outcome'] | 'valid, unchanged'

/** Where each byte of the mail belongs; by offset. */
function regionsOf(mail: Buffer): string[] {
  const regions = Array.from({ length: mail.length }, () => 'epilogue')
  const mark = (bytes: Uint8Array, name: string): void => {
    const start = bytes.byteOffset - mail.byteOffset
    regions.fill(name, start, start + bytes.length)
  }
  const root = parsePart(mail)
  markHeader(root, mark, '')
  mark(bodyOf(root), 'body')
  const { children, delimiters } = childrenOf(root)
  for (const delimiter of delimiters) mark(delimiter, 'boundary')
  const [content, signature] = children
  if (content === undefined || signature === undefined) return regions
  mark(content.raw, 'signed content')
  markHeader(signature, mark, 'signature ')
  mark(bodyOf(signature), 'signature')
  return regions
}

function markHeader(part: Part, mark: (bytes: Uint8Array, name: string) => void, prefix: string): void {
  mark(part.raw.subarray(0, part.bodyOffset), `${prefix}header end`)
  for (const field of part.fields) {
    mark(field.raw, `${prefix}${field.name}`)
    mark(field.raw.subarray(-2), `${prefix}line end`) // without it, the next field is part of this one
  }
}

/** Outcomes that a region may have; what is not named here may be anything but valid with a change. */
const REQUIRED: Readonly<Record<string, readonly Outcome[]>> = {
  // no signature covers these, and the reader is not shown them as the author's: they may be changed by any transport
  Received: ['valid, unchanged'],
  To: ['valid, unchanged'],
  Subject: ['valid, unchanged'],
  Date: ['valid, unchanged'],
  'Message-ID': ['valid, unchanged'],
  // the address must stay what the signer's certificate says; letter case and display name are not it
  From: ['valid, unchanged', 'refused 5.7.7'],
  'signed content': ['refused 5.7.7'],
  boundary: ['refused 5.7.7', 'valid, unchanged'],
  // base64 may be spelt in several ways, and a few fields of CMS are covered by nothing (flipped-cms.test.ts)
  signature: ['refused 5.7.7', 'valid, unchanged'],
  'signature Content-Transfer-Encoding': ['refused 5.7.7', 'valid, unchanged'],
}

const MASKS = [0x01, 0x20, 0x80, 0xff]

interface Row {
  readonly layering: Layering
  readonly kind: IdentityKind
  readonly cipher: NonNullable<EncryptionChoice['cipher']>
  /** Every how many bytes; private-key operations with RSA take time. */
  readonly stride: number
  readonly opaque?: true
}

const ROWS: readonly Row[] = [
  { layering: 'sign', kind: 'p256', cipher: 'aes-256-cbc', stride: 1 },
  { layering: 'encrypt-sign', kind: 'p256', cipher: 'aes-256-cbc', stride: 1 },
  { layering: 'sign-encrypt', kind: 'p256', cipher: 'aes-256-gcm', stride: 1 },
  { layering: 'sign-encrypt', kind: 'p256', cipher: 'aes-256-cbc', stride: 1 },
  { layering: 'triple', kind: 'p256', cipher: 'aes-256-cbc', stride: 1 },
  { layering: 'sign', kind: 'rsa-2048', cipher: 'aes-256-cbc', stride: 1, opaque: true },
  { layering: 'encrypt-sign', kind: 'rsa-2048', cipher: 'aes-256-gcm', stride: 2 },
  { layering: 'sign-encrypt', kind: 'rsa-2048', cipher: 'aes-256-cbc', stride: 3 },
  { layering: 'triple', kind: 'rsa-2048', cipher: 'aes-256-gcm', stride: 3 },
]

for (const row of ROWS)
  test(`${row.layering}, ${row.kind}, ${row.cipher}${row.opaque ? ', opaque' : ''}: no changed byte is delivered as valid`, (t) => {
    const alice = smimeIdentity(row.kind, 'alice@example.com')
    const bob = smimeIdentity(row.kind, 'bob@example.com')
    const mail = protectedMail({
      layering: row.layering,
      signer: alice,
      recipients: [bob],
      header: HEADER,
      body: BODY,
      encryption: { cipher: row.cipher },
      ...(row.opaque === true ? { signing: { form: 'opaque' } } : {}),
    })
    const reader: Reader = { keys: [bob], known: [{ certificate: alice.certificate, trust: 'confirmed' }] }
    const untouched = receiveInMemory(mail, reader)
    assert.equal(untouched.outcome, 'valid', untouched.report.summary.reason ?? '')
    const word = authorsWord(untouched.report)
    assert(word.endsWith(BODY))

    const regions = regionsOf(mail)
    const tally = new Map<string, number>()
    for (let at = 0, count = 0; at < mail.length; at += row.stride, count++) {
      const mask = MASKS[count % MASKS.length] ?? 1
      const { outcome, report } = receiveInMemory(
        withByte(mail, at, (byte) => byte ^ mask),
        reader,
      )
      const region = regions[at] ?? ''
      const what = `byte ${at} ^ ${mask} (${region})`
      if (outcome === 'valid') {
        assert.equal(authorsWord(report), word, what)
        assert.equal(report.summary.signer, 'alice@example.com', what)
      }
      const found: Outcome = outcome === 'valid' ? 'valid, unchanged' : outcome
      const required = REQUIRED[region]
      if (required !== undefined) assert(required.includes(found), `${what}: ${found}, ${report.summary.reason ?? ''}`)
      assert.notEqual(found, 'refused', what)
      tally.set(`${region}: ${found}`, (tally.get(`${region}: ${found}`) ?? 0) + 1)
    }
    for (const [what, count] of tally) t.diagnostic(`${what} ${count}`)
  })
