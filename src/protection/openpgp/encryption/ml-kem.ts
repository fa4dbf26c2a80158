/**
 * Session keys by ML-KEM together with X25519 or X448 (draft-ietf-openpgp-pqc): whoever would read them must break both. The
 * composite's keys stand with the curve's part first.
 */
import { type KeyObject, decapsulate, encapsulate, hash } from 'node:crypto'
import { concatBytes, utf8 } from '../../../base/bytes.ts'
import { need } from '../../malformed.ts'
import { Cursor } from '../packets/cursor.ts'
import type { Carrier } from './carrier.ts'
import { type XdhRow, X25519, X448, agree, agreeOneTime, readWrappedKey, writeWrappedKey } from './xdh.ts'

export interface MlKemRow {
  /** Of the composite. */
  readonly algorithm: number
  readonly curve: XdhRow
  /** What ML-KEM encapsulates to. */
  readonly ciphertextBytes: number
}

export const ML_KEM_768_X25519: MlKemRow = { algorithm: 35, curve: X25519, ciphertextBytes: 1088 }
export const ML_KEM_1024_X448: MlKemRow = { algorithm: 36, curve: X448, ciphertextBytes: 1568 }

export function mlKemCarrier(row: MlKemRow): Carrier {
  return {
    open(fields, { packet, handles }, version) {
      const [curveHandle, kemHandle] = pair(handles)
      const [curveKey] = pair(packet.publicKeys)
      const cursor = new Cursor(fields)
      const point = cursor.take(row.curve.pointBytes)
      const kemSecret = decapsulate(kemHandle, cursor.take(row.ciphertextBytes))
      const curveSecret = agree(row.curve, curveHandle, point)
      return readWrappedKey(cursor, combine(row, { kemSecret, curveSecret, point, curveKey }), version)
    },
    write({ publicKeys }, sessionKey) {
      const [curveKey, kemKey] = pair(publicKeys)
      const { point, secret: curveSecret } = agreeOneTime(row.curve, curveKey)
      const { sharedKey: kemSecret, ciphertext } = encapsulate(kemKey)
      const wrappingKey = combine(row, { kemSecret, curveSecret, point, curveKey })
      return concatBytes([point, ciphertext, writeWrappedKey(wrappingKey, sessionKey)])
    },
    canWriteTo: () => true,
  }
}

function pair([curve, kem]: readonly KeyObject[]): readonly [curve: KeyObject, kem: KeyObject] {
  return [need(curve, INCOMPLETE), need(kem, INCOMPLETE)]
}

const INCOMPLETE = 'half of a composite key'

interface Shares {
  readonly kemSecret: Uint8Array
  readonly curveSecret: Uint8Array
  /** The one-time point. */
  readonly point: Uint8Array
  /** The recipient's. */
  readonly curveKey: KeyObject
}

/** The key combiner of the draft: a wrapping key of 256 bits. */
function combine(row: MlKemRow, { kemSecret, curveSecret, point, curveKey }: Shares): Uint8Array {
  const curvePoint = curveKey.export({ format: 'raw-public' })
  const domain = [Uint8Array.of(row.algorithm), DOMAIN, Uint8Array.of(DOMAIN.length)]
  return hash('sha3-256', concatBytes([kemSecret, curveSecret, point, curvePoint, ...domain]), 'buffer')
}

const DOMAIN = utf8('OpenPGPCompositeKDFv1')
