/** The checksum of armor (RFC 9580 §6.1.1). It proves nothing; it is written for programs that cannot read armor without it. */

const INITIAL = 0xb704ce
const GENERATOR = 0x1864cfb

/** Octets that are taken at once; each has a table of its own, so that they need not wait for each other. */
const STRIDE = 6

/** What each value of an octet adds when so many octets follow it within a stride. */
const TABLES = new Uint32Array(STRIDE * 256)
for (let octet = 0; octet < 256; octet++) {
  let crc = octet << 16
  for (let following = 0; following < STRIDE; following++) {
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : GENERATOR)
    crc &= 0xffffff
    TABLES[following * 256 + octet] = crc
  }
}

const added = (following: number, octet: number): number => TABLES[following * 256 + octet] as number

export class Crc24 {
  #crc = INITIAL

  update(bytes: Uint8Array): void {
    const octet = (at: number): number => bytes[at] as number
    let crc = this.#crc
    let at = 0
    for (; at + STRIDE <= bytes.length; at += STRIDE) {
      const first = crc ^ ((octet(at) << 16) | (octet(at + 1) << 8) | octet(at + 2))
      crc =
        added(5, first >>> 16) ^
        added(4, (first >>> 8) & 0xff) ^
        added(3, first & 0xff) ^
        added(2, octet(at + 3)) ^
        added(1, octet(at + 4)) ^
        added(0, octet(at + 5))
    }
    for (; at < bytes.length; at++) crc = ((crc << 8) & 0xffffff) ^ added(0, (crc >>> 16) ^ octet(at))
    this.#crc = crc
  }

  /** Three octets. */
  digest(): Uint8Array {
    return Uint8Array.of(this.#crc >>> 16, (this.#crc >>> 8) & 0xff, this.#crc & 0xff)
  }
}
