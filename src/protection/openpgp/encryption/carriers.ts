/** Which public-key algorithm carries session keys, and how, by its number (RFC 9580 §9.1). */
import { concatBytes } from '../../../base/bytes.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { PACKET, writePacket } from '../packets/packet.ts'
import type { Carrier } from './carrier.ts'
import { ecdhCarrier } from './ecdh.ts'
import { elgamalCarrier } from './elgamal.ts'
import { ML_KEM_1024_X448, ML_KEM_768_X25519, mlKemCarrier } from './ml-kem.ts'
import { writePkesk } from './pkesk.ts'
import { rsaCarrier } from './rsa.ts'
import type { SessionKey } from './session-key.ts'
import { X25519, X448, xdhCarrier } from './xdh.ts'

const CARRIERS: ReadonlyMap<number, Carrier> = new Map([
  [1, rsaCarrier],
  [2, rsaCarrier],
  [16, elgamalCarrier],
  [18, ecdhCarrier],
  [25, xdhCarrier(X25519)],
  [26, xdhCarrier(X448)],
  [ML_KEM_768_X25519.algorithm, mlKemCarrier(ML_KEM_768_X25519)],
  [ML_KEM_1024_X448.algorithm, mlKemCarrier(ML_KEM_1024_X448)],
])

export const carrierOf = (algorithm: number): Carrier | undefined => CARRIERS.get(algorithm)

/** Whether a session key can be given to this key: an algorithm and size that we write. */
export const canCarryTo = (key: KeyPacket): boolean =>
  key.publicKeys.length > 0 && carrierOf(key.algorithm)?.canWriteTo(key) === true

/** One packet for each key; the cipher of the session key decides the version. `anonymous` names nobody. */
export function writeSessionKeyPackets(
  keys: readonly KeyPacket[],
  sessionKey: SessionKey,
  { anonymous = false }: { readonly anonymous?: boolean } = {},
): Uint8Array {
  const version = sessionKey.cipher === undefined ? 6 : 3
  return concatBytes(
    keys.map((key) => {
      const carrier = carrierOf(key.algorithm)
      if (carrier === undefined || !canCarryTo(key)) throw new TypeError(`cannot encrypt to ${key.algorithmName}`)
      return writePacket(PACKET.PKESK, writePkesk(version, key, carrier.write(key, sessionKey), anonymous))
    }),
  )
}
