/**
 * What is wrapped comes out of peel as it was, octet for octet: for every row of the tables of ciphers, recipients' keys and
 * signers' keys, in every layering and form, with and without header protection, whatever is in the mail and however it
 * comes in pieces.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { Collector } from '../../src/base/byte-sink.ts'
import { concatBytes } from '../../src/base/bytes.ts'
import { isField, writeFields } from '../../src/message/header-field.ts'
import { parsePart } from '../../src/message/parse.ts'
import { bodyOf } from '../../src/message/part.ts'
import type { HeaderConfidentiality } from '../../src/protection/header/header-confidentiality.ts'
import { packCertificate, packKey, startWrap } from '../../src/protection/jobs.ts'
import { CIPHERS, isAuthenticated, isWritten } from '../../src/protection/smime/cms/ciphers.ts'
import { WHOLE_MAX_BYTES } from '../../src/protection/smime/cms/chunked-content.ts'
import { smime } from '../../src/protection/smime/smime.ts'
import type { SigningChoice, WrittenCipher } from '../../src/protection/standard.ts'
import type { Layering } from '../../src/protection/wrap.ts'
import { SIGNED_AT_MS, receive } from '../support/protected-mail.ts'
import { type IdentityKind, type SmimeIdentity, smimeIdentity } from '../support/smime-identity.ts'
import { ALICE } from '../support/tampering.ts'

const SECONDS = Number(process.env['ROUND_TRIP_SECONDS'] ?? 4)
const RUNS_PER_ROW = 3
const RUNS_MAX = 100_000_000
const BOB = 'bob@biglobe.example'

const LAYERINGS: readonly Layering[] = ['sign', 'encrypt-sign', 'sign-encrypt', 'triple']
const CONFIDENTIALITIES: readonly HeaderConfidentiality[] = ['none', 'baseline', 'shy']
const EC_KINDS: readonly IdentityKind[] = ['p256', 'p384', 'p521', 'brainpool256', 'brainpool384']
const SIGNERS: readonly (readonly [kind: IdentityKind, signing: SigningChoice])[] = [
  ...(['sha256', 'sha384', 'sha512'] as const).flatMap((digest): [IdentityKind, SigningChoice][] => [
    ['rsa-2048', { signature: 'rsa-pkcs1', digest }],
    ['rsa-2048', { signature: 'rsa-pss', digest }],
  ]),
  ...EC_KINDS.map((kind): [IdentityKind, SigningChoice] => [kind, {}]),
  ...(['ed25519', 'ed448', 'ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const).map(
    (kind): [IdentityKind, SigningChoice] => [kind, {}],
  ),
]
const ALL_RECIPIENTS: readonly IdentityKind[] = [
  'rsa-2048',
  ...EC_KINDS,
  'x25519',
  'x448',
  'ml-kem-512',
  'ml-kem-768',
  'ml-kem-1024',
]
const RECIPIENTS = ALL_RECIPIENTS.filter(
  (kind) => smime.encryptionAlgorithm(smimeIdentity(kind, BOB).certificate, SIGNED_AT_MS) !== undefined,
)
const CIPHER_ROWS = CIPHERS.filter(isWritten)

interface Plan {
  readonly layering: Layering
  readonly signer: (typeof SIGNERS)[number]
  /** Signs too, with another key of the same author. */
  readonly second?: IdentityKind | undefined
  readonly form: 'detached' | 'opaque'
  readonly recipients: readonly IdentityKind[]
  readonly cipher: (typeof CIPHER_ROWS)[number]
  readonly keyTransport: 'rsa-oaep' | 'rsa-pkcs1'
  readonly headerProtection: boolean
  readonly confidentiality: HeaderConfidentiality
}

interface Mail {
  readonly header: Buffer
  readonly body: Buffer
  readonly chunkBytes: number
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Whatever a body may hold that somebody between here and there may not expect. */
const PIECES = [
  '',
  '\r\n',
  '\r',
  '\n',
  '\r\n\r\n',
  '\0',
  '.\r\n',
  '\r\n.\r\n',
  'From here\r\n',
  '-- \r\n',
  '--b\r\n',
  '--b--\r\n',
  '--=_sealpost-0\r\n',
  'trailing   \t \r\n',
  '=\r\n',
  '=3D=0A',
  'TUlNRQ==\r\n',
  'Content-Type: text/html\r\n\r\n',
  '\xe6\x98\xa8\xe6\x97\xa5\r\n',
  '\xfc\xdf\xff\xfe',
  '\x1b$B$"\x1b(B',
  'x'.repeat(5000),
  `${'y'.repeat(998)}\r\n`,
].map(latin1)

const anyBody: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.constantFrom(...PIECES),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => Buffer.concat(pieces))

/** Random octets in a text that CBC alone protects count as a changed ciphertext (decision 0037): so it is no text. */
const TYPES = ['application/octet-stream', 'application/octet-stream; name="a b.bin"', 'image/png']
const FIELDS = [
  'Subject: Contract',
  'Subject: =?utf-8?q?Vertrag?=\r\n of\tmany\r\n lines   ',
  'Subject:',
  'X-Long: '.padEnd(20_000, 'x '),
  `References:${' <1@peer.example>\r\n'.repeat(40)}`.trimEnd(),
  'X-Eight: \xe6\x98\xa8 \xfc',
  'Reply-To: alice@peer.example',
  'Cc: carol@example.com,\r\n\tdave@example.com',
  'MIME-Version: 1.0',
  'Content-Transfer-Encoding: binary',
  'Content-Language: de',
  'Comments: one',
  'Keywords: two',
  'x-lower-case:   three',
]

const anyHeader: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.constantFrom(...TYPES),
    fc.uniqueArray(fc.constantFrom(...FIELDS), { selector: (field) => field.split(':')[0] }),
  )
  .map(([type, fields]) =>
    latin1([`From: ${ALICE}`, `To: ${BOB}`, ...fields, `Content-Type: ${type}`, ''].join('\r\n')),
  )

const anyMail: fc.Arbitrary<Mail> = fc.record({
  header: anyHeader,
  body: anyBody,
  chunkBytes: fc.constantFrom(1, 7, 4096, 100_000),
})

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  layering: fc.constantFrom(...LAYERINGS),
  signer: fc.constantFrom(...SIGNERS),
  second: fc.constantFrom(undefined, 'p384', 'ml-dsa-65'),
  form: fc.constantFrom('detached', 'opaque'),
  recipients: fc.subarray([...RECIPIENTS], { minLength: 1, maxLength: 4 }),
  cipher: fc.constantFrom(...CIPHER_ROWS),
  keyTransport: fc.constantFrom('rsa-oaep', 'rsa-pkcs1'),
  headerProtection: fc.boolean(),
  confidentiality: fc.constantFrom(...CONFIDENTIALITIES),
})

const signersOf = ({ signer: [kind], second }: Plan): SmimeIdentity[] =>
  [...new Set(second === undefined ? [kind] : [kind, second])].map((each) => smimeIdentity(each, ALICE))

function wrapped(plan: Plan, { header, body, chunkBytes }: Mail): Buffer {
  const [, signing] = plan.signer
  const out = new Collector()
  const sink = startWrap(
    {
      kind: 'wrap',
      header,
      trace: latin1('Received: by mail.peer.example; Sun, 22 Nov 2026 00:00:00 +0000\r\n'),
      signingTimeMs: SIGNED_AT_MS,
      copies: [
        {
          kind: 'wrapped',
          standard: 'smime',
          layering: plan.layering,
          signers: signersOf(plan).map(packKey),
          recipients: plan.recipients.map((each) => packCertificate(smimeIdentity(each, BOB).certificate)),
          signing: { ...signing, form: plan.form, signers: 'all' },
          encryption: { cipher: plan.cipher.name as WrittenCipher, keyTransport: plan.keyTransport },
          headerProtection: plan.headerProtection,
          confidentiality: plan.confidentiality,
        },
      ],
    },
    [out],
  )
  for (let at = 0; at < body.length; at += chunkBytes) sink.write(body.subarray(at, at + chunkBytes))
  sink.end()
  return Buffer.concat(out.take())
}

/** Wraps for all of the plan's recipients, and opens with one of their keys. */
function roundTrip(plan: Plan, mail: Mail, opener: IdentityKind = plan.recipients.at(-1) ?? 'p256'): void {
  const { report } = receive(wrapped(plan, mail), {
    keys: [smimeIdentity(opener, BOB)],
    known: signersOf(plan).map(({ certificate }) => ({ certificate, trust: 'confirmed' })),
  })
  const told = `${report.summary.signature}: ${report.summary.reason} ${JSON.stringify(report.layers)}`
  assert.equal(report.summary.signature, 'valid', told)
  assert.equal(report.layers.length, { sign: 1, 'encrypt-sign': 2, 'sign-encrypt': 2, triple: 3 }[plan.layering])
  const opened = parsePart(report.message ?? new Uint8Array())
  assert(mail.body.equals(bodyOf(opened)), 'the body is not the same')
  const author = parsePart(Buffer.concat([mail.header, latin1('\r\n')])).fields
  const kept = plan.headerProtection ? author : author.filter((field) => /^content-/i.test(field.name))
  for (const field of kept) {
    const found = opened.fields.filter((each) => isField(each, field.name))
    assert.deepEqual(latin1Of(found), latin1Of([field]), field.name)
  }
  if (plan.headerProtection)
    assert(Buffer.from(writeFields(opened.fields)).subarray(-mail.header.length).equals(mail.header))
}

const latin1Of = (fields: Parameters<typeof writeFields>[0]): string =>
  Buffer.from(concatBytes([writeFields(fields)])).toString('latin1')

const check = (plan: fc.Arbitrary<Plan>, runs: fc.Parameters<[Plan, Mail]>): void =>
  fc.assert(
    fc.property(plan, anyMail, (each, mail) => roundTrip(each, mail)),
    runs,
  )
const perRow = { numRuns: RUNS_PER_ROW }

describe('every row', () => {
  for (const cipher of CIPHER_ROWS)
    test(`cipher ${cipher.name}`, () =>
      check(
        anyPlan.map((plan) => ({ ...plan, cipher, layering: encrypting(plan) })),
        perRow,
      ))
  for (const kind of RECIPIENTS)
    test(`recipient ${kind}`, () =>
      check(
        anyPlan.map((plan) => ({ ...plan, recipients: [kind], layering: encrypting(plan) })),
        perRow,
      ))
  for (const signer of SIGNERS)
    test(`signer ${signer[0]} ${Object.values(signer[1]).join(' ')}`, () =>
      check(
        anyPlan.map((plan) => ({ ...plan, signer })),
        perRow,
      ))
})

const encrypting = ({ layering }: Plan): Layering => (layering === 'sign' ? 'triple' : layering)

test('every recipient opens what was encrypted to all of them', () => {
  const plan = { layering: 'sign-encrypt', signer: ['p256', {}], form: 'detached', keyTransport: 'rsa-oaep' } as const
  const rest = { headerProtection: true, confidentiality: 'baseline', recipients: RECIPIENTS } as const
  const mail = { header: latin1(`From: ${ALICE}\r\nSubject: x\r\n`), body: latin1('Hello\r\n'), chunkBytes: 3 }
  for (const cipher of CIPHER_ROWS)
    for (const opener of RECIPIENTS) roundTrip({ ...plan, ...rest, cipher }, mail, opener)
})

test('a body that does not fit into one piece', () => {
  const body = Buffer.alloc(WHOLE_MAX_BYTES + 12_345, 'line of a long mail, \xff\0\r\n', 'latin1')
  const mail = { header: latin1(`From: ${ALICE}\r\nContent-Type: image/png\r\n`), body, chunkBytes: 65_537 }
  const common = {
    signer: ['p256', {}],
    keyTransport: 'rsa-oaep',
    headerProtection: true,
    confidentiality: 'none',
  } as const
  const ciphers = CIPHER_ROWS.filter(({ keyBytes }) => keyBytes === 32)
  for (const [index, layering] of LAYERINGS.entries())
    for (const form of ['detached', 'opaque'] as const) {
      const cipher = ciphers[(index + (form === 'opaque' ? 1 : 0)) % ciphers.length] ?? assert.fail()
      roundTrip({ ...common, layering, form, cipher, recipients: ['p256'] }, mail)
    }
})

test('anything in anything, for a while', (t) => {
  let count = 0
  check(
    anyPlan.map((plan) => {
      count++
      return plan
    }),
    { numRuns: RUNS_MAX, interruptAfterTimeLimit: SECONDS * 1000, markInterruptAsFailure: false },
  )
  const authenticated = CIPHER_ROWS.filter(isAuthenticated).length
  t.diagnostic(
    `${count} mails; ${CIPHER_ROWS.length} ciphers (${authenticated} with a tag), ${RECIPIENTS.length} kinds of recipients, ${SIGNERS.length} of signers`,
  )
})
