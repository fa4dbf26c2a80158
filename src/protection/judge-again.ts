/**
 * Judges the signers of an opened mail again, after what they wished for was fetched. The mail itself is not needed; a
 * layer that turns out to be revoked is the last one, as if it had been known at once.
 */
import { type JudgedSigner, believe, layerOf } from './judge-signer.ts'
import type { Pending, PendingLayer } from './pending.ts'
import type { KeyRing, ProtectionStandard, SignatureVerdict } from './standard.ts'
import { type LayerReport, NOTHING_SHOWN, type Summary, summariseAgain } from './summary.ts'

export interface JudgedAgain {
  readonly layers: readonly LayerReport[]
  readonly summary: Summary
  /** A signature failed: there is nothing to show of the mail. */
  readonly failed: boolean
  /** By certificate, in the standard's own encoding. */
  readonly verdicts: readonly { readonly encoded: Uint8Array; readonly verdict: SignatureVerdict }[]
  /** What is still open. */
  readonly pending: Pending | undefined
}

export function judgeAgain(
  standards: readonly ProtectionStandard[],
  layers: readonly LayerReport[],
  pending: Pending,
  ring: KeyRing,
  atMs: number,
): JudgedAgain {
  const judgedLayers = pending.layers.map((each) => judgeLayer(standards, each, ring, atMs))
  const judged = layers.map((layer, index) => {
    const again = judgedLayers.find((each) => each.layer === index)
    if (again === undefined) return layer
    const { why: _why, ...rest } = layer
    return { ...rest, ...layerOf(again.judged) }
  })
  const verdicts = judgedLayers.flatMap((each) =>
    each.judged.flatMap(({ finding: { certificate }, verdict }) =>
      certificate === undefined ? [] : [{ encoded: certificate.encoded, verdict }],
    ),
  )
  const end = judged.findIndex(({ verdict }) => verdict === 'revoked')
  const failed = end >= 0
  const touched = failed ? judged.slice(0, end + 1) : judged
  const open = judgedLayers.filter((each) => each.judged.some(({ wishes }) => wishes !== undefined))
  return {
    layers: touched,
    summary: summariseAgain(touched, failed ? NOTHING_SHOWN : pending.outlook),
    failed,
    verdicts,
    pending: failed || open.length === 0 ? undefined : { ...pending, layers: open },
  }
}

function judgeLayer(
  standards: readonly ProtectionStandard[],
  pending: PendingLayer,
  ring: KeyRing,
  atMs: number,
): PendingLayer {
  const standard = standards.find(({ name }) => name === pending.standard)
  const judged = pending.judged.map((each): JudgedSigner => {
    const { wishes, why: _why, ...rest } = each
    const { certificate } = each.finding
    if (standard === undefined || certificate === undefined || wishes === undefined) return each
    return { ...rest, ...believe(standard, certificate, each, ring, atMs) }
  })
  return { ...pending, judged }
}
