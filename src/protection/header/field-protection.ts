/** What protects each field that a reader sees (RFC 9788 §4.3): one signature or one cipher does not mean all of the header. */
import { fieldBody, isField } from '../../message/header-field.ts'
import type { HeaderField } from '../../message/part.ts'
import type { HeaderConfidentiality } from './header-confidentiality.ts'
import type { ProtectedHeader } from './protected-header.ts'

/** The four states of RFC 9788 §4.3. */
export type FieldProtection = 'unprotected' | 'signed-only' | 'encrypted-only' | 'signed-and-encrypted'

/** What mail programs show by default. */
const SHOWN_FIELDS = ['From', 'To', 'Cc', 'Date', 'Subject'] as const
type ShownField = (typeof SHOWN_FIELDS)[number]

/** Of those that the message has. */
export type FieldStates = Readonly<Partial<Record<ShownField, FieldProtection>>>

/** `encrypted`: a layer of the envelope encrypts; `signed`: its signature is valid. */
export interface EnvelopeFacts {
  readonly encrypted: boolean
  readonly signed: boolean
}

export function fieldStates(
  shown: readonly HeaderField[],
  header: ProtectedHeader | undefined,
  envelope: EnvelopeFacts,
): FieldStates {
  const states = SHOWN_FIELDS.flatMap((name) => {
    const field = shown.find((each) => isField(each, name))
    return field === undefined ? [] : [[name, protectionOf(field, header, envelope)] as const]
  })
  return Object.fromEntries(states)
}

/** HeaderFieldProtection (RFC 9788 §4.3.1). */
function protectionOf(
  field: HeaderField,
  header: ProtectedHeader | undefined,
  { encrypted, signed }: EnvelopeFacts,
): FieldProtection {
  if (header === undefined || !header.fields.includes(field)) return 'unprotected'
  // encryption that the author did not mean was added on the way: then nothing was ever confidential
  const stoodOutside = header.sentOutside.some((each) => saysTheSame(each, field))
  if (encrypted && header.hp === 'cipher' && !stoodOutside) return signed ? 'signed-and-encrypted' : 'encrypted-only'
  return signed ? 'signed-only' : 'unprotected'
}

const saysTheSame = (one: HeaderField, other: HeaderField): boolean =>
  isField(one, other.name) && fieldBody(one) === fieldBody(other)

/** What an answer must hide, so that it tells nothing that was confidential (RFC 9788 §6.1). */
export function confidentialityOf(states: FieldStates): HeaderConfidentiality {
  const isConfidential = (name: ShownField): boolean =>
    states[name] === 'encrypted-only' || states[name] === 'signed-and-encrypted'
  if (SHOWN_FIELDS.some((name) => name !== 'Subject' && isConfidential(name))) return 'shy'
  return isConfidential('Subject') ? 'baseline' : 'none'
}
