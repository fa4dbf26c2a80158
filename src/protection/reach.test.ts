import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteRange, type OpenSpill, type Spill } from '../base/byte-range.ts'
import { inSlices, memorySpills } from '../../test/support/large.ts'
import { SIGNED_AT_MS, protectedMail } from '../../test/support/protected-mail.ts'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { openLarge, packCertificate, packKey } from './jobs.ts'

const SLICE_BYTES = 64 * 1024
const SENDER = smimeIdentity('p256', 'a@example.com')
const RECIPIENT = smimeIdentity('p256', 'b@example.com')
const RING = {
  decryptionKeys: [packKey(RECIPIENT)],
  known: [{ ...packCertificate(SENDER.certificate), trust: 'confirmed' }],
  anchors: [],
  allowWeak: false,
} as const

/** The same bytes; counts how often each of them is read, on average. */
function counting(range: ByteRange): { readonly range: ByteRange; passes(): number } {
  let readBytes = 0
  const { keeper, from, lengthBytes } = range
  const slices = function* (start: number, end: number): Generator<Uint8Array> {
    for (const slice of keeper.slices(start, end)) {
      readBytes += slice.length
      yield slice
    }
  }
  const isAscii = (start: number, end: number): boolean => keeper.isAscii?.(start, end) === true
  const counted = { lengthBytes: keeper.lengthBytes, slices, isAscii }
  return { range: new ByteRange(counted, from, from + lengthBytes), passes: () => readBytes / lengthBytes }
}

function countingSpills(): { readonly openSpill: OpenSpill; passesOfLast(): number } {
  const { openSpill } = memorySpills(SLICE_BYTES)
  let last: ReturnType<typeof counting> | undefined
  const openCounting = (): Spill => {
    const spill = openSpill()
    return {
      write: (chunk) => spill.write(chunk),
      end() {
        spill.end()
        last = counting(spill.range)
      },
      get range() {
        assert(last !== undefined)
        return last.range
      },
      holds: ({ keeper }) => keeper === last?.range.keeper,
      drop: () => spill.drop(),
    }
  }
  return { openSpill: openCounting, passesOfLast: () => last?.passes() ?? 0 }
}

const cases: readonly [what: string, line: string, passes: number][] = [
  ['US-ASCII', 'It was a bright cold day in April.\r\n', 0],
  ['UTF-8: looked through for random octets', 'Les sanglots longs des violons de l\u2019automne.\r\n', 1],
]
for (const [what, line, passes] of cases)
  test(`a large mail is read once to be verified and once to be decrypted; its content, ${what}, is read ${passes} times`, () => {
    const raw = protectedMail({
      layering: 'encrypt-sign',
      signer: SENDER,
      recipients: [RECIPIENT],
      header: 'From: a@example.com\r\nTo: b@example.com\r\nContent-Type: text/plain; charset=utf-8\r\n',
      body: line.repeat(Math.ceil(12e6 / line.length)),
    })
    const mail = counting(inSlices(raw, SLICE_BYTES))
    const spills = countingSpills()
    using opened = openLarge(mail.range, RING, SIGNED_AT_MS, spills.openSpill)
    assert.equal(opened.findings.summary.signature, 'valid')
    const nearby = 0.2 // previews, and what is looked at again around a boundary
    assert.ok(mail.passes() < 2 + nearby, `the mail is read ${mail.passes()} times`)
    assert.ok(spills.passesOfLast() < passes + nearby, `its content is read ${spills.passesOfLast()} times`)
  })
