/**
 * Entities of S/MIME that are too large for memory. Each layer costs a pass or two over what it came in, and is written to a
 * spill, which nobody reads before it has been verified to its end (invariant 7).
 */
import { type ByteRange, type OpenSpill, type Spill, rangeInMemory } from '../../base/byte-range.ts'
import { type ByteSink, Collector } from '../../base/byte-sink.ts'
import { concatBytes, equalBytes, fromLatin1, latin1 } from '../../base/bytes.ts'
import { type Result, fail, ok } from '../../base/result.ts'
import { contentTypeOf, transferEncodingOf } from '../../message/content-type.ts'
import { decodingSink } from '../../message/decode-stream.ts'
import {
  type LargePart,
  cutLargeMultipart,
  firstPartIn,
  largeBodyOf,
  parseLargePart,
} from '../../message/large-part.ts'
import { type Digest, digestByMicalg, digestByName, startHash } from './algorithms.ts'
import { BerFeed, type BerReader, type Reading } from './asn1/ber-stream.ts'
import { DECOMPRESSED_MAX_BYTES, TOO_LARGE } from '../expansion.ts'
import { readCompressedData } from './cms/compressed-data.ts'
import { type Decryption, type DecryptionInput, startDecryption } from './cms/content-cipher.ts'
import { readEnvelopeFrame } from './cms/enveloped-data.ts'
import { openFrame } from './cms/open-envelope.ts'
import { LargeContent, RunningDigest } from './cms/signed-content.ts'
import { readSignedDataFrame } from './cms/signed-data.ts'
import { BARE_LF } from './in-memory.ts'
import type { Holding } from './open-layer.ts'

/** Computed while an opaque content comes by; another one that a signer names costs a pass of its own. */
const LIKELY_DIGEST = digestByName('sha256')
const NOTHING = new Uint8Array()

/** Entities that are read from the disk, and whose contents go there. */
export function onDisk(openSpill: OpenSpill): Holding<LargePart> {
  const digests = new WeakMap<LargePart, readonly [Digest, Uint8Array]>()
  return {
    preview: (part) => part.preview,
    children(part) {
      const { children, defects, digestOfFirst } = cutAndHash(part)
      const [first] = children
      if (first !== undefined && digestOfFirst !== undefined) digests.set(first, digestOfFirst)
      return { children, defects }
    },
    asContent(part) {
      const digest = digests.get(part)
      return new LargeContent(part.bytes, digest === undefined ? [] : [digest])
    },
    canonical({ bytes }) {
      const spill = openSpill()
      const lengthBytes = writeCanonical(bytes, spill)
      if (lengthBytes > bytes.lengthBytes) return parseLargePart(spill.range)
      spill.drop()
      return undefined
    },
    signedData(part) {
      const spill = openSpill()
      const hash = startHash(LIKELY_DIGEST)
      const frame = readBody(part, (reader) =>
        readSignedDataFrame(reader, (slice) => {
          hash.update(slice)
          spill.write(slice)
        }),
      )
      if (!frame.ok || frame.value.detached) {
        spill.drop()
        return frame.ok ? ok({ frame: frame.value, inside: undefined }) : frame
      }
      spill.end()
      const content = new LargeContent(spill.range, [[LIKELY_DIGEST, hash.digest()]])
      return ok({ frame: frame.value, inside: { content, entity: parseLargePart(spill.range) } })
    },
    envelope(part, openers) {
      let guess: Attempt | undefined
      const frame = readBody(part, (reader) =>
        readEnvelopeFrame(
          reader,
          (slice) => guess?.update(slice),
          (head) => {
            const first = openFrame(head, openers, (input) => input)
            if (first.kind === 'decrypted') guess = new Attempt(first.content, openSpill())
          },
        ),
      )
      if (!frame.ok) guess?.drop()
      if (!frame.ok) return { kind: 'broken', why: frame.error }
      const opened = openFrame(frame.value, openers, (input) => {
        const attempt = guess?.isWith(input) === true ? guess : attemptAgain(part, input, openSpill())
        return attempt.finish(frame.value.mac)
      })
      if (opened.kind !== 'decrypted') guess?.drop()
      return opened
    },
    compressedData,
  }
}

const ignore = (): void => {}

/** The end of the signed part is not known yet: it is hashed, as `micalg` says, while that is looked for. */
function cutAndHash(part: LargePart) {
  const body = largeBodyOf(part)
  const start = firstPartIn(part)
  const micalg = contentTypeOf(part.preview).parameters.get('micalg')?.toLowerCase() ?? ''
  const digest = digestByMicalg(micalg) ?? LIKELY_DIGEST
  const running = start === undefined ? undefined : new RunningDigest(digest, body, start)
  const { children, defects } = cutLargeMultipart(part, (bytes, at) => running?.take(bytes, at))
  const [first] = children
  const value = first !== undefined && first.start === start ? running?.upTo(first.end) : undefined
  return {
    children: children.map(({ start: from, end }) => parseLargePart(body.range(from, end))),
    defects,
    digestOfFirst: value === undefined ? undefined : ([digest, value] as const),
  }
}

const decoding = ({ preview }: LargePart, out: ByteSink): ByteSink => decodingSink(transferEncodingOf(preview), out)

function compressedData(part: LargePart): Result<LargePart> {
  const held = new Collector()
  const sink = decoding(part, {
    write: (chunk) => (held.lengthBytes > DECOMPRESSED_MAX_BYTES ? undefined : held.write(chunk)),
    end: ignore,
  })
  for (const slice of largeBodyOf(part).slices()) sink.write(slice)
  sink.end()
  if (held.lengthBytes > DECOMPRESSED_MAX_BYTES) return fail(TOO_LARGE)
  const content = readCompressedData(concatBytes(held.take()))
  return content.ok ? ok(parseLargePart(rangeInMemory(content.value))) : content
}

/** The last octet of a slice tells whether a LF at the beginning of the next is bare. */
function writeCanonical(bytes: ByteRange, out: ByteSink): number {
  let last = ''
  let lengthBytes = 0
  for (const slice of bytes.slices()) {
    const text = last + latin1(slice)
    const canonical = fromLatin1(text.replaceAll(BARE_LF, '\r\n').slice(last.length))
    out.write(canonical)
    lengthBytes += canonical.length
    last = text.slice(-1)
    if (last === '\n') last = ''
  }
  out.end()
  return lengthBytes
}

/** Reads the decoded body in one pass. */
function readBody<T>(part: LargePart, read: (reader: BerReader) => Reading<T>): Result<T> {
  const feed = new BerFeed(read)
  let problem: string | undefined
  const sink = decoding(part, {
    write(chunk) {
      problem ??= feed.push(chunk)
    },
    end: ignore,
  })
  for (const slice of largeBodyOf(part).slices()) {
    sink.write(slice)
    if (problem !== undefined) return fail(problem)
  }
  sink.end()
  return problem === undefined ? feed.end() : fail(problem)
}

/** A decryption into a spill, with one key: the first that fits is tried while the envelope is read for the first time. */
class Attempt {
  readonly #input: DecryptionInput
  readonly #decryption: Decryption
  readonly #spill: Spill

  constructor(input: DecryptionInput, spill: Spill) {
    this.#input = input
    this.#decryption = startDecryption(input)
    this.#spill = spill
  }

  /** Authenticated attributes stand behind the content: when there are any, what was decrypted without them is of no use. */
  isWith({ key, associatedData }: DecryptionInput): boolean {
    return associatedData === undefined && equalBytes(key, this.#input.key)
  }

  update(slice: Uint8Array): void {
    this.#spill.write(this.#decryption.update(slice))
  }

  /** `undefined` when the content is not sealed with this key; all of it is then forgotten. */
  finish(mac: Uint8Array | undefined): LargePart | undefined {
    const rest = this.#decryption.finish(NOTHING, mac)
    if (rest === undefined) {
      this.drop()
      return undefined
    }
    this.#spill.write(rest)
    this.#spill.end()
    return parseLargePart(this.#spill.range)
  }

  drop(): void {
    this.#spill.drop()
  }
}

function attemptAgain(part: LargePart, input: DecryptionInput, spill: Spill): Attempt {
  const attempt = new Attempt(input, spill)
  readBody(part, (reader) => readEnvelopeFrame(reader, (slice) => attempt.update(slice)))
  return attempt
}
