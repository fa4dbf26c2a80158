/** Keys in its author's name that a mail brings along, beside those of its signatures, for whoever wants to answer. */
import { sameAddress } from '../message/address.ts'
import type { Part } from '../message/part.ts'
import type { Author } from './author.ts'
import type { BroughtCertificate, ProtectionStandard } from './standard.ts'

/** More are ignored: each of them costs signatures to verify. */
export const BROUGHT_MAX = 4

export class Brought {
  readonly certificates: BroughtCertificate[] = []
  readonly #standards: readonly ProtectionStandard[]
  readonly #author: Author

  constructor(standards: readonly ProtectionStandard[], author: Author) {
    this.#standards = standards
    this.#author = author
  }

  lookAt(part: Part): void {
    const author = this.#author
    if ('problem' in author || this.certificates.length === BROUGHT_MAX) return
    const found = this.#standards
      .flatMap((standard) => standard.certificatesIn?.(part) ?? [])
      .filter(({ certificate }) => certificate.addresses.some((each) => sameAddress(each, author.address)))
    this.certificates.push(...found.slice(0, BROUGHT_MAX - this.certificates.length))
  }

  /** Looks at whatever `look` is shown. */
  beside<T>(look: (part: Part) => T): (part: Part) => T {
    return (part) => {
      this.lookAt(part)
      return look(part)
    }
  }
}
