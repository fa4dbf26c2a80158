/**
 * Signature verification means 214 and mail decryption means 212: opens the Cryptographic Envelope (RFC 9787 §4.2) layer
 * by layer from outside, whichever standard each layer is, and says what was found. A layer whose signature does not
 * hold is the last one touched: nothing below it is decrypted (patent, B2–B5).
 */
import { sameAddress } from '../message/address.ts'
import { writeFields } from '../message/header-field.ts'
import { walk } from '../message/mime-tree.ts'
import { type Defect, type Part, bodyOf } from '../message/part.ts'
import { type Author, authorOf } from './author.ts'
import { openedFields, readProtectedHeader } from './header-protection.ts'
import { type Judging, judgeSigner, layerOf } from './judge-signer.ts'
import type { Certificate, KeyRing, Opened, ProtectionStandard, SignatureVerdict } from './standard.ts'
import { type LayerReport, type Summary, summarise } from './summary.ts'

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
