/** Elliptic curves of OpenPGP by their object identifier (RFC 9580 §9.2). */
import { hex } from '../../../base/bytes.ts'

export interface Curve {
  /** Content octets of the object identifier, as a key packet has them; lower-case hex. */
  readonly oid: string
  /** What KeyObject.asymmetricKeyType says of its keys. */
  readonly type: 'ec' | 'ed25519' | 'x25519'
  /** As node:crypto calls it; only for `ec`. */
  readonly namedCurve?: string
  /** Of one coordinate, or of the whole point where it is written in the curve's own form. */
  readonly sizeBytes: number
}

export const ED25519_LEGACY: Curve = { oid: '2b06010401da470f01', type: 'ed25519', sizeBytes: 32 }
export const CURVE25519_LEGACY: Curve = { oid: '2b060104019755010501', type: 'x25519', sizeBytes: 32 }

/** secp256k1 is not of the RFC; GnuPG and RNP make keys with it. */
export const CURVES: readonly Curve[] = [
  { oid: '2a8648ce3d030107', type: 'ec', namedCurve: 'prime256v1', sizeBytes: 32 },
  { oid: '2b81040022', type: 'ec', namedCurve: 'secp384r1', sizeBytes: 48 },
  { oid: '2b81040023', type: 'ec', namedCurve: 'secp521r1', sizeBytes: 66 },
  { oid: '2b2403030208010107', type: 'ec', namedCurve: 'brainpoolP256r1', sizeBytes: 32 },
  { oid: '2b240303020801010b', type: 'ec', namedCurve: 'brainpoolP384r1', sizeBytes: 48 },
  { oid: '2b240303020801010d', type: 'ec', namedCurve: 'brainpoolP512r1', sizeBytes: 64 },
  { oid: '2b8104000a', type: 'ec', namedCurve: 'secp256k1', sizeBytes: 32 },
  ED25519_LEGACY,
  CURVE25519_LEGACY,
]

export const curveByOid = (oid: Uint8Array): Curve | undefined => CURVES.find((curve) => curve.oid === hex(oid))
export const curveByName = (namedCurve: string | undefined): Curve | undefined =>
  namedCurve === undefined ? undefined : CURVES.find((curve) => curve.namedCurve === namedCurve)
