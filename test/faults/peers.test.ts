/**
 * Next hops that refuse, hang, vanish and lie at every stage, against the real server. At first each mail is delivered, waits or is
 * returned, as the table says, and nothing readable has crossed the wire where it may not. Then the peers mend their ways and the
 * server is started again: each mail that was answered 250 has been taken once, or its author knows that it was not.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import {
  DROP,
  ENDLESS,
  GARBLE,
  HALF_CLOSE,
  HANG,
  RESET,
  STALL,
  type ScriptedSmtp,
  type SmtpScript,
  startScriptedSmtp,
} from '../support/scripted-smtp.ts'
import { type Became, Field, type SendOptions, type Sent, takenBy } from './field.ts'

const [nobodys, vouchedFor] = await Promise.all(
  [['mx.peer.example'], ['127.0.0.1']].map(async (hosts) => {
    const { certificatePem: cert, keyPem: key } = await createTlsCertificate({ hosts, nowMs: Date.now() })
    return { cert, key }
  }),
)
assert(nobodys !== undefined && vouchedFor !== undefined)
const tls = nobodys
const OVER_TLS = { ehlo: ['PIPELINING', '8BITMIME', 'STARTTLS'], tls } as const
/** More than what the kernel takes off a sender while nobody reads. */
const BEYOND_BUFFERS_BYTES = 12_000_000
const MEGABYTE = 'x'.repeat(2 ** 20)
const ALL_DEEDS = [DROP, RESET, HALF_CLOSE, HANG] as const

interface Fault extends SendOptions {
  readonly why: string
  readonly script: SmtpScript
  readonly first: Became['event']
  readonly says: RegExp
  /** The mail is only signed: where TLS fails it must wait. */
  readonly readable?: boolean
  /** Its sender does not mind. */
  readonly mayBeRead?: boolean
  /** The peer may have taken it when it went silent: a second copy is allowed (RFC 1047). */
  readonly twice?: boolean
}

const waits = (why: string, script: SmtpScript, says: RegExp, more: Partial<Fault> = {}): Fault => ({
  why,
  script,
  first: 'deferred',
  says,
  ...more,
})
const returned = (why: string, script: SmtpScript, says: RegExp, more: Partial<Fault> = {}): Fault => ({
  ...waits(why, script, says, more),
  first: 'returned',
})
const delivered = (why: string, script: SmtpScript, more: Partial<Fault> = {}): Fault => ({
  ...waits(why, script, /^250/, more),
  first: 'delivered',
})

/** Where a step stands in the script, and what its honest reply is. */
const STAGES: readonly [stage: string, at: (step: string) => SmtpScript, good: string, more?: Partial<Fault>][] = [
  ['the greeting', (step) => ({ greeting: step }), '220 mx.peer.example'],
  ['EHLO', (step) => ({ ehlo: { step } }), '250 mx.peer.example'],
  ['STARTTLS', (step) => ({ ...OVER_TLS, starttls: step }), '220 2.0.0 Go', { readable: true }],
  ['MAIL', (step) => ({ mail: step }), '250 2.1.0 Ok'],
  ['MAIL over TLS', (step) => ({ ...OVER_TLS, mail: step }), '250 2.1.0 Ok', { readable: true }],
  ['RCPT', (step) => ({ rcpt: step }), '250 2.1.5 Ok'],
  ['DATA', (step) => ({ data: step }), '354 Go'],
  ['the end of the data', (step) => ({ end: step }), '250 2.0.0 Ok', { twice: true }],
]

const silent: Fault[] = STAGES.flatMap(([stage, at, , more]) =>
  ALL_DEEDS.map((deed) => waits(`${stage}: ${deed}`, at(deed), /^4\d\d 4\.[47]\.\d /, more)),
)

const unreadable: Fault[] = STAGES.flatMap(([stage, at, good, more]) => [
  waits(`${stage}: a line of 1 MB`, at(`${good} ${MEGABYTE}`), /^4\d\d 4\.[47]\.\d /, more),
  waits(`${stage}: lines without end`, at(ENDLESS), /^4\d\d 4\.[47]\.\d /, more),
])

const refusing: Fault[] = [
  waits('greeting 421', { greeting: '421 4.3.2 Later' }, /^421 4\.3\.2/),
  waits('greeting 554', { greeting: '554 5.3.2 Not you' }, /^554 5\.3\.2/),
  returned('greeting 521 (RFC 7504)', { greeting: '521 5.3.2 Never' }, /^521/),
  waits('EHLO 421', { ehlo: { step: '421 4.3.2 Later' } }, /^421/),
  delivered('EHLO 502: HELO', { ehlo: { step: '502 5.5.1 What?' } }),
  waits('MAIL 451', { mail: '451 4.3.0 Later' }, /^451 4\.3\.0/),
  returned('MAIL 550', { mail: '550 5.7.1 Not you' }, /^550 5\.7\.1/),
  waits('RCPT 450', { rcpt: '450 4.2.1 Grey' }, /^450 4\.2\.1/),
  returned('RCPT 550', { rcpt: '550 5.1.1 Who?' }, /^550 5\.1\.1/),
  waits('DATA 451', { data: '451 4.3.0 Later' }, /^451 4\.3\.0/),
  returned('DATA 554', { data: '554 5.7.1 No' }, /^554 5\.7\.1/),
  waits('end 452', { end: '452 4.3.1 Full' }, /^452 4\.3\.1/),
  returned('end 554', { end: '554 5.6.0 No' }, /^554 5\.6\.0/),
  delivered('QUIT 500', { quit: '500 5.5.1 What?' }),
  delivered('QUIT hangs', { quit: HANG }),
  delivered('QUIT resets', { quit: RESET }),
  delivered('RSET would hang', { rset: HANG }),
]

const lying: Fault[] = [
  returned('SIZE smaller than the mail', { ehlo: ['SIZE 100'] }, /^552 5\.3\.4 .* takes 100$/),
  returned('SIZE large, and then 552 at MAIL', { ehlo: ['SIZE 99999999'], mail: '552 5.3.4 Big' }, /^552 5\.3\.4 Big/),
  returned('SIZE large, and then 552 at the end', { ehlo: ['SIZE 99999999'], end: '552 5.3.4 Big' }, /^552 5\.3\.4/),
  delivered('SIZE 0, without a limit', { ehlo: ['SIZE 0'] }),
  delivered('SIZE of words', { ehlo: ['SIZE as you like'] }),
  delivered('SIZE of 40 digits', { ehlo: [`SIZE ${'9'.repeat(40)}`] }),
  waits('220 in place of 354', { data: '220 Go' }, /^451 4\.4\.2/),
  waits('250 in place of 354', { data: '250 2.0.0 Ok' }, /^451 4\.4\.2/),
  waits('354 twice', { data: '354 Go\r\n354 Go' }, /^451 4\.[45]\./, { twice: true }),
  waits('354 to MAIL', { mail: '354 Go' }, /^451 4\.4\.2/),
  waits('354 at the end', { end: '354 More' }, /^451 4\.4\.2/),
  waits('250 in the middle of the data', { midData: '250 2.0.0 Queued' }, /^451 4\.[45]\./, {
    sizeBytes: BEYOND_BUFFERS_BYTES,
  }),
  waits('reset in the middle of the data', { midData: RESET }, /^451 4\.4\.2/, { sizeBytes: 200_000 }),
  waits('reads no further', { midData: STALL }, /^451 4\.4\.2/, { sizeBytes: BEYOND_BUFFERS_BYTES }),
  waits('no reply code', { mail: 'Welcome!' }, /^451 4\.4\.2/),
  waits('codes that do not agree', { end: '250-Ok\r\n550 No' }, /^451 4\.4\.2/, { twice: true }),
  waits('NUL in place of a reply', { mail: '\0'.repeat(50) }, /^451 4\.4\.2/),
  delivered('NUL in a reply', { mail: '250 2.1.0 O\0k' }),
  delivered('bare LF at the end of lines', { ehlo: { step: '250-mx.peer.example\n250-PIPELINING\n250 8BITMIME' } }),
  returned('a refusal with what terminals obey', { rcpt: '550 5.1.1 \u001b[2J\u0007who?' }, /^550 5\.1\.1/),
  waits('the answer to more than was asked', { mail: '250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n250 Ok' }, /^451 4\./),
]

const breakingTls: Fault[] = [
  waits('octets that are no TLS', { ...OVER_TLS, mail: GARBLE }, /^451 4\.4\.2/, { readable: true }),
  waits('a promise without TLS', { ehlo: OVER_TLS.ehlo, starttls: '220 Go' }, /^454 4\.7\.0/, {
    readable: true,
  }),
]

const DEMANDED = { readable: true, mailParameters: ' REQUIRETLS' }
const REQUIRETLS = [...OVER_TLS.ehlo, 'REQUIRETLS']

/** RFC 8689: its sender hears at once what cannot be had. */
const demandingTls: Fault[] = [
  delivered('REQUIRETLS: all is there', { ehlo: REQUIRETLS, tls: vouchedFor }, DEMANDED),
  returned('REQUIRETLS: not offered', { ...OVER_TLS, tls: vouchedFor }, /^550 5\.7\.30/, DEMANDED),
  returned('REQUIRETLS: nobody vouches', { ehlo: REQUIRETLS, tls: nobodys }, /^550 5\.7\.10/, DEMANDED),
  returned('REQUIRETLS: no TLS', { ehlo: ['REQUIRETLS'] }, /^550 5\.7\.10/, DEMANDED),
  waits('REQUIRETLS: later', { ehlo: REQUIRETLS, tls: vouchedFor, starttls: '454 4.7.0 Later' }, /^454/, DEMANDED),
  delivered(
    'TLS-Required: No, and TLS fails',
    { ehlo: OVER_TLS.ehlo, starttls: '220 Go' },
    { readable: true, mayBeRead: true, header: 'TLS-Required: No\r\n' },
  ),
]

const FAULTS: readonly Fault[] = [...demandingTls, ...refusing, ...silent, ...unreadable, ...lying, ...breakingTls]

interface Run {
  readonly fault: Fault
  readonly to: string
  /** What the peer does now. */
  readonly script: { -readonly [Key in keyof SmtpScript]: SmtpScript[Key] }
  readonly peer: ScriptedSmtp
  sent?: Sent
}

const runs: Run[] = []
let field: Field
let folder: string

before(async () => {
  for (const [index, fault] of FAULTS.entries()) {
    const script = { ...fault.script }
    runs.push({ fault, to: `suzuki@fault${index}.example`, script, peer: await startScriptedSmtp(script) })
  }
  const routes = Object.fromEntries(
    runs.map(({ to, peer }) => [to.slice(to.indexOf('@') + 1), `127.0.0.1:${peer.port}`]),
  )
  const known = runs.filter(({ fault }) => fault.readable !== true).map(({ to }) => to)
  folder = await mkdtemp(join(tmpdir(), 'sealpost-faults-'))
  const anchors = join(folder, 'anchors.pem')
  await writeFile(anchors, vouchedFor.cert)
  const env = { NODE_EXTRA_CA_CERTS: anchors }
  field = await Field.make({ config: { relay: { routes } }, known, env })
  for (const run of runs) run.sent = await field.send(run.to, run.fault)
})

after(async () => {
  await field[Symbol.asyncDispose]()
  await Promise.all(runs.map(({ peer }) => peer.close()))
  await rm(folder, { recursive: true })
})

for (const [index, { why, first, says, mayBeRead = false }] of FAULTS.entries())
  test(`${why}: ${first}`, async () => {
    const { sent, peer } = runs[index] as Required<Run>
    const { event, reply } = await field.became(sent)
    assert.equal(event, first, reply)
    assert.match(reply, says)
    const readable = peer.received.clear.some((chunk) => chunk.includes(sent.secret))
    assert.equal(readable, mayBeRead, 'did it cross the wire where everybody can read it?')
  })

test('then the peers behave, and each mail is with somebody: 0 lost, 0 in the clear, 0 silent ends', async () => {
  for (const { script, fault, peer } of runs) {
    for (const key of Object.keys(script) as (keyof SmtpScript)[]) delete script[key]
    if (fault.readable === true) Object.assign(script, { ehlo: REQUIRETLS, tls: vouchedFor })
    peer.dropAll()
  }
  await field.restart()
  const twice = new Set(runs.filter(({ fault }) => fault.twice).map(({ to }) => to))
  await field.settle(takenBy(runs.map(({ peer }) => peer)), twice)
})
