/** Trust anchors: the authorities whose certificates are believed. Trust is decided by this list and nothing else. */
import { fail, ok, type Result } from '../base/result.ts'
import { readCertificate } from '../protection/jobs.ts'
import type { Certificate } from '../protection/standard.ts'
import { parseCertificate } from '../protection/smime/x509/certificate.ts'
import { addAnchorRow, listAnchorRows, removeAnchorRow } from '../store/anchors.ts'
import type { Store } from '../store/database.ts'
import type { Tx } from '../store/schema.ts'
import { ChangeCache } from './change-cache.ts'

/** `own`: the authority of one of our domains; `admin`: an administrator added it. */
export type AnchorSource = 'own' | 'admin'

export interface TrustAnchor {
  readonly certificate: Certificate
  readonly source: string
  readonly addedMs: number
}

export class TrustAnchors {
  readonly #cache: ChangeCache<readonly TrustAnchor[]>
  #certificates: { readonly of: readonly TrustAnchor[]; readonly list: readonly Certificate[] } | undefined

  constructor(store: Store) {
    this.#cache = new ChangeCache({
      changes: store.changes,
      noun: 'anchors',
      entriesMax: 1,
      load: async () =>
        (await listAnchorRows(store.db)).flatMap(({ standard, encoded, source, addedMs }) => {
          const decoded = readCertificate({ standard, encoded })
          return decoded.ok ? [{ certificate: decoded.value, source, addedMs }] : []
        }),
    })
  }

  /** Oldest first. */
  list(): Promise<readonly TrustAnchor[]> {
    return this.#cache.get('')
  }

  /** The same without their history, for a KeyRing; the same array as long as nothing changes. */
  async certificates(): Promise<readonly Certificate[]> {
    const of = await this.list()
    if (this.#certificates?.of !== of) this.#certificates = { of, list: of.map(({ certificate }) => certificate) }
    return this.#certificates.list
  }

  /** Takes a CA certificate in DER. An error when it is not one; adding it twice changes nothing. */
  async add(
    tx: Tx,
    anchor: { readonly encoded: Uint8Array; readonly source: AnchorSource; readonly nowMs: number },
  ): Promise<Result<Certificate>> {
    const parsed = parseCertificate(anchor.encoded)
    if (!parsed.ok) return parsed
    const { value: certificate } = parsed
    if (!certificate.isAuthority)
      return fail(`${certificate.subject} is not a certificate authority (basicConstraints, RFC 5280 §4.2.1.9)`)
    const { standard, fingerprint, encoded } = certificate
    await addAnchorRow(tx, { standard, fingerprint, encoded, source: anchor.source, addedMs: anchor.nowMs })
    return ok(certificate)
  }

  /** False when there is none with this fingerprint. */
  remove(tx: Tx, fingerprint: string): Promise<boolean> {
    return removeAnchorRow(tx, fingerprint)
  }
}
