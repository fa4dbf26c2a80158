/** GeneralName (RFC 5280 §4.2.1.6): what a subjectAltName holds and a name constraint limits. */
import type { Node } from '../asn1/der-reader.ts'
import { TAG, context, contextConstructed } from '../asn1/tlv.ts'
import { Malformed } from '../../malformed.ts'
import { expectTag, oidOf } from '../asn1/der-fields.ts'
import { type DistinguishedName, readDirectoryString, readName } from './name.ts'

/** SmtpUTF8Mailbox (RFC 9598 §3). */
export const SMTP_UTF8_MAILBOX = '1.3.6.1.5.5.7.8.9'

export type GeneralName =
  | { readonly kind: 'email'; readonly text: string }
  | { readonly kind: 'utf8-email'; readonly text: string }
  | { readonly kind: 'dns'; readonly text: string }
  | { readonly kind: 'uri'; readonly text: string }
  | { readonly kind: 'ip'; readonly bytes: Uint8Array }
  | { readonly kind: 'directory'; readonly name: DistinguishedName }
  /** otherName, x400Address, ediPartyName, registeredID: `type` tells them apart for name constraints. */
  | { readonly kind: 'other'; readonly type: string }

/** Reads one GeneralName; throws Malformed. */
export function readGeneralName(node: Node): GeneralName {
  switch (node.tag) {
    case contextConstructed(0):
      return readOtherName(node)
    case context(1):
      return { kind: 'email', text: ia5(node) }
    case context(2):
      return { kind: 'dns', text: ia5(node) }
    case contextConstructed(4):
      return { kind: 'directory', name: readName(expectTag(node.children[0], TAG.SEQUENCE, 'directoryName')) }
    case context(6):
      return { kind: 'uri', text: ia5(node) }
    case context(7):
      return { kind: 'ip', bytes: node.content }
    case contextConstructed(3):
    case contextConstructed(5):
    case context(8):
      return { kind: 'other', type: `tag ${node.tag}` }
    default: // tags are numbers: the union of the standard ends here
      throw new Malformed('general name of an unknown kind')
  }
}

/** Reads GeneralNames, a SEQUENCE (or, implicitly tagged, `tag`); throws Malformed. */
export function readGeneralNames(node: Node, tag: number = TAG.SEQUENCE): readonly GeneralName[] {
  return expectTag(node, tag, 'general names').children.map(readGeneralName)
}

function readOtherName(node: Node): GeneralName {
  const type = oidOf(node.children[0], 'otherName')
  if (type !== SMTP_UTF8_MAILBOX) return { kind: 'other', type }
  const value = expectTag(node.children[1], contextConstructed(0), 'SmtpUTF8Mailbox').children[0]
  const text = readDirectoryString(expectTag(value, TAG.UTF8_STRING, 'SmtpUTF8Mailbox'))
  if (text === undefined) throw new Malformed('SmtpUTF8Mailbox is not UTF-8')
  return { kind: 'utf8-email', text }
}

/** IA5String: bytes above 127 stay as they are and make the name match nothing. */
function ia5(node: Node): string {
  return Buffer.from(node.content).toString('latin1')
}
