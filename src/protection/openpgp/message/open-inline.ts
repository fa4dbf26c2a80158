/**
 * OpenPGP in the midst of a text, read with care (decision 0044): what was in the first block is shown before all else, and what
 * stood around it behind that, said to be unprotected. Such a mail as a whole is never believed. A block of which nothing comes
 * is a text like any other. HTML is not looked into.
 */
import type { ByteRange } from '../../../base/byte-range.ts'
import { rangeInMemory } from '../../../base/byte-range.ts'
import { dispositionOf } from '../../../message/content-type.ts'
import { attempt, need } from '../../malformed.ts'
import type { KeyRing, Opened, SignerFinding } from '../../standard.ts'
import { readCleartext } from '../cleartext.ts'
import { carriedIn } from './carried-certificates.ts'
import { pgpFormOf } from './forms.ts'
import { type Holding, charsetOf, pushBody, pushRange, textOf } from './holding.ts'
import { findInline } from './inline.ts'
import { type OpenedMessage, openMessage } from './open-message.ts'
import { type Around, holds, openedAs } from './opened.ts'
import { openersOf } from './own-keys.ts'
import { type ShownPart, showPart, showParts, shownAround, shownFile, shownText } from './shown.ts'
import { findSigners, readDetachedSignatures } from './signer-findings.ts'

const FORM = 'inline'
/** A text that is signed in the clear is held in memory. */
const CLEARTEXT_MAX_BYTES = 16 * 2 ** 20
/** A text and its attachments. */
const PARTS_MAX = 100

export function openInlineText<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const notALayer = { kind: 'not-a-layer', form: FORM } as const
  const found = findInline(textOf(held, part))
  if (found === undefined) return notALayer
  const charset = charsetOf(held, part)
  const unprotected = shownAround(found.around, charset)
  const partial = unprotected.length > 0
  const around = { form: FORM, ring, carried: carriedIn(held, part), partial }
  const show = (content: ByteRange): P => {
    const text = shownText(content, charset)
    return partial ? showParts(held, [text, ...unprotected]) : showPart(held, text)
  }
  const opened =
    found.kind === 'signed'
      ? openCleartext(found.block, around, show)
      : openedAs(openBlock(held, found.block, ring), around, show)
  return isOf(opened, partial) ? opened : notALayer
}

/** A mail that is one block may be sealed or changed; of a block in another text that says nothing. */
function isOf<P>(opened: Opened<P>, partial: boolean): boolean {
  if (!partial) return opened.kind !== 'broken' || opened.layer === 'encrypted'
  if (opened.kind === 'signed') return opened.signers.length > 0 && opened.signers.every(holds)
  return opened.kind === 'decrypted'
}

const openBlock = <P>(held: Holding<P>, block: ByteRange, ring: KeyRing): OpenedMessage =>
  openMessage((sink) => pushRange(block, sink), openersOf(ring), held.openSpill)

function openCleartext<P>(block: ByteRange, around: Around, show: (content: ByteRange) => P): Opened<P> {
  const broken = (why: string): Opened<P> => ({ kind: 'broken', layer: 'signed', form: FORM, why })
  if (block.lengthBytes > CLEARTEXT_MAX_BYTES) return { kind: 'not-a-layer', form: FORM }
  const read = attempt(() => {
    const { text, signatures } = need(readCleartext(block.read()), 'no text is signed in the clear')
    return { content: rangeInMemory(text), signatures: readDetachedSignatures(signatures) }
  })
  if (!read.ok) return broken(read.error)
  const { content, signatures } = read.value
  const { form, ring, carried, partial = false } = around
  const signers = findSigners(signatures, { content, ring, carried })
  return { kind: 'signed', form, inner: show(content), signers, ...(partial && { partial }) }
}

/** A text and its attachments, each encrypted by itself; a part that is not leaves all of them closed. */
export function openInlineParts<P>(held: Holding<P>, part: P, ring: KeyRing): Opened<P> {
  const form = 'inline-parts'
  const notALayer = { kind: 'not-a-layer', form } as const
  const { children } = held.children(part)
  if (children.length > PARTS_MAX) return notALayer
  const around = { form, ring, carried: carriedIn(held, part) }
  const shown: ShownPart[] = []
  const opened: Extract<Opened<ByteRange>, { kind: 'decrypted' }>[] = []
  for (const child of children) {
    const source = sourceOf(held, child)
    if (source === undefined) return notALayer
    const one = openedAs(openMessage(source.push, openersOf(ring), held.openSpill), around, (content) => content)
    if (one.kind === 'no-key' || (one.kind === 'broken' && one.layer === 'encrypted')) return one
    if (one.kind !== 'decrypted') return notALayer
    opened.push(one)
    shown.push(source.show(one.inner))
  }
  const [first] = opened
  if (first === undefined) return notALayer
  const { signers: _ofTheFirst, ...common } = first
  return { ...common, ...asOne(opened), inner: showParts(held, shown) }
}

interface PartSource {
  readonly push: Parameters<typeof openMessage>[0]
  readonly show: (content: ByteRange) => ShownPart
}

/** The message that a part is, if it is one and nothing else. */
function sourceOf<P>(held: Holding<P>, part: P): PartSource | undefined {
  const preview = held.preview(part)
  const form = pgpFormOf(preview)
  if (form === 'pgp-file')
    return {
      push: (sink) => pushBody(held, part, sink),
      show: (content) => shownFile(content, dispositionOf(preview).filename),
    }
  if (form !== 'inline-encrypted') return undefined
  const found = findInline(textOf(held, part))
  const charset = charsetOf(held, part)
  if (found?.kind !== 'message' || shownAround(found.around, charset).length > 0) return undefined
  return {
    push: (sink) => pushRange(found.block, sink),
    show: (content) => shownText(content, charset),
  }
}

/** As weak as the weakest; signed when all of them are. */
function asOne(
  opened: readonly Extract<Opened<ByteRange>, { kind: 'decrypted' }>[],
): Pick<Extract<Opened, { kind: 'decrypted' }>, 'authenticated' | 'weak' | 'signers'> {
  const signers = opened.flatMap((each): readonly SignerFinding[] => each.signers ?? [])
  const allSigned = opened.every((each) => each.signers !== undefined)
  return {
    authenticated: opened.every(({ authenticated }) => authenticated),
    ...(opened.some(({ weak }) => weak === true) && { weak: true }),
    ...(allSigned && { signers }),
  }
}
