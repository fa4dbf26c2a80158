/**
 * The work of protection as data: what a worker thread is given and what it gives back. Keys travel as handles,
 * certificates in their encoding, so that a job is cheap to post and each thread keeps its own parsed certificates.
 */
import type { ByteRange, OpenSpill } from '../base/byte-range.ts'
import type { ByteSink } from '../base/byte-sink.ts'
import { concatBytes } from '../base/bytes.ts'
import { type Result, fail } from '../base/result.ts'
import { type LargePart, largeBodyOf, parseLargePart } from '../message/large-part.ts'
import { parsePart } from '../message/parse.ts'
import { writeFields } from '../message/header-field.ts'
import type { Defect } from '../message/part.ts'
import type { HeaderConfidentiality } from './header/header-confidentiality.ts'
import { type JudgedAgain, judgeAgain } from './judge-again.ts'
import { type PeeledAs, type Shown, peel, peelWith } from './peel.ts'
import { type PackedPending, packPending, unpackPending } from './pending.ts'
import { OnDisk } from './reach.ts'
import { openpgp } from './openpgp/openpgp.ts'
import { smime } from './smime/smime.ts'
import type {
  BroughtCertificate,
  Certificate,
  EncryptionChoice,
  ValidationData,
  KeyRing,
  KnownCertificate,
  OwnKey,
  SecretKeys,
  ProtectionStandard,
  RevocationRule,
  SharedSecret,
  SignatureVerdict,
  SigningChoice,
  StandardName,
  TrustLevel,
} from './standard.ts'
import type { LayerReport, Summary } from './summary.ts'
import { type Layering, wrap } from './wrap.ts'

/** Every standard there is; the one list that `peel` and `wrap` work through. */
export const STANDARDS: readonly ProtectionStandard[] = [smime, openpgp]

export function standardNamed(name: StandardName): ProtectionStandard {
  const standard = STANDARDS.find((each) => each.name === name)
  if (standard === undefined) throw new TypeError(`no such protection standard: ${name}`)
  return standard
}

/** Reads a stored certificate by its standard, one that this version does not know included. */
export function readCertificate({ standard, encoded }: PackedCertificate): Result<Certificate> {
  const known = STANDARDS.find((each) => each.name === standard)
  return known === undefined
    ? fail(`${standard} certificates are not read by this version`)
    : known.readCertificate(encoded)
}

export interface PackedCertificate {
  readonly standard: StandardName
  readonly encoded: Uint8Array
}

export interface PackedKey extends PackedCertificate, SecretKeys {
  readonly chain: readonly PackedCertificate[]
}

export interface PackedRing {
  readonly decryptionKeys: readonly PackedKey[]
  readonly secrets?: readonly SharedSecret[]
  readonly known: readonly (PackedCertificate & { readonly trust: TrustLevel; readonly revokedMs?: number })[]
  readonly anchors: readonly PackedCertificate[]
  readonly allowWeak: boolean
  readonly strictIssuers?: boolean
  readonly revocation?: RevocationRule
  readonly fetched?: ValidationData
}

/** How one copy of a message is to be protected; `as-is` only gets the trace fields. */
export type PackedCopy =
  | { readonly kind: 'as-is' }
  | {
      readonly kind: 'wrapped'
      readonly standard: StandardName
      readonly layering: Layering
      /** At least one, of that standard. */
      readonly signers: readonly PackedKey[]
      readonly recipients: readonly PackedCertificate[]
      readonly signing: SigningChoice
      readonly encryption: EncryptionChoice
      readonly headerProtection: boolean
      readonly confidentiality?: HeaderConfidentiality
      readonly legacyDisplay?: boolean
    }

/** How one copy of a message is to be protected, as policy decided it. */
export type CopyProtection =
  | { readonly kind: 'as-is' }
  | {
      readonly kind: 'wrapped'
      readonly standard: StandardName
      readonly layering: Layering
      readonly certificates: readonly Certificate[]
      readonly encryption: EncryptionChoice
      readonly signing: SigningChoice
      readonly headerProtection: boolean
      readonly confidentiality?: HeaderConfidentiality
      readonly legacyDisplay?: boolean
    }

/** `signers`: the keys that the sender signs with, the best of each standard first; the protection says whether all of them do. */
export function packCopy(protection: CopyProtection, signers: readonly OwnKey[]): PackedCopy {
  if (protection.kind === 'as-is') return protection
  const { certificates, ...rest } = protection
  const able = signers.filter(({ certificate }) => certificate.standard === protection.standard)
  const signing = protection.signing.signers === 'all' ? able : able.slice(0, 1)
  return { ...rest, signers: signing.map(packKey), recipients: certificates.map(packCertificate) }
}

export interface WrapJob {
  readonly kind: 'wrap'
  /** Header fields of the author's message, each with its line end; without the empty line. */
  readonly header: Uint8Array
  /** Trace fields that go in front of every copy. */
  readonly trace: Uint8Array
  readonly signingTimeMs: number
  readonly copies: readonly PackedCopy[]
}

export interface PeelJob {
  readonly kind: 'peel'
  readonly raw: Uint8Array
  readonly atMs: number
  /** One for each recipient: the keys that may open the mail for that recipient, nobody else's. */
  readonly rings: readonly PackedRing[]
}

/** Judges again what was opened before, with what was fetched meanwhile (`PackedRing.fetched`). */
export interface JudgeJob {
  readonly kind: 'judge'
  readonly atMs: number
  readonly mails: readonly {
    readonly ring: PackedRing
    readonly layers: readonly LayerReport[]
    readonly pending: PackedPending
  }[]
}

export type JudgeReport = Omit<JudgedAgain, 'pending'> & { readonly pending: PackedPending | undefined }

/** What was found in a mail. */
export interface Findings {
  readonly summary: Summary
  readonly layers: readonly LayerReport[]
  readonly errant: number
  readonly defects: readonly Defect[]
  /** Encrypted, and the recipient holds no key for it; what is shown is then the mail as it came. */
  readonly sealed: boolean
  readonly signers: readonly (PackedCertificate & {
    readonly carried: readonly PackedCertificate[]
    readonly verdict: SignatureVerdict
  })[]
  /** Keys in the author's name that came with the mail for whoever wants to answer. */
  readonly brought: readonly (PackedCertificate & Pick<BroughtCertificate, 'preferEncrypt'>)[]
  /** Whether its header was inside (RFC 9788); missing when the mail could not be opened. */
  readonly headerProtection: boolean | undefined
  readonly pending: PackedPending | undefined
}

export interface PeelReport extends Findings {
  /** For the reader's eyes; `undefined` when a signature failed. */
  readonly message: Uint8Array | undefined
}

/** One sink for each copy, all fed with the body of the author's message. */
export function startWrap(job: WrapJob, outputs: readonly ByteSink[]): ByteSink {
  const { fields } = parsePart(concatBytes([job.header, CRLF]))
  const traceFields = parsePart(concatBytes([job.trace, CRLF])).fields
  const sinks = job.copies.map((copy, index) => {
    const out = outputs[index] as ByteSink
    if (copy.kind === 'as-is') {
      out.write(concatBytes([job.trace, writeFields(fields), CRLF]))
      return out
    }
    const plan = {
      ...copy,
      signers: copy.signers.map(unpackKey),
      recipients: copy.recipients.map(unpackCertificate),
      signingTimeMs: job.signingTimeMs,
    }
    return wrap(standardNamed(copy.standard), fields, traceFields, plan, out)
  })
  return {
    write: (chunk) => sinks.forEach((sink) => sink.write(chunk)),
    end: () => sinks.forEach((sink) => sink.end()),
  }
}

export function runPeel(job: PeelJob): PeelReport[] {
  const message = parsePart(job.raw)
  return job.rings.map((ring) => {
    const { message: shown, ...peeled } = peel(STANDARDS, message, unpackRing(ring), job.atMs)
    return { ...findingsOf(peeled), message: shown === undefined ? undefined : concatBytes(shown) }
  })
}

export function runJudge({ mails, atMs }: JudgeJob): JudgeReport[] {
  return mails.map(({ ring, layers, pending }) => {
    const again = judgeAgain(STANDARDS, layers, unpackPending(pending, unpackCertificate), unpackRing(ring), atMs)
    return { ...again, pending: again.pending && packPending(again.pending) }
  })
}

/** What is shown of a large message: nothing, the message as it came, or these pieces of what was opened. */
export type LargeShown =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'as-it-came' }
  | { readonly kind: 'opened'; readonly pieces: Iterable<Uint8Array> }

/** A large message, opened and verified to the last octet of all layers. What is shown of it can be read until it is disposed of. */
export interface LargeOpened extends Disposable {
  readonly findings: Findings
  readonly shown: LargeShown
}

/** Opens a message that is too large for memory, for one recipient. Throws when the disk fails. */
export function openLarge(message: ByteRange, ring: PackedRing, atMs: number, openSpill: OpenSpill): LargeOpened {
  const reach = new OnDisk(openSpill)
  try {
    const { shown, ...peeled } = peelWith(reach, STANDARDS, parseLargePart(message), unpackRing(ring), atMs)
    return {
      findings: findingsOf(peeled),
      shown: largeShown(shown),
      [Symbol.dispose]: () => reach[Symbol.dispose](),
    }
  } catch (error) {
    reach[Symbol.dispose]()
    throw error
  }
}

function largeShown(shown: Shown<LargePart> | undefined): LargeShown {
  if (shown === undefined) return { kind: 'nothing' }
  if (shown.kind === 'as-it-came') return { kind: 'as-it-came' }
  return { kind: 'opened', pieces: piecesOf(shown) }
}

function* piecesOf({ header, payload, cuts }: Extract<Shown<LargePart>, { kind: 'opened' }>): Iterable<Uint8Array> {
  yield concatBytes([header, CRLF])
  const body = largeBodyOf(payload)
  let from = 0
  for (const { start, end, bytes } of cuts) {
    yield* body.range(from, start).slices()
    yield bytes
    from = end
  }
  yield* body.range(from).slices()
}

const findingsOf = ({ signers, brought, pending, ...found }: Omit<PeeledAs<unknown>, 'shown'>): Findings => ({
  ...found,
  signers: signers.map(({ certificate, carried, verdict }) => ({
    ...packCertificate(certificate),
    carried: carried.map(packCertificate),
    verdict,
  })),
  brought: brought.map(({ certificate, ...wish }) => ({ ...packCertificate(certificate), ...wish })),
  pending: pending && packPending(pending),
})

export const packCertificate = ({ standard, encoded }: Certificate): PackedCertificate => ({ standard, encoded })

export const packKey = (own: OwnKey): PackedKey => ({
  ...packCertificate(own.certificate),
  chain: own.chain.map(packCertificate),
  ...secretKeysOf(own),
})

const secretKeysOf = ({ key, subkeys }: SecretKeys): SecretKeys => (subkeys === undefined ? { key } : { key, subkeys })

export const packKnown = ({ certificate, trust, revokedMs }: KnownCertificate): PackedRing['known'][number] => ({
  ...packCertificate(certificate),
  trust,
  ...(revokedMs === undefined ? {} : { revokedMs }),
})

/** Certificates are packed by us from parsed ones: one that does not parse is our own bug. */
export function unpackCertificate(packed: PackedCertificate): Certificate {
  const certificate = readCertificate(packed)
  if (!certificate.ok) throw new TypeError(`a stored certificate cannot be read: ${certificate.error}`)
  return certificate.value
}

function unpackKey(packed: PackedKey): OwnKey {
  return {
    certificate: unpackCertificate(packed),
    chain: packed.chain.map(unpackCertificate),
    ...secretKeysOf(packed),
  }
}

function unpackRing(ring: PackedRing): KeyRing {
  return {
    decryptionKeys: ring.decryptionKeys.map(unpackKey),
    ...(ring.secrets === undefined ? {} : { secrets: ring.secrets }),
    known: ring.known.map((known) => ({ ...known, certificate: unpackCertificate(known) })),
    anchors: ring.anchors.map(unpackCertificate),
    allowWeak: ring.allowWeak,
    strictIssuers: ring.strictIssuers === true,
    ...(ring.revocation === undefined ? {} : { revocation: ring.revocation }),
    ...(ring.fetched === undefined ? {} : { fetched: ring.fetched }),
  }
}

const CRLF = Uint8Array.of(0x0d, 0x0a)
