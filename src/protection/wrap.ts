/**
 * Mail encryption means 211 and signature attaching means 213: puts the author's message, header included, into the
 * Cryptographic Layers that the plan names, in one pass.
 */
import type { ByteSink } from '../base/byte-sink.ts'
import { fromLatin1 } from '../base/bytes.ts'
import { makeField, writeFields } from '../message/header-field.ts'
import type { HeaderField } from '../message/part.ts'
import type { HeaderConfidentiality } from './header/header-confidentiality.ts'
import { splitHeader } from './header/header-protection.ts'
import { legacyDisplaySink } from './header/legacy-display-sink.ts'
import type {
  Certificate,
  EncryptionChoice,
  OwnKey,
  ProtectedSink,
  ProtectionStandard,
  SigningChoice,
} from './standard.ts'

/** Order of the layers as they are made: `encrypt-sign` is the patent's, `triple` is RFC 2634 §1.1. */
export type Layering = 'sign' | 'encrypt-sign' | 'sign-encrypt' | 'triple'

export interface WrapPlan {
  readonly layering: Layering
  /** At least one. */
  readonly signers: readonly OwnKey[]
  /** Who can read it; empty for `sign` only. */
  readonly recipients: readonly Certificate[]
  readonly signing: SigningChoice
  readonly encryption: EncryptionChoice
  readonly headerProtection: boolean
  /** Under encryption: what stands outside of the author's header. */
  readonly confidentiality?: HeaderConfidentiality
  /** Hidden fields stand at the beginning of the text too, for readers who do not know header protection. */
  readonly legacyDisplay?: boolean
  readonly signingTimeMs: number
}

/** `both`: one layer that is signed inside and encrypted. */
type Step = 'sign' | 'encrypt' | 'both'

/** From the payload outwards. */
const STEPS: Readonly<Record<Layering, readonly Step[]>> = {
  sign: ['sign'],
  'encrypt-sign': ['encrypt', 'sign'],
  'sign-encrypt': ['sign', 'encrypt'],
  triple: ['sign', 'encrypt', 'sign'],
}

/**
 * Returns the sink for the body of the message whose header fields are `fields`; the protected message comes out of
 * `out`, beginning with `trace` and its own header. What is to be signed and then encrypted is one layer where the
 * standard has such a thing, also as the inside of a `triple`.
 */
export function wrap(
  standard: ProtectionStandard,
  fields: readonly HeaderField[],
  trace: readonly HeaderField[],
  plan: WrapPlan,
  out: ByteSink,
): ByteSink {
  const outermostFirst = stepsOf(plan.layering, standard).toReversed()
  const hp = plan.layering === 'sign' ? 'clear' : 'cipher'
  const scheme = plan.headerProtection ? hp : undefined
  const { inner, outer, hidden } = splitHeader(fields, scheme, plan.confidentiality ?? 'none')
  let into: ByteSink = out
  let entityFields: readonly HeaderField[] = [...trace, ...outer, makeField('MIME-Version', '1.0')]
  for (const step of outermostFirst) {
    const layer = layerSink(standard, step, plan, into)
    writeHeader(into, [...entityFields, ...layer.fields])
    into = layer.sink
    entityFields = []
  }
  const payload = plan.legacyDisplay === true ? legacyDisplaySink(hidden, into) : into
  writeHeader(payload, inner)
  return payload
}

function stepsOf(layering: Layering, { signAndEncrypt }: ProtectionStandard): readonly Step[] {
  const [first, second, ...others] = STEPS[layering]
  if (signAndEncrypt === undefined || first !== 'sign' || second !== 'encrypt') return STEPS[layering]
  return ['both', ...others]
}

function layerSink(standard: ProtectionStandard, step: Step, plan: WrapPlan, out: ByteSink): ProtectedSink {
  const { signers, signing, signingTimeMs, recipients, encryption } = plan
  switch (step) {
    case 'sign':
      return standard.sign(signers, signing, signingTimeMs, out)
    case 'encrypt':
      return standard.encrypt(recipients, encryption, signingTimeMs, out)
    case 'both': {
      if (standard.signAndEncrypt === undefined) throw new TypeError(`${standard.name} has no such layer`)
      const how = { keys: signers, choice: signing, timeMs: signingTimeMs }
      return standard.signAndEncrypt(how, recipients, encryption, out)
    }
  }
}

function writeHeader(out: ByteSink, fields: readonly HeaderField[]): void {
  out.write(writeFields(fields))
  out.write(fromLatin1('\r\n'))
}
