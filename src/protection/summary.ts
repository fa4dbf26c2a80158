/** The Cryptographic Summary (RFC 9787 §4.6): what a reader may believe of the whole mail, in one verdict and a reason. */
import type { HeaderField } from '../message/part.ts'
import { type FieldStates, fieldStates } from './header/field-protection.ts'
import { cautionsAbout } from './look-alike.ts'
import type { ProtectedHeader } from './header/protected-header.ts'
import type { LayerKind, SignatureVerdict, StandardName, StatedAbilities } from './standard.ts'

export interface LayerReport {
  readonly kind: LayerKind
  readonly standard: StandardName
  readonly form: string
  readonly algorithm: string | null
  /** The algorithm protects nobody any more: whatever was opened, it was not kept from others. */
  readonly weak?: boolean
  /** Of a signature: its verdict. Of the others: what came of opening it. */
  readonly verdict: SignatureVerdict | 'decrypted' | 'decompressed' | 'no-key' | 'broken'
  /** Address of the signer, when a certificate for it was found. */
  readonly signer?: string | null
  readonly signingTimeMs?: number
  /** What the signer's program says that it can do. */
  readonly states?: StatedAbilities
  readonly why?: string
  /** It stood amid something that it does not protect: of the mail as a whole it says nothing. */
  readonly partial?: boolean
}

export interface Summary {
  readonly encrypted: boolean
  readonly signature: SignatureVerdict
  readonly signer: string | null
  /** One sentence, when the signature is not simply valid or absent. */
  readonly reason: string | null
  /** Of the fields that a reader sees: what protects each of them (RFC 9788 §4.3). */
  readonly fields: FieldStates
  /** Sentences that are true beside the verdict, and that a reader should know of. */
  readonly notes: readonly string[]
}

/** What else was found, beside the layers. */
export interface Found {
  /** The header that is shown, of a mail that was opened as far as it goes; else none. */
  readonly shown: readonly HeaderField[]
  readonly header: ProtectedHeader | undefined
  /** The protected header contradicts the outer one in who wrote the mail. */
  readonly conflict: string | undefined
  /** Cryptographic layers that stand alone somewhere in the payload (RFC 9787 §4.5). */
  readonly errant: readonly LayerKind[]
}

/** From best to worst: the worst signature of the Cryptographic Envelope speaks for the mail. */
const SEVERITY: readonly SignatureVerdict[] = [
  'valid',
  'none',
  'expired',
  'untrusted',
  'unknown-key',
  'mismatch',
  'revoked',
  'invalid',
]

export function worst(verdicts: readonly SignatureVerdict[]): SignatureVerdict {
  return verdicts.reduce((a, b) => (SEVERITY.indexOf(b) > SEVERITY.indexOf(a) ? b : a), 'valid')
}

export function summarise(layers: readonly LayerReport[], found: Found): Summary {
  const verdict = verdictOn(layers, found)
  return { encrypted: isEncrypted(layers), ...verdict, ...detailsOn(layers, found, verdict.signature === 'valid') }
}

type Details = Pick<Summary, 'fields' | 'notes'>

/** What a later judgement of the signatures needs of a mail that is gone by then, as plain data. */
export interface Outlook extends Pick<Found, 'conflict' | 'errant'> {
  readonly whenValid: Details
  readonly otherwise: Details
}

export function outlookOf(layers: readonly LayerReport[], found: Found): Outlook {
  const { conflict, errant } = found
  return { conflict, errant, whenValid: detailsOn(layers, found, true), otherwise: detailsOn(layers, found, false) }
}

/** As `summarise`, of the same mail whose signatures have been judged again. */
export function summariseAgain(layers: readonly LayerReport[], outlook: Outlook): Summary {
  const verdict = verdictOn(layers, outlook)
  const details = verdict.signature === 'valid' ? outlook.whenValid : outlook.otherwise
  return { encrypted: isEncrypted(layers), ...verdict, ...details }
}

/** Of a mail whose signature failed nothing is shown. */
export const NOTHING_SHOWN: Outlook = {
  conflict: undefined,
  errant: [],
  whenValid: { fields: {}, notes: [] },
  otherwise: { fields: {}, notes: [] },
}

const isEncrypted = (layers: readonly LayerReport[]): boolean => wholly(layers).some(({ kind }) => kind === 'encrypted')

const wholly = (layers: readonly LayerReport[]): readonly LayerReport[] =>
  layers.filter(({ partial }) => partial !== true)

function detailsOn(layers: readonly LayerReport[], found: Found, signed: boolean): Details {
  if (wholly(layers).length === 0) return { fields: {}, notes: layers.length === 0 ? [] : notesOnPart(layers) }
  const encrypted = isEncrypted(layers)
  const fields = fieldStates(found.shown, found.header, { encrypted, signed })
  return { fields, notes: [...weakness(layers), ...notesOnPart(layers), ...notesOn(found, encrypted, signed, fields)] }
}

type Verdict = Pick<Summary, 'signature' | 'signer' | 'reason'>

function verdictOn(layers: readonly LayerReport[], { conflict, errant }: Pick<Found, 'conflict' | 'errant'>): Verdict {
  const tampered = layers.find((layer) => layer.kind === 'encrypted' && layer.verdict === 'broken')
  if (tampered !== undefined) return { signature: 'invalid', signer: null, reason: tampered.why ?? null }
  const signed = wholly(layers).filter((layer) => layer.kind === 'signed')
  if (signed.length === 0 && conflict !== undefined) return { signature: 'mismatch', signer: null, reason: conflict }
  if (signed.length === 0)
    return { signature: 'none', signer: null, reason: isEncrypted(layers) ? null : reasonOf(layers, errant) }
  const signature = worst(signed.map((layer) => layer.verdict as SignatureVerdict))
  const speaking = signed.find((layer) => layer.verdict === signature)
  const signer = speaking?.signer ?? null
  if (conflict !== undefined && signature !== 'invalid' && signature !== 'revoked')
    return { signature: 'mismatch', signer, reason: conflict }
  return { signature, signer, reason: speaking?.why ?? null }
}

/** A mailing list that adds a footer makes such mail, and so does whoever puts somebody's signed words into their own. */
function reasonOf(layers: readonly LayerReport[], errant: readonly LayerKind[]): string | null {
  if (layers.some(({ partial }) => partial === true)) return 'only a part of it was protected'
  if (errant.includes('signed')) return 'signed part inside changed mail: the mail around it is not protected'
  return errant.length === 0 ? null : 'encrypted part inside unprotected mail: it was left closed'
}

const weakness = (layers: readonly LayerReport[]): string[] =>
  layers.some((layer) => layer.weak === true) ? ['It was encrypted in a way that keeps it from nobody any more.'] : []

function notesOnPart(layers: readonly LayerReport[]): string[] {
  return layers
    .filter(({ partial }) => partial === true)
    .map(({ kind, signer, verdict }) => {
      if (kind !== 'signed') return 'A part of it came encrypted; nothing else did.'
      if (verdict !== 'valid') return 'A part of it has a signature of which it is not known what it is worth.'
      return `A part of it has a valid signature by ${signer ?? 'nobody'}, which covers nothing else.`
    })
}

function notesOn({ shown, header, errant }: Found, encrypted: boolean, signed: boolean, fields: FieldStates): string[] {
  const open = Object.entries(fields).flatMap(([name, state]) =>
    state === 'unprotected' && name !== 'From' ? [name] : [],
  )
  return [
    ...(signed && open.length > 0 ? [`The signature does not cover ${open.join(', ')}.`] : []),
    ...(signed && encrypted && header?.hp === 'clear' ? ['It was encrypted on its way, not by its author.'] : []),
    ...(signed && !encrypted && header?.hp === 'cipher' ? ['Its author had encrypted it; what came was not.'] : []),
    ...(errant.length === 0 ? [] : ['Inside are parts with protection of their own, which was not looked at.']),
    ...cautionsAbout(shown),
  ]
}
