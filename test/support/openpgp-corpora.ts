/** OpenPGP keys and certificates out of other people's files, whatever form they have there. */
import { concatBytes } from '../../src/base/bytes.ts'
import { unarmored } from '../../src/protection/openpgp/armor.ts'
import type { OpenpgpCertificate } from '../../src/protection/openpgp/certificate/certificate.ts'
import { readOpenpgpCertificate } from '../../src/protection/openpgp/certificate/read.ts'
import { readPublicPart } from '../../src/protection/openpgp/keys/key-packet.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../../src/protection/openpgp/packets/packet.ts'

/** All certificates of a file; of secret keys the public part. Throws Malformed when it cannot be read at all. */
export function certificatesIn(file: Uint8Array): readonly OpenpgpCertificate[] {
  const packets = readPackets(unarmored(file)).map(publicPacket)
  const starts = packets.flatMap(({ type }, at) => (type === PACKET.PUBLIC_KEY ? [at] : []))
  return starts.flatMap((start, i) => {
    const own = packets.slice(start, starts[i + 1])
    const read = readOpenpgpCertificate(concatBytes(own.map(({ type, body }) => writePacket(type, body))))
    return read.ok ? [read.value] : []
  })
}

const PUBLIC: Readonly<Record<number, number>> = {
  [PACKET.SECRET_KEY]: PACKET.PUBLIC_KEY,
  [PACKET.SECRET_SUBKEY]: PACKET.PUBLIC_SUBKEY,
}

function publicPacket(packet: Packet): Packet {
  const type = PUBLIC[packet.type]
  return type === undefined ? packet : { type, body: readPublicPart(packet.body).packet.body }
}
