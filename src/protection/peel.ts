/**
 * Signature verification means 214 and mail decryption means 212: opens the Cryptographic Envelope (RFC 9787 §4.2) layer
 * by layer from outside, whichever standard each layer is, and says what was found. A layer whose signature does not
 * hold is the last one touched: nothing below it is decrypted (patent, B2–B5).
 */
import { type Address, sameAddress } from '../message/address.ts'
import { fieldBody, isField, writeFields } from '../message/header-field.ts'
import { parseMailboxList } from '../message/mailbox-list.ts'
import { walk } from '../message/mime-tree.ts'
import { type Defect, type Part, bodyOf } from '../message/part.ts'
import { openedFields, readProtectedHeader } from './header-protection.ts'
import type { Certificate, KeyRing, Opened, ProtectionStandard, SignatureVerdict, SignerFinding } from './standard.ts'
import { type LayerReport, type Summary, summarise, worst } from './summary.ts'

/** Deeper envelopes do not occur; what lies below stays sealed. */
export const LAYERS_MAX = 8

export interface Peeled {
  /** Outermost first; the Cryptographic Envelope only. */
  readonly layers: readonly LayerReport[]
  readonly summary: Summary
  /** Cryptographic layers outside of the envelope (RFC 9787 §4.5); never opened. */
  readonly errant: number
  readonly defects: readonly Defect[]
  /** The message for its reader. `undefined` when a signature failed: then there is nothing to show. */
  readonly message: readonly Uint8Array[] | undefined
  /** Encrypted, and none of the recipient's keys opens it; `message` is then the mail as it came. */
  readonly sealed: boolean
  /** Signers whose signature holds, with what their mail carried: candidates for 222. */
  readonly signers: readonly {
    readonly certificate: Certificate
    readonly carried: readonly Certificate[]
    readonly verdict: SignatureVerdict
  }[]
}

interface Progress {
  readonly layers: LayerReport[]
  readonly signers: { certificate: Certificate; carried: readonly Certificate[]; verdict: SignatureVerdict }[]
  payload: Part
  /** `sealed`: an encrypted layer that none of the recipient's keys opens. `failed`: tampered. */
  end: 'payload' | 'sealed' | 'failed'
}

export function peel(standards: readonly ProtectionStandard[], message: Part, ring: KeyRing, atMs: number): Peeled {
  const author = authorOf(message)
  const progress = openEnvelopeOf(standards, message, ring, atMs, author)
  const { layers, signers, payload, end } = progress
  const summary = summarise(layers, layers.length > 0 && end === 'payload' ? conflictOf(author, payload) : undefined)
  return {
    layers,
    summary,
    ...lookInside(standards, message, end === 'payload' ? payload : undefined),
    message: messageFor(message, progress),
    sealed: end === 'sealed',
    signers,
  }
}

/** The single author of a message, or why there is none that a signature could speak for (RFC 5322 §3.6.2). */
export type Author = { readonly address: Address } | { readonly problem: string }

export function authorOf(part: Pick<Part, 'fields'>): Author {
  const fields = part.fields.filter((field) => isField(field, 'From'))
  const [field] = fields
  if (field === undefined) return { problem: 'the mail has no From' }
  if (fields.length > 1) return { problem: 'the mail has several From fields' }
  const mailboxes = parseMailboxList(fieldBody(field))
  if (!mailboxes.ok) return { problem: `From cannot be read: ${mailboxes.error}` }
  const [mailbox, ...others] = mailboxes.value
  if (mailbox === undefined || others.length > 0) return { problem: `From names ${mailboxes.value.length} authors` }
  return { address: mailbox.address }
}

function openEnvelopeOf(
  standards: readonly ProtectionStandard[],
  message: Part,
  ring: KeyRing,
  atMs: number,
  author: Author,
): Progress {
  const progress: Progress = { layers: [], signers: [], payload: message, end: 'payload' }
  while (progress.layers.length < LAYERS_MAX && progress.end === 'payload') {
    const standard = standards.find((each) => each.recognise(progress.payload) !== undefined)
    if (standard === undefined) return progress
    take(progress, standard, standard.open(progress.payload, ring), { ring, atMs, author })
  }
  const deeper = standards.some((each) => each.recognise(progress.payload) !== undefined)
  if (progress.end === 'payload' && deeper) progress.end = 'sealed'
  return progress
}

interface Judging {
  readonly ring: KeyRing
  readonly atMs: number
  readonly author: Author
}

function take(progress: Progress, standard: ProtectionStandard, opened: Opened, judging: Judging): void {
  const report = { standard: standard.name, form: opened.form }
  switch (opened.kind) {
    case 'signed': {
      const judged = opened.signers.map((finding) => judgeSigner(standard, finding, judging))
      const layer = layerOf(judged)
      progress.layers.push({ kind: 'signed', ...report, ...layer })
      for (const { finding, verdict } of judged)
        if (finding.intact && finding.certificate !== undefined)
          progress.signers.push({ certificate: finding.certificate, carried: finding.carried, verdict })
      if (layer.verdict === 'invalid' || layer.verdict === 'mismatch' || layer.verdict === 'revoked')
        progress.end = 'failed'
      else progress.payload = opened.inner
      return
    }
    case 'decrypted':
      progress.layers.push({ kind: 'encrypted', ...report, algorithm: opened.algorithm, verdict: 'decrypted' })
      progress.payload = opened.inner
      return
    case 'no-key':
      progress.layers.push({ kind: 'encrypted', ...report, algorithm: null, verdict: 'no-key' })
      progress.end = 'sealed'
      return
    case 'broken': {
      const verdict = opened.layer === 'signed' ? 'invalid' : 'broken'
      progress.layers.push({ kind: opened.layer, ...report, algorithm: null, verdict, why: opened.why })
      progress.end = 'failed'
    }
  }
}

interface JudgedSigner {
  readonly finding: SignerFinding
  readonly verdict: SignatureVerdict
  readonly signer: string | null
  readonly why?: string
}

/** Cryptography first, then whose key it is, then whether that key may be believed. */
function judgeSigner(
  standard: ProtectionStandard,
  finding: SignerFinding,
  { ring, atMs, author }: Judging,
): JudgedSigner {
  const { certificate } = finding
  const why = finding.why ?? 'the signature does not hold'
  if (certificate === undefined)
    return { finding, verdict: finding.changed === true ? 'invalid' : 'unknown-key', signer: null, why }
  const speaksFor = 'address' in author ? speaksAs(certificate, author.address, ring) : undefined
  const signer = speaksFor ?? certificate.addresses[0] ?? null
  if (!finding.intact && finding.weak !== true) return { finding, verdict: 'invalid', signer, why }
  if ('problem' in author) return { finding, verdict: 'mismatch', signer, why: author.problem }
  if (speaksFor === undefined && signer !== null)
    return { finding, verdict: 'mismatch', signer, why: `signed by ${signer}, not by ${author.address}` }
  if (!finding.intact) return { finding, verdict: 'untrusted', signer, why }
  if (!certificate.canSign)
    return { finding, verdict: 'untrusted', signer, why: "the signer's certificate is not made for signing mail" }
  const trust = standard.judge(certificate, finding, ring, atMs)
  if (!trust.trusted) return { finding, verdict: trust.verdict, signer, why: trust.why }
  if (signer === null)
    return { finding, verdict: 'untrusted', signer, why: "the signer's certificate names no address" }
  return { finding, verdict: 'valid', signer }
}

/**
 * The author's address, when the certificate names it. One that names no address is not wrong (RFC 8550 §3): it speaks
 * for the author when it is known, because 222 holds it for that address.
 */
function speaksAs(certificate: Certificate, author: Address, ring: KeyRing): Address | undefined {
  if (certificate.addresses.length > 0) return certificate.addresses.find((each) => sameAddress(each, author))
  return ring.known.some((each) => each.certificate.fingerprint === certificate.fingerprint) ? author : undefined
}

/** One wrong signature spoils the layer; otherwise one good one is enough (several signers, RFC 5652 §5.1). */
function layerOf(
  judged: readonly JudgedSigner[],
): Pick<LayerReport, 'algorithm' | 'signer' | 'why' | 'signingTimeMs'> & { verdict: SignatureVerdict } {
  const verdicts = judged.map((each) => each.verdict)
  const verdict =
    verdicts.length === 0
      ? 'invalid'
      : verdicts.includes('invalid')
        ? 'invalid'
        : verdicts.includes('valid')
          ? 'valid'
          : worst(verdicts)
  const speaking = judged.find((each) => each.verdict === verdict)
  if (speaking === undefined) return { verdict, algorithm: null, signer: null, why: 'nobody signed' }
  const { finding, signer, why } = speaking
  return {
    verdict,
    algorithm: finding.algorithm,
    signer,
    ...(finding.signingTimeMs === undefined ? {} : { signingTimeMs: finding.signingTimeMs }),
    ...(why === undefined ? {} : { why }),
  }
}

/** The reader sees the protected From; an outer one that names somebody else was put there by somebody else. */
function conflictOf(outer: Author, payload: Part): string | undefined {
  const header = readProtectedHeader(payload)
  if (header === undefined) return undefined
  const inner = authorOf(header)
  if ('problem' in inner) return inner.problem
  if ('address' in outer && sameAddress(outer.address, inner.address)) return undefined
  return `the protected From is ${inner.address}, the one outside is not`
}

function messageFor(message: Part, { layers, payload, end }: Progress): readonly Uint8Array[] | undefined {
  if (end === 'failed') return undefined
  if (end === 'sealed' || layers.length === 0) return [message.raw]
  return [writeFields(openedFields(message.fields, payload)), CRLF, bodyOf(payload)]
}

/** What the parts below the envelope show; parts beyond the limits of `walk` are unseen, and among the defects. */
function lookInside(
  standards: readonly ProtectionStandard[],
  message: Part,
  payload: Part | undefined,
): Pick<Peeled, 'errant' | 'defects'> {
  if (payload === undefined) return { errant: 0, defects: message.defects }
  const { parts, defects } = walk(payload)
  const errant = parts.filter(
    ({ part, depth }) => depth > 0 && standards.some((standard) => standard.recognise(part) !== undefined),
  )
  return { errant: errant.length, defects: [...new Set([...message.defects, ...defects])] }
}

const CRLF = Uint8Array.of(0x0d, 0x0a)
