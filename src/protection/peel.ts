/**
 * Signature verification means 214 and mail decryption means 212: opens the Cryptographic Envelope (RFC 9787 §4.2) layer
 * by layer from outside, whichever standard each layer is, and says what was found. A layer whose signature does not
 * hold is the last one touched: nothing below it is decrypted (patent, B2–B5).
 */
import { sameAddress } from '../message/address.ts'
import { contentTypeOf } from '../message/content-type.ts'
import { isField, writeFields } from '../message/header-field.ts'
import { type Defect, type HeaderField, type Part, bodyOf } from '../message/part.ts'
import { type Author, authorOf } from './author.ts'
import { type Judging, certificatesForAnswers, judgeSigner, layerOf } from './judge-signer.ts'
import { Brought } from './brought.ts'
import { type Edit, applyEdits } from './header/legacy-display.ts'
import { openedFields, withMimeFieldsOf } from './header/opened-header.ts'
import { type ProtectedHeader, readProtectedHeader } from './header/protected-header.ts'
import type { Pending, PendingLayer } from './pending.ts'
import { type Reach, inMemory } from './reach.ts'
import type {
  BroughtCertificate,
  Certificate,
  KeyRing,
  LayerKind,
  Opened,
  ProtectionStandard,
  SignatureVerdict,
} from './standard.ts'
import { type LayerReport, type Summary, outlookOf, summarise } from './summary.ts'

/** Deeper envelopes do not occur; what lies below stays sealed. */
export const LAYERS_MAX = 8

/** What was found in a mail, and done with it; `P` is how its parts are held. */
export interface PeeledAs<P> {
  /** Outermost first; the Cryptographic Envelope only. */
  readonly layers: readonly LayerReport[]
  readonly summary: Summary
  /** Cryptographic layers outside of the envelope (RFC 9787 §4.5); never opened. */
  readonly errant: number
  readonly defects: readonly Defect[]
  /** The message for its reader. `undefined` when a signature failed: then there is nothing to show. */
  readonly shown: Shown<P> | undefined
  /** Encrypted, and none of the recipient's keys opens it; what is shown is then the mail as it came. */
  readonly sealed: boolean
  /** Certificates of signers whose signature holds, those for answering them included, with what their mail carried: for 222. */
  readonly signers: readonly {
    readonly certificate: Certificate
    readonly carried: readonly Certificate[]
    readonly verdict: SignatureVerdict
  }[]
  /** Keys in the author's name that came with the mail for whoever wants to answer; nobody vouches for them. */
  readonly brought: readonly BroughtCertificate[]
  /** Signatures that could be judged better if more were known (judge-again.ts). */
  readonly pending: Pending | undefined
  /** Whether its header was inside (RFC 9788); missing when the mail could not be opened. */
  readonly headerProtection: boolean | undefined
}

/**
 * `as-it-came`: nothing was opened. `opened`: this header, an empty line, and the body of `payload` with the `cuts` done;
 * their offsets are into the body.
 */
export type Shown<P> =
  | { readonly kind: 'as-it-came' }
  | { readonly kind: 'opened'; readonly header: Uint8Array; readonly payload: P; readonly cuts: readonly Edit[] }

export interface Peeled extends Omit<PeeledAs<Part>, 'shown'> {
  /** The message for its reader. `undefined` when a signature failed. */
  readonly message: readonly Uint8Array[] | undefined
}

interface Progress<P> {
  readonly layers: LayerReport[]
  readonly signers: { certificate: Certificate; carried: readonly Certificate[]; verdict: SignatureVerdict }[]
  readonly pending: PendingLayer[]
  payload: P
  /** The innermost layer whose cipher proves nothing, as long as no signature within it does. */
  unproven: LayerReport | undefined
  /**
   * `payload`: all layers are open. `packed`: what is left looks like a layer and is shown as it is: it protects nothing.
   * `sealed`: an encrypted layer that none of the recipient's keys opens. `failed`: tampered.
   */
  end: 'payload' | 'packed' | 'sealed' | 'failed'
}

/** Opens a message that is in memory. */
export function peel(standards: readonly ProtectionStandard[], message: Part, ring: KeyRing, atMs: number): Peeled {
  const { shown, ...peeled } = peelWith(inMemory, standards, message, ring, atMs)
  if (shown === undefined) return { ...peeled, message: undefined }
  if (shown.kind === 'as-it-came') return { ...peeled, message: [message.raw] }
  return { ...peeled, message: [shown.header, CRLF, ...applyEdits(bodyOf(shown.payload), shown.cuts)] }
}

/** Opens a message however its parts are reached: the rules are the same. */
export function peelWith<P>(
  reach: Reach<P>,
  standards: readonly ProtectionStandard[],
  message: P,
  ring: KeyRing,
  atMs: number,
): PeeledAs<P> {
  const preview = reach.preview(message)
  const author = authorOf(preview)
  const protectionOf = (part: Part): LayerKind | undefined => {
    const kind = kindOf(standards, part)
    return PROTECTING.has(kind) ? kind : undefined
  }
  const progress: Progress<P> = {
    layers: [],
    signers: [],
    pending: [],
    payload: message,
    unproven: undefined,
    end: 'payload',
  }
  const { layers, signers } = progress
  while (layers.length < LAYERS_MAX && progress.end === 'payload') {
    const inside = reach.preview(progress.payload)
    const standard = standards.find((each) => each.recognise(inside) !== undefined)
    if (standard === undefined) break
    take(progress, standard, reach.open(standard, progress.payload, ring), { ring, atMs, author })
  }
  if (progress.end === 'payload' && kindOf(standards, reach.preview(progress.payload)) !== undefined)
    progress.end = 'sealed'
  refuseGarbled(reach, progress)
  const { payload, end } = progress
  const open = isOpen(end)
  const opened = open && payload !== message ? reach.preview(payload) : undefined
  const brought = new Brought(standards, author)
  if (end !== 'failed') brought.lookAt(preview)
  const inside = open ? reach.lookInside(payload, brought.beside(protectionOf)) : { errant: [], defects: [] }
  const header =
    opened && layers.some(({ kind, partial }) => PROTECTING.has(kind) && partial !== true)
      ? readProtectedHeader(opened, {
          outside: preview.fields,
          encrypted: layers.some(({ kind }) => kind === 'encrypted'),
          isWhole: reach.isWhole(payload),
          isLayer: (part) => protectionOf(part) !== undefined,
        })
      : undefined
  const fields = shownFields(preview.fields, opened, header)
  const found = {
    shown: open ? fields : [],
    header,
    conflict: conflictOf(author, header),
    errant: inside.errant,
  }
  return {
    layers,
    summary: summarise(layers, found),
    headerProtection: opened && header !== undefined && contentTypeOf(opened).parameters.has('hp'),
    errant: inside.errant.length,
    defects: [...new Set([...preview.defects, ...inside.defects])],
    shown: end === 'failed' ? undefined : shownOf(opened, fields, payload, header?.cuts ?? []),
    sealed: end === 'sealed',
    signers,
    brought: brought.certificates,
    pending:
      progress.pending.length === 0 ? undefined : { layers: progress.pending, outlook: outlookOf(layers, found) },
  }
}

function kindOf(standards: readonly ProtectionStandard[], part: Part): LayerKind | undefined {
  for (const standard of standards) {
    const kind = standard.recognise(part)
    if (kind !== undefined) return kind
  }
  return undefined
}

/** Compression alone protects nothing, least of all a header inside. */
const PROTECTING: ReadonlySet<LayerKind | undefined> = new Set(['signed', 'encrypted'])

const isOpen = (end: Progress<unknown>['end']): boolean => end === 'payload' || end === 'packed'

/** A text with octets that only a changed ciphertext explains is not shown (EFAIL; decision 0037). */
function refuseGarbled<P>(reach: Reach<P>, progress: Progress<P>): void {
  const { layers, payload, unproven } = progress
  if (!isOpen(progress.end) || unproven === undefined || !reach.isGarbled(payload)) return
  const why = 'the encrypted content was changed: there are random octets in its text'
  layers[layers.indexOf(unproven)] = { ...unproven, verdict: 'broken', why }
  progress.end = 'failed'
}

function shownFields(
  outer: readonly HeaderField[],
  opened: Part | undefined,
  header: ProtectedHeader | undefined,
): readonly HeaderField[] {
  if (opened === undefined) return outer
  return header === undefined ? withMimeFieldsOf(opened, outer) : openedFields(outer, header)
}

function shownOf<P>(
  opened: Part | undefined,
  fields: readonly HeaderField[],
  payload: P,
  cuts: readonly Edit[],
): Shown<P> {
  return opened === undefined ? { kind: 'as-it-came' } : { kind: 'opened', header: writeFields(fields), payload, cuts }
}

function take<P>(progress: Progress<P>, standard: ProtectionStandard, opened: Opened<P>, judging: Judging): void {
  const report = { standard: standard.name, form: opened.form }
  switch (opened.kind) {
    case 'signed':
      takeSigned(progress, standard, opened, judging)
      return
    case 'decrypted': {
      const weak = opened.weak === true ? { weak: true } : {}
      const { algorithm } = opened
      const layer = {
        kind: 'encrypted',
        ...report,
        algorithm,
        ...weak,
        verdict: 'decrypted',
        ...partOf(opened),
      } as const
      progress.layers.push(layer)
      progress.unproven = opened.authenticated ? undefined : layer
      if (opened.signers === undefined) progress.payload = opened.inner
      else takeSigned(progress, standard, { ...opened, signers: opened.signers }, judging)
      if (opened.partial === true) progress.end = 'packed'
      return
    }
    case 'decompressed':
      progress.layers.push({ kind: 'compressed', ...report, algorithm: opened.algorithm, verdict: 'decompressed' })
      progress.payload = opened.inner
      return
    case 'not-a-layer':
      progress.end = 'packed'
      return
    case 'no-key':
      progress.layers.push({ kind: 'encrypted', ...report, algorithm: null, verdict: 'no-key' })
      progress.end = 'sealed'
      return
    case 'broken': {
      const verdict = opened.layer === 'signed' ? 'invalid' : 'broken'
      progress.layers.push({ kind: opened.layer, ...report, algorithm: null, verdict, why: opened.why })
      progress.end = opened.layer === 'compressed' ? 'packed' : 'failed'
    }
  }
}

function takeSigned<P>(
  progress: Progress<P>,
  standard: ProtectionStandard,
  opened: Pick<Extract<Opened<P>, { kind: 'signed' }>, 'form' | 'inner' | 'signers' | 'partial'>,
  judging: Judging,
): void {
  const { form, inner } = opened
  const judged = opened.signers.map((finding) => judgeSigner(standard, finding, judging))
  const layer = layerOf(judged)
  if (opened.partial === true) {
    // whoever put signed words into a mail of theirs proves nothing, and what is wrong with them spoils nothing else
    progress.layers.push({ kind: 'signed', standard: standard.name, form, ...layer, partial: true })
    progress.payload = inner
    progress.end = 'packed'
    return
  }
  if (judged.some(({ wishes }) => wishes !== undefined))
    progress.pending.push({ layer: progress.layers.length, standard: standard.name, judged })
  progress.layers.push({ kind: 'signed', standard: standard.name, form, ...layer })
  for (const each of judged) {
    const { finding, verdict } = each
    const { certificate: own, carried } = finding
    if (!finding.intact || own === undefined) continue
    for (const certificate of [own, ...certificatesForAnswers(standard, each, judging)])
      progress.signers.push({ certificate, carried, verdict })
  }
  if (layer.verdict === 'invalid' || layer.verdict === 'mismatch' || layer.verdict === 'revoked')
    progress.end = 'failed'
  else progress.payload = inner
  if (layer.verdict !== 'unknown-key') progress.unproven = undefined
}

const partOf = ({ partial }: { readonly partial?: boolean }): { readonly partial?: true } =>
  partial === true ? { partial } : {}

/** The reader sees the protected From; an outer one that names somebody else was put there by somebody else. */
function conflictOf(outer: Author, header: ProtectedHeader | undefined): string | undefined {
  if (header === undefined) return undefined
  if (header.scheme === 'partial' && !header.fields.some((each) => isField(each, 'From'))) return undefined
  const inner = authorOf(header)
  if ('problem' in inner) return inner.problem
  if ('address' in outer && sameAddress(outer.address, inner.address)) return undefined
  return `the protected From is ${inner.address}, the one outside is not`
}

const CRLF = Uint8Array.of(0x0d, 0x0a)
