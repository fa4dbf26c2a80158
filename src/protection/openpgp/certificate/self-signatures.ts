/**
 * What the owner of a certificate says of its own keys and user ids, verified (RFC 9580 §5.2.3.10). What others have signed
 * is not looked at: trust in an address is decided elsewhere, by how its key was found.
 */
import { hex } from '../../../base/bytes.ts'
import { attempt } from '../../malformed.ts'
import { hashById } from '../algorithms/hashes.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { type CertifiedThing, hashCertified } from '../signatures/signature-hash.ts'
import { SIGNATURE_TYPE, type Signature, lastOf, readSignature, secondsIn } from '../signatures/signature-packet.ts'
import { SUBPACKET } from '../signatures/subpackets.ts'
import { verifySignature } from '../signatures/verify.ts'

/** A signature by which the owner binds a key or a user id. */
export interface Binding {
  readonly createdMs: number
  /** Since when the signature itself, or what the subkey has signed, does not hold any more. */
  readonly expiresMs?: number
  /** Since when the key must not be used any more. */
  readonly keyExpiresMs?: number
  /** The first octet of the key flags (`KEY_FLAG`); missing where nothing is said. */
  readonly flags?: number
  /** The subkey has signed that it belongs to the primary key: without that it may not sign. */
  readonly backSigned: boolean
  readonly signature: Signature
}

export interface Revocation {
  readonly createdMs: number
  /** The key may be in wrong hands, nobody knows since when: it is revoked for all times. */
  readonly hard: boolean
  /** In words. */
  readonly reason: string
  readonly signature: Signature
}

export const KEY_FLAG = { CERTIFY: 0x01, SIGN: 0x02, ENCRYPT: 0x04 | 0x08 } as const

/** Reasons that leave the past alone (RFC 9580 §5.2.3.31); all others, and none, do not. */
const SOFT_REASONS: Readonly<Record<number, string>> = {
  1: 'superseded',
  3: 'retired',
  32: 'the user id is no longer valid',
}
const HARD_REASONS: Readonly<Record<number, string>> = { 0: 'no reason given', 2: 'compromised' }

/** Until then SHA-1 counts in what owners sign of their own keys (docs/decisions/0041-self-signatures.md). */
const SHA1_COUNTS_UNTIL_MS = Date.UTC(2023, 1, 1)
/** Verified signatures in one certificate: whoever forges more stalls nobody. */
export const CHECKS_MAX = 500

const SHA1 = 2

/** Reads the signatures of one certificate; spends `CHECKS_MAX` for all of them together. */
export class SelfSignatures {
  readonly #primary: KeyPacket
  #checksLeft = CHECKS_MAX

  constructor(primary: KeyPacket) {
    this.#primary = primary
  }

  /** Newest first, those that hold and have one of these types. */
  bindings(types: readonly number[], signatures: readonly Uint8Array[], thing: CertifiedThing): readonly Binding[] {
    return this.#mine(types, signatures).flatMap((signature) => {
      if (signature.notUnderstood !== undefined || !this.#holds(signature, thing, this.#primary, 'binding')) return []
      const binding = attempt(() => this.#readBinding(signature, thing))
      return binding.ok ? [binding.value] : []
    })
  }

  /** A revocation counts whatever else it says, and however old its hash is: it is the owner's wish not to be believed. */
  revocations(type: number, signatures: readonly Uint8Array[], thing: CertifiedThing): readonly Revocation[] {
    return this.#mine([type], signatures).flatMap((signature) =>
      this.#holds(signature, thing, this.#primary, 'revocation') ? [readRevocation(signature)] : [],
    )
  }

  /** What says that the primary key made it, newest first; whether that is true comes later, and costs more. */
  #mine(types: readonly number[], signatures: readonly Uint8Array[]): readonly DatedSignature[] {
    const { fingerprint, keyId, createdMs } = this.#primary
    return signatures
      .flatMap((body) => {
        const read = attempt(() => readSignature(body))
        return read.ok && isDated(read.value) && types.includes(read.value.type) ? [read.value] : []
      })
      .filter(({ issuerFingerprint, issuerKeyId }) =>
        issuerFingerprint === undefined
          ? (issuerKeyId ?? hex(keyId)) === hex(keyId)
          : issuerFingerprint === fingerprint,
      )
      .filter((signature) => signature.createdMs >= createdMs)
      .toSorted((a, b) => b.createdMs - a.createdMs)
  }

  #holds(signature: Signature, thing: CertifiedThing, key: KeyPacket, what: 'binding' | 'revocation'): boolean {
    if (this.#checksLeft === 0) return false
    this.#checksLeft--
    const digest = attempt(() => hashCertified(signature, thing))
    if (!digest.ok || digest.value === undefined) return false
    const checked = verifySignature(signature, digest.value, key)
    if (checked.ok) return true
    return checked.error.kind === 'weak' && (what === 'revocation' || hashCounts(signature))
  }

  #readBinding(signature: DatedSignature, thing: CertifiedThing): Binding {
    const { createdMs, hashed } = signature
    const back =
      thing.subkey === undefined ? undefined : this.#backSignature(signature, { ...thing, subkey: thing.subkey })
    const expiresMs = Math.min(signature.expiresMs ?? Infinity, back?.expiresMs ?? Infinity)
    const lifetime = secondsIn(hashed, SUBPACKET.KEY_EXPIRATION_TIME) ?? 0
    const flags = lastOf(hashed, SUBPACKET.KEY_FLAGS)?.body
    const key = thing.subkey ?? thing.primary
    return {
      createdMs,
      ...(expiresMs === Infinity ? {} : { expiresMs }),
      ...(lifetime === 0 ? {} : { keyExpiresMs: key.createdMs + lifetime * 1000 }),
      ...(flags === undefined ? {} : { flags: flags[0] ?? 0 }),
      backSigned: back !== undefined,
      signature,
    }
  }

  /** The embedded signature proves itself, so it may stand among the hints. */
  #backSignature(
    { hashed, unhashed }: Signature,
    thing: CertifiedThing & { readonly subkey: KeyPacket },
  ): Signature | undefined {
    return [...hashed, ...unhashed]
      .filter(({ type }) => type === SUBPACKET.EMBEDDED_SIGNATURE)
      .flatMap(({ body }) => {
        const read = attempt(() => readSignature(body))
        return read.ok ? [read.value] : []
      })
      .find(
        (back) =>
          back.type === SIGNATURE_TYPE.PRIMARY_KEY_BINDING &&
          back.notUnderstood === undefined &&
          this.#holds(back, thing, thing.subkey, 'binding'),
      )
  }
}

type DatedSignature = Signature & { readonly createdMs: number }

const isDated = (signature: Signature): signature is DatedSignature => signature.createdMs !== undefined

/** Weak keys are a matter of the whole certificate; of weak hashes only SHA-1 counts, in old signatures. */
const hashCounts = ({ hash, createdMs = 0 }: Signature): boolean =>
  hashById(hash)?.weak === undefined || (hash === SHA1 && createdMs < SHA1_COUNTS_UNTIL_MS)

function readRevocation(signature: DatedSignature): Revocation {
  const code = lastOf(signature.hashed, SUBPACKET.REVOCATION_REASON)?.body[0] ?? 0
  const soft = SOFT_REASONS[code]
  const reason = soft ?? HARD_REASONS[code] ?? `reason ${code}`
  return { createdMs: signature.createdMs, hard: soft === undefined, reason, signature }
}
