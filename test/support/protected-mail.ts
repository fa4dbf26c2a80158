/** Protected mails made and opened without a server: what the gateway does with them, in one call each. */
import assert from 'node:assert/strict'
import { Collector } from '../../src/base/byte-sink.ts'
import { concatBytes, utf8 } from '../../src/base/bytes.ts'
import { encodeBase64Lines } from '../../src/message/encode.ts'
import { type InboundDecision, decideInbound } from '../../src/policy/decide-inbound.ts'
import type { InboundPolicy } from '../../src/policy/settings.ts'
import {
  type PackedRing,
  type PeelReport,
  packCertificate,
  packKey,
  packKnown,
  openLarge,
  runPeel,
  startWrap,
} from '../../src/protection/jobs.ts'
import type { EncryptionChoice, KnownCertificate, OwnKey, SigningChoice } from '../../src/protection/standard.ts'
import type { Layering } from '../../src/protection/wrap.ts'
import { assertSameWhenLarge, inSlices, memorySpills } from './large.ts'
import type { SmimeIdentity } from './smime-identity.ts'

export const SIGNED_AT_MS = Date.UTC(2026, 10, 22)

/** As config/schema.ts has it by default. */
export const DEFAULT_INBOUND: InboundPolicy = {
  onTampered: 'refuse',
  onMismatch: 'refuse',
  onUnknownKey: 'deliver',
  onUnsigned: 'deliver',
  onUnprotected: 'deliver',
  onNoPrivateKey: 'deliver',
  onDmarcFail: 'refuse',
  revocation: 'prefer',
}

export interface MailOrder {
  readonly layering: Layering
  readonly signer: OwnKey
  readonly moreSigners?: readonly OwnKey[]
  readonly recipients?: readonly OwnKey[]
  /** Header lines of the author's message, each with its CRLF. */
  readonly header: string
  readonly body: string
  readonly signing?: SigningChoice
  readonly encryption?: EncryptionChoice
  readonly headerProtection?: boolean
}

/** The mail as it leaves the sender's provider. */
export function protectedMail(order: MailOrder): Buffer {
  const out = new Collector()
  const body = startWrap(
    {
      kind: 'wrap',
      header: utf8(order.header),
      trace: utf8('Received: by mail.example.com; Sun, 22 Nov 2026 00:00:00 +0000\r\n'),
      signingTimeMs: SIGNED_AT_MS,
      copies: [
        {
          kind: 'wrapped',
          layering: order.layering,
          standard: order.signer.certificate.standard,
          signers: [order.signer, ...(order.moreSigners ?? [])].map(packKey),
          recipients: (order.recipients ?? []).map(({ certificate }) => packCertificate(certificate)),
          signing: order.signing ?? {},
          encryption: order.encryption ?? {},
          headerProtection: order.headerProtection ?? true,
        },
      ],
    },
    [out],
  )
  body.write(utf8(order.body))
  body.end()
  return Buffer.from(concatBytes(out.take()))
}

export interface Reader {
  readonly keys: readonly OwnKey[]
  readonly known: readonly KnownCertificate[]
  readonly anchors?: readonly SmimeIdentity[]
  readonly policy?: Partial<InboundPolicy>
}

export interface Received {
  readonly report: PeelReport
  readonly decision: InboundDecision
  /** Of the decision, in a word: refused as 5.7.7; else taken, as what. */
  readonly outcome: 'refused 5.7.7' | 'refused' | 'valid' | 'not verified'
}

/** What becomes of a mail at the recipient's provider, whether it is opened in memory or piece by piece. */
export function receive(raw: Uint8Array, reader: Reader): Received {
  const received = receiveInMemory(raw, reader)
  assertSameWhenLarge(raw, ringOf(reader), SIGNED_AT_MS, received.report, 'read piece by piece')
  return received
}

/** One way only: for thousands of mails. */
export function receiveInMemory(raw: Uint8Array, reader: Reader): Received {
  const [report] = runPeel({ kind: 'peel', raw, atMs: SIGNED_AT_MS, rings: [ringOf(reader)] })
  assert(report !== undefined)
  const decision = decideInbound(report.summary, report.sealed, { ...DEFAULT_INBOUND, ...reader.policy })
  return { report, decision, outcome: outcomeOf(report, decision) }
}

/** The other way only, in slices as a file gives them. */
export function openPieceByPiece(raw: Uint8Array, reader: Reader): void {
  const { openSpill } = memorySpills(FILE_SLICE_BYTES)
  openLarge(inSlices(raw, FILE_SLICE_BYTES), ringOf(reader), SIGNED_AT_MS, openSpill)
}

const FILE_SLICE_BYTES = 64 * 2 ** 10

const ringOf = (reader: Reader): PackedRing => ({
  decryptionKeys: reader.keys.map(packKey),
  known: reader.known.map(packKnown),
  anchors: (reader.anchors ?? []).map(({ certificate }) => packCertificate(certificate)),
  allowWeak: false,
})

function outcomeOf({ summary }: PeelReport, { action, rule }: InboundDecision): Received['outcome'] {
  if (action !== 'accept') return rule === 'tampered' || rule === 'mismatch' ? 'refused 5.7.7' : 'refused'
  return summary.signature === 'valid' && rule === 'valid' ? 'valid' : 'not verified'
}

/** Where the base64 body of the entity lies whose header has `type`: from its first to behind its last character. */
export function base64Range(mail: Buffer, type: string): { readonly start: number; readonly end: number } {
  const field = mail.indexOf(`Content-Type: ${type}`)
  const start = mail.indexOf('\r\n\r\n', field) + 4
  const boundary = mail.indexOf('\r\n--', start)
  const end = boundary < 0 ? mail.length : boundary
  assert(field >= 0 && start > field, `no ${type}`)
  return { start, end }
}

/** The CMS structure in that entity. */
export function cmsOf(mail: Buffer, type: string): Buffer {
  const { start, end } = base64Range(mail, type)
  return Buffer.from(mail.toString('latin1', start, end), 'base64')
}

/** The mail with another CMS structure in that entity. */
export function withCms(mail: Buffer, type: string, cms: Uint8Array): Buffer {
  const { start, end } = base64Range(mail, type)
  return Buffer.concat([mail.subarray(0, start), encodeBase64Lines(cms), mail.subarray(end)])
}

/** A copy in which `change` has been applied to one byte. */
export function withByte(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = change(copy[at] ?? 0) & 0xff
  return copy
}
