/** What a source of OpenPGP keys has answered: armored or not, one certificate or several, whatever its label says. */
import { type Address, sameAddress } from '../message/address.ts'
import { unarmored } from '../protection/openpgp/armor.ts'
import { certificatesForAddress } from '../protection/openpgp/certificate/one-address.ts'
import { readOpenpgpCertificate } from '../protection/openpgp/certificate/read.ts'
import { attempt } from '../protection/malformed.ts'
import type { Certificate } from '../protection/standard.ts'

/** Those whose own key says that the address is theirs, without what they say of other addresses. */
export function readFound(bytes: Uint8Array, address: Address): readonly Certificate[] {
  if (bytes.length === 0) return []
  const packets = attempt(() => unarmored(bytes))
  const blocks = packets.ok ? certificatesForAddress(packets.value, address) : packets
  if (!blocks.ok) return []
  return blocks.value.flatMap((encoded) => {
    const read = readOpenpgpCertificate(encoded)
    return read.ok && read.value.addresses.some((each) => sameAddress(each, address)) ? [read.value] : []
  })
}
