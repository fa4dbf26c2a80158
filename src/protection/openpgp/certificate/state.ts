/** What a certificate, and each of its keys, is good for at a time. Decided here and nowhere else. */
import { hex } from '../../../base/bytes.ts'
import { publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import type { Component, OpenpgpCertificate } from './certificate.ts'
import { type Binding, KEY_FLAG, type Revocation } from './self-signatures.ts'

/** `verdict` is a word of the interface of all standards (`TrustFinding`). */
export type KeyState =
  | { readonly valid: true; readonly binding: Binding }
  | { readonly valid: false; readonly verdict: 'expired' | 'revoked' | 'untrusted'; readonly why: string }

/** The certificate as a whole: its primary key. */
export const stateAt = (certificate: Facts, atMs: number): KeyState =>
  ownStateAt(certificate.components[0] as Component, atMs)

/** A key of the certificate, with the certificate as a whole: a subkey outlives nobody. */
export function componentStateAt(certificate: Facts, component: Component, atMs: number): KeyState {
  const whole = stateAt(certificate, atMs)
  return component.primary || !whole.valid ? whole : ownStateAt(component, atMs)
}

/** What the queries need to know. */
export type Facts = Pick<OpenpgpCertificate, 'components' | 'userIds' | 'directBindings' | 'version'>

function ownStateAt({ packet, primary, bindings, revocations }: Component, atMs: number): KeyState {
  const what = primary ? 'certificate' : 'subkey'
  const revocation = revocations.find((each) => isEffective(each, atMs))
  if (revocation !== undefined)
    return { valid: false, verdict: 'revoked', why: `the owner has revoked the ${what}: ${revocation.reason}` }
  if (packet.createdMs > atMs) return { valid: false, verdict: 'expired', why: `the ${what} is not valid yet` }
  const binding = bindingAt(bindings, atMs)
  if (binding === undefined)
    return { valid: false, verdict: 'untrusted', why: `the owner has signed nothing that makes the ${what} valid` }
  const endMs = endOf(binding)
  return endMs <= atMs ? { valid: false, verdict: 'expired', why: `the ${what} has expired` } : { valid: true, binding }
}

const isEffective = ({ hard, createdMs }: Revocation, atMs: number): boolean => hard || createdMs <= atMs

/**
 * The newest of its time. Programs that clean a certificate up keep the last one only: it speaks for earlier times too, from
 * the key's own beginning.
 */
export const bindingAt = (bindings: readonly Binding[], atMs: number): Binding | undefined =>
  bindings.find(({ createdMs }) => createdMs <= atMs) ?? bindings.at(-1)

/** When a binding, or what it says of its key, comes to an end. */
export const endOf = ({ expiresMs = Infinity, keyExpiresMs = Infinity }: Binding): number =>
  Math.min(expiresMs, keyExpiresMs)

/**
 * The key that made a signature, and whether it could at that time. `issuer`: fingerprint or key id, lower-case hex.
 * `undefined` when no key of the certificate has that name.
 */
export function signingComponent(
  certificate: OpenpgpCertificate,
  issuer: string,
  atMs: number,
): { readonly component: Component; readonly state: KeyState } | undefined {
  const component = certificate.components.find(({ packet }) =>
    issuer.length === 16 ? hex(packet.keyId) === issuer : packet.fingerprint === issuer,
  )
  if (component === undefined) return undefined
  const state = componentStateAt(certificate, component, atMs)
  if (state.valid && !maySign(component, state.binding))
    return { component, state: { valid: false, verdict: 'untrusted', why: 'the key is not for signing' } }
  return { component, state }
}

/** Keys to encrypt to, the newest first; none of them weak. */
export const encryptionComponents = (certificate: Facts, atMs: number): readonly Component[] =>
  certificate.components
    .filter((component) => {
      const state = componentStateAt(certificate, component, atMs)
      return state.valid && component.weak === undefined && mayEncrypt(component, state.binding)
    })
    .toSorted((a, b) => b.packet.createdMs - a.packet.createdMs)

/** Where no flags are given, a key may what its algorithm can; a subkey signs only if it has said that it belongs here. */
export function maySign({ packet, primary }: Component, { flags, backSigned }: Binding): boolean {
  const can = publicKeyAlgorithm(packet.algorithm)?.signs === true && packet.publicKeys.length > 0
  return can && (flags === undefined || (flags & KEY_FLAG.SIGN) !== 0) && (primary || backSigned)
}

export function mayEncrypt({ packet }: Component, { flags }: Binding): boolean {
  const can = publicKeyAlgorithm(packet.algorithm)?.encrypts === true && packet.publicKeys.length > 0
  return can && (flags === undefined || (flags & KEY_FLAG.ENCRYPT) !== 0)
}
