/**
 * Feeds mails with changes (mutations.ts) to the reader for a while: nothing throws, nothing takes long, and what is still
 * called valid is what its author signed, by the same signer.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import * as fc from 'fast-check'
import { addressKey, parseAddress } from '../../src/message/address.ts'
import { isField, writeFields } from '../../src/message/header-field.ts'
import { bodyOf } from '../../src/message/part.ts'
import { parsePart } from '../../src/message/parse.ts'
import type { PeelReport } from '../../src/protection/jobs.ts'
import { anyEdits, edited } from './mutations.ts'

export interface Subject {
  readonly name: string
  readonly mail: Buffer
  /** The header is protected too: what the reader sees of it is the author's word. */
  readonly protectedHeader: boolean
  open(mail: Buffer): PeelReport
}

/** Of one mail; the machine may be busy with much else. The slowest takes a hundredth of it. */
const MAIL_MS_MAX = 5_000
const HEAP_GROWTH_MAX_BYTES = 256 * 2 ** 20
const RUNS_MAX = 100_000_000

const AUTHORS = ['From', 'Sender', 'Reply-To', 'To', 'Cc', 'Subject', 'Date', 'Message-ID'] as const

/** What the signature covers of what the reader is shown. */
function wordOf({ message }: PeelReport, protectedHeader: boolean): string {
  assert(message !== undefined)
  const part = parsePart(message)
  const covered = part.fields.filter(
    (field) => /^content-/i.test(field.name) || (protectedHeader && AUTHORS.some((name) => isField(field, name))),
  )
  return Buffer.concat([writeFields(covered), bodyOf(part)]).toString('latin1')
}

/** The same for each way to write their address (decision 0003): an author's field that no layer covers may be written anew. */
function signerOf({ summary: { signer } }: PeelReport): string | undefined {
  const address = parseAddress(signer ?? '')
  return address && addressKey(address)
}

/** `MUTATION_SECONDS` and `MUTATION_SEED` in the environment: for longer, or the same again. */
export function runMutations(t: TestContext, subjects: readonly Subject[], seconds: number): void {
  const originals = subjects.map(({ name, mail, protectedHeader, open }) => {
    const report = open(mail)
    assert.equal(report.summary.signature, 'valid', `${name}: ${report.summary.reason}`)
    return { signer: signerOf(report), word: wordOf(report, protectedHeader) }
  })
  // a whole signed content put in the place of another is that signer's word still
  const spoken = new Set(originals.map(({ signer, word }) => `${signer} ${word}`))
  const mails = subjects.map(({ mail }) => mail)
  const tally = new Map<string, number>()
  let slowestMs = 0
  const check = (index: number, mutant: Buffer): void => {
    const subject = subjects[index]
    const original = originals[index]
    assert(subject !== undefined && original !== undefined)
    const beganMs = performance.now()
    const report = subject.open(mutant)
    slowestMs = Math.max(slowestMs, performance.now() - beganMs)
    assert(performance.now() - beganMs < MAIL_MS_MAX, `${subject.name}: took ${performance.now() - beganMs} ms`)
    const { signature } = report.summary
    const signer = signerOf(report)
    const outcome = mutant.equals(subject.mail) ? 'unchanged' : signature
    tally.set(outcome, (tally.get(outcome) ?? 0) + 1)
    if (signature === 'invalid') assert.equal(report.message, undefined, subject.name)
    if (report.layers.length === 0) assert(mutant.equals(report.message ?? Buffer.alloc(0)), subject.name)
    if (signature !== 'valid' || report.sealed) return
    assert.equal(signer, original.signer, subject.name)
    const word = wordOf(report, subject.protectedHeader)
    if (!spoken.has(`${signer} ${word}`)) assert.equal(word, original.word, subject.name)
  }
  const heapBefore = process.memoryUsage().heapUsed
  const property = fc.property(fc.nat(subjects.length - 1), anyEdits, (index, edits) =>
    check(index, edited(subjects[index]?.mail ?? Buffer.alloc(0), edits, mails)),
  )
  const seed = process.env['MUTATION_SEED']
  fc.assert(property, {
    numRuns: RUNS_MAX,
    interruptAfterTimeLimit: Number(process.env['MUTATION_SECONDS'] ?? seconds) * 1000,
    markInterruptAsFailure: false,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  })
  assert(process.memoryUsage().heapUsed - heapBefore < HEAP_GROWTH_MAX_BYTES, 'the heap has grown')
  const counts = [...tally].toSorted(([, a], [, b]) => b - a).map(([outcome, count]) => `${count} ${outcome}`)
  const total = [...tally.values()].reduce((sum, count) => sum + count, 0)
  t.diagnostic(`${total} changed mails of ${subjects.length}: ${counts.join(', ')}; slowest ${slowestMs.toFixed(0)} ms`)
}
