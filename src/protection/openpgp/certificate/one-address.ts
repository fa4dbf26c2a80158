/**
 * Certificates cut down to one address: what is handed out for it, and what is kept of what others hand out. Other User
 * IDs, photographs and what belongs to them are nobody's business who asked for this one.
 */
import { concatBytes } from '../../../base/bytes.ts'
import { type Result } from '../../../base/result.ts'
import { type Address, sameAddress } from '../../../message/address.ts'
import { attempt } from '../../malformed.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../packets/packet.ts'
import { userIdAddress } from './user-id.ts'

/** Of one file or answer; what comes behind is left. */
const CERTIFICATES_MAX = 32

/**
 * The transferable public keys (RFC 9580 §10.1) among the packets that have a User ID with this address, each with that
 * alone: primary key, this User ID and the subkeys, with their signatures. Nothing is verified.
 */
export function certificatesForAddress(packets: Uint8Array, address: Address): Result<readonly Uint8Array[]> {
  return attempt(() =>
    groupsOf(readPackets(packets))
      .slice(0, CERTIFICATES_MAX)
      .flatMap((certificate) => cutDown(certificate, address)),
  )
}

/** Each public key begins a group; what belongs to a private key, or to nothing, is left out. */
function groupsOf(packets: readonly Packet[]): Packet[][] {
  const groups: Packet[][] = []
  let group: Packet[] | undefined
  for (const packet of packets) {
    if (packet.type === PACKET.PUBLIC_KEY) groups.push((group = []))
    else if (packet.type === PACKET.SECRET_KEY) group = undefined
    group?.push(packet)
  }
  return groups
}

function cutDown(certificate: readonly Packet[], address: Address): Uint8Array[] {
  let hasAddress = false
  /** Whether the component is kept to which a signature belongs: the one before it. */
  let keeps = true
  const kept = certificate.filter(({ type, body }) => {
    if (type === PACKET.SIGNATURE) return keeps
    keeps = type === PACKET.PUBLIC_KEY || type === PACKET.PUBLIC_SUBKEY
    if (type !== PACKET.USER_ID) return keeps
    const named = userIdAddress(body)
    keeps = named !== undefined && sameAddress(named, address)
    hasAddress ||= keeps
    return keeps
  })
  return hasAddress ? [concatBytes(kept.map(({ type, body }) => writePacket(type, body)))] : []
}
