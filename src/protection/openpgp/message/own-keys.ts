/** Which of a user's own keys signs, and which open: the handles of a certificate's components. */
import type { KeyObject } from 'node:crypto'
import type { KeyRing, OwnKey } from '../../standard.ts'
import { type OpenpgpCertificate, isOpenpgpCertificate } from '../certificate/certificate.ts'
import { componentStateAt, maySign } from '../certificate/state.ts'
import type { DecryptionKey } from '../encryption/carrier.ts'
import type { Openers } from '../encryption/open-container.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import type { SigningKey } from './write-message.ts'

export type OpenpgpKey = OwnKey & { readonly certificate: OpenpgpCertificate }

export const isOpenpgpKey = (own: OwnKey): own is OpenpgpKey => isOpenpgpCertificate(own.certificate)

/** Every private key of the recipient's; what is expired or revoked opens old mail all the same. */
export const openersOf = ({ decryptionKeys, secrets, allowWeak }: KeyRing): Openers => ({
  keys: decryptionKeys.filter(isOpenpgpKey).flatMap(decryptionKeysOf),
  passwords: (secrets ?? []).flatMap((secret) => (secret.kind === 'password' ? [secret.password] : [])),
  allowUnproven: allowWeak === true && secrets !== undefined, // only for a human who opens a file at the keyboard
})

function decryptionKeysOf(own: OpenpgpKey): DecryptionKey[] {
  const { components, fingerprint: certificate } = own.certificate
  return components.flatMap(({ packet }) => {
    const handles = handlesOf(own, packet.fingerprint)
    return handles === undefined ? [] : [{ packet, handles, certificate }]
  })
}

/** The newest that may sign at this time and whose private half is here; of two that are as new, the subkey. */
export function signingKeyOf(own: OpenpgpKey, atMs: number): SigningKey | undefined {
  for (const packet of signingPackets(own.certificate, atMs)) {
    const handles = handlesOf(own, packet.fingerprint)
    if (handles !== undefined) return { packet, handles }
  }
  return undefined
}

/** Those that may sign at this time, the newest first. */
export function signingPackets(certificate: OpenpgpCertificate, atMs: number): readonly KeyPacket[] {
  return certificate.components
    .filter((component) => {
      const state = componentStateAt(certificate, component, atMs)
      return state.valid && component.weak === undefined && maySign(component, state.binding)
    })
    .toReversed()
    .toSorted((a, b) => b.packet.createdMs - a.packet.createdMs)
    .map(({ packet }) => packet)
}

/** Where the parts are told, `key` may be that of a subkey: the primary's private half can be somewhere else. */
function handlesOf({ certificate, key, subkeys }: OpenpgpKey, fingerprint: string): readonly KeyObject[] | undefined {
  if (subkeys === undefined) return fingerprint === certificate.fingerprint ? [key] : undefined
  return subkeys.find((each) => each.fingerprint === fingerprint)?.handles
}
