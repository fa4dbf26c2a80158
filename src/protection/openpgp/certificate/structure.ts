/** The packets of a transferable public key (RFC 9580 §10.1), put together: each signature with what it is about. */
import { hash } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../packets/packet.ts'

/** A packet and the bodies of the signatures behind it, in their order. */
export interface Signed {
  readonly type: number
  readonly body: Uint8Array
  readonly signatures: readonly Uint8Array[]
}

export interface CertificateStructure {
  readonly primary: Signed
  /** User ids and user attributes. */
  readonly users: readonly Signed[]
  readonly subkeys: readonly Signed[]
}

export const USER_IDS_MAX = 100
export const SUBKEYS_MAX = 100
/**
 * Key servers carry keys on which strangers have put tens of thousands of signatures. Up to this size all are kept: one that is
 * left out could be the revocation. What is checked of them is limited where that is done.
 */
export const CERTIFICATE_SIZE_MAX_BYTES = 4 * 2 ** 20

/** Reads one certificate; what is over the limits is left out in the order it came. Throws Malformed. */
export function readStructure(encoded: Uint8Array): CertificateStructure {
  if (encoded.length > CERTIFICATE_SIZE_MAX_BYTES) throw new Malformed('the certificate is too large')
  const [structure, ...more] = groupPackets(readPackets(encoded))
  if (structure === undefined) throw new Malformed('no public key')
  if (more.length > 0) throw new Malformed('several keys where one belongs')
  return structure
}

/** Every certificate of a sequence of packets; what stands in front of the first key is passed over. */
export function groupPackets(packets: readonly Packet[]): readonly CertificateStructure[] {
  const found: Building[] = []
  for (const { type, body } of packets) {
    const current = found.at(-1)
    if (type === PACKET.PUBLIC_KEY) found.push(new Building(body))
    else if (current !== undefined) current.add(type, body)
  }
  return found
}

class Building implements CertificateStructure {
  readonly primary: Signed
  readonly users: Signed[] = []
  readonly subkeys: Signed[] = []
  /** Where the next signature belongs; `undefined` behind something that is not ours. */
  #signatures: Uint8Array[] | undefined
  readonly #known = new Map<string, Uint8Array[]>()

  constructor(body: Uint8Array) {
    this.#signatures = []
    this.primary = { type: PACKET.PUBLIC_KEY, body, signatures: this.#signatures }
  }

  add(type: number, body: Uint8Array): void {
    switch (type) {
      case PACKET.SIGNATURE:
        this.#signatures?.push(body)
        break
      case PACKET.USER_ID:
      case PACKET.USER_ATTRIBUTE:
        this.#begin(this.users, USER_IDS_MAX, type, body)
        break
      case PACKET.PUBLIC_SUBKEY:
        this.#begin(this.subkeys, SUBKEYS_MAX, type, body)
        break
      case PACKET.TRUST: // what another program noted for itself
      case PACKET.MARKER:
      case PACKET.PADDING:
        break
      default:
        this.#signatures = undefined
    }
  }

  /** What stands there twice, as after a careless merge, is one thing: else a revocation would count for one of the two only. */
  #begin(list: Signed[], max: number, type: number, body: Uint8Array): void {
    const name = `${type} ${hash('sha256', body)}`
    const known = this.#known.get(name)
    const signatures = known ?? []
    this.#signatures = known === undefined && list.length >= max ? undefined : signatures
    if (known !== undefined || list.length >= max) return
    this.#known.set(name, signatures)
    list.push({ type, body, signatures })
  }
}

/** The packets in the order of RFC 9580 §10.1. */
export function writeStructure({ primary, users, subkeys }: CertificateStructure): Uint8Array {
  return concatBytes(
    [primary, ...users, ...subkeys].flatMap(({ type, body, signatures }) => [
      writePacket(type, body),
      ...signatures.map((signature) => writePacket(PACKET.SIGNATURE, signature)),
    ]),
  )
}
