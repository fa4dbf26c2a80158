/** What came of a message, in the words of the interface. */
import type { ByteRange } from '../../../base/byte-range.ts'
import type { Certificate, KeyRing, Opened, SignerFinding } from '../../standard.ts'
import type { OpenedMessage } from './open-message.ts'
import { findSigners } from './signer-findings.ts'

/** Of the layer that is opened. */
export interface Around {
  readonly form: string
  readonly ring: KeyRing
  /** Certificates that came along. */
  readonly carried: readonly Certificate[]
  /** It stood amid something that it does not protect. */
  readonly partial?: boolean
}

/** `inner`: the entity that the content is shown as. */
export function openedAs<P>(
  message: OpenedMessage,
  { form, ring, carried, partial = false }: Around,
  inner: (content: ByteRange) => P,
): Opened<P> {
  if (message.kind === 'no-key') return { ...message, form }
  if (message.kind === 'broken')
    return { kind: 'broken', layer: message.encrypted ? 'encrypted' : 'signed', form, why: message.why }
  const { outline, decryption } = message
  const content = message.content.range
  const openedBy = decryption?.openedBy === undefined ? {} : { openedBy: decryption.openedBy }
  const signers = findSigners(outline.signatures, { content, ring, carried, ...openedBy })
  const common = { form, ...(partial && { partial }) }
  if (decryption !== undefined)
    return {
      kind: 'decrypted',
      ...common,
      inner: inner(content),
      ...decryption,
      ...(signers.length > 0 && { signers }),
    }
  if (signers.length > 0) return { kind: 'signed', ...common, inner: inner(content), signers }
  return outline.compressed && !partial
    ? { kind: 'decompressed', form, inner: inner(content), algorithm: 'openpgp' }
    : { kind: 'not-a-layer', form }
}

export const holds = ({ intact, weak }: SignerFinding): boolean => intact || weak === true
