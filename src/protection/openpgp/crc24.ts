/** The checksum of armor (RFC 9580 §6.1.1). It proves nothing; it is written for programs that cannot read armor without it. */

const INITIAL = 0xb704ce
const GENERATOR = 0x1864cfb

/** What each value of an octet adds. */
const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet << 16
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : GENERATOR)
  return crc & 0xffffff
})

export class Crc24 {
  #crc = INITIAL

  update(bytes: Uint8Array): void {
    let crc = this.#crc
    for (let at = 0; at < bytes.length; at++)
      crc = ((crc << 8) & 0xffffff) ^ (TABLE[(crc >>> 16) ^ (bytes[at] as number)] as number)
    this.#crc = crc
  }

  /** Three octets. */
  digest(): Uint8Array {
    return Uint8Array.of(this.#crc >>> 16, (this.#crc >>> 8) & 0xff, this.#crc & 0xff)
  }
}
