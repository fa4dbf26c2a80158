/** Judgements that could be better if more were known: what is needed to make them again without opening the mail again. */
import type { JudgedSigner } from './judge-signer.ts'
import type { Certificate, SignerFinding, StandardName } from './standard.ts'
import type { Outlook } from './summary.ts'

/** All signers of one signed layer, of which one at least has wishes. */
export interface PendingLayer {
  /** Index among the layers of the mail. */
  readonly layer: number
  readonly standard: StandardName
  readonly judged: readonly JudgedSigner[]
}

export interface Pending {
  readonly layers: readonly PendingLayer[]
  readonly outlook: Outlook
}

interface PackedCertificate {
  readonly standard: StandardName
  readonly encoded: Uint8Array
}

/** The same as plain data, for another thread. */
export interface PackedPending extends Omit<Pending, 'layers'> {
  readonly layers: readonly (Omit<PendingLayer, 'judged'> & { readonly judged: readonly PackedJudged[] })[]
}

type PackedJudged = Omit<JudgedSigner, 'finding'> & { readonly finding: PackedFinding }

type PackedFinding = Omit<SignerFinding, 'certificate' | 'carried'> & {
  readonly certificate?: PackedCertificate
  readonly carried: readonly PackedCertificate[]
}

/** Copies what lies in the memory of the whole mail: that would travel along. */
export function packPending({ layers, outlook }: Pending): PackedPending {
  const pack = ({ standard, encoded }: Certificate): PackedCertificate => ({ standard, encoded })
  return { layers: layers.map((each) => ({ ...each, judged: each.judged.map((one) => repack(one, pack)) })), outlook }
}

export function unpackPending(
  { layers, outlook }: PackedPending,
  unpack: (packed: PackedCertificate) => Certificate,
): Pending {
  return {
    layers: layers.map((each) => ({ ...each, judged: each.judged.map((one) => repack(one, unpack)) })),
    outlook,
  }
}

type WithCertificates<C> = Omit<JudgedSigner, 'finding'> & {
  readonly finding: Omit<SignerFinding, 'certificate' | 'carried'> & {
    readonly certificate?: C
    readonly carried: readonly C[]
  }
}

function repack<A, B>(judged: WithCertificates<A>, change: (certificate: A) => B): WithCertificates<B> {
  const { certificate, carried, carriedCrls = [], carriedOcspResponses = [], ...rest } = judged.finding
  const changed = {
    ...rest,
    carried: carried.map(change),
    carriedCrls: carriedCrls.map((each) => Uint8Array.from(each)),
    carriedOcspResponses: carriedOcspResponses.map((each) => Uint8Array.from(each)),
  }
  return { ...judged, finding: certificate === undefined ? changed : { ...changed, certificate: change(certificate) } }
}
