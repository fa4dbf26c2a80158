/**
 * After a mail was opened: fetches what would tell more about its signers' certificates, and has them judged again. The
 * SMTP session waits meanwhile, so there is one budget of time for it all; the mail itself is not opened again.
 */
import { equalBytes } from '../base/bytes.ts'
import type { ValidationSource } from '../keys/validation-source.ts'
import type { Findings, JudgeReport, PackedRing } from '../protection/jobs.ts'
import type { ValidationData, ValidationWish } from '../protection/standard.ts'
import type { Reply } from '../protocol/smtp-reply.ts'
import { type ProtectionPool, judgeFor } from './protect.ts'

/** An issuer's certificate brings the next wish: for its status, or for its own issuer. */
const ROUNDS_MAX = 4

export interface JudgingDeps {
  readonly pool: ProtectionPool
  readonly validation: ValidationSource
}

/** `rings` are those that the mail was opened with, one for each report. */
export async function judgeWithData(
  { pool, validation }: JudgingDeps,
  rings: readonly PackedRing[],
  opened: readonly Findings[],
  atMs: number,
): Promise<readonly Findings[] | Reply> {
  const waiting = validation.startWaiting()
  let reports = opened
  let asked: readonly ValidationWish[] = []
  let data: ValidationData = { crls: [], ocspResponses: [], certificates: [] }
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const wishes = reports.flatMap(wishesOf).filter((wish) => !asked.some((before) => isSame(before, wish)))
    if (wishes.length === 0) break
    const more = await waiting.gather(wishes)
    asked = [...asked, ...wishes]
    if (more.crls.length + more.ocspResponses.length + more.certificates.length === 0) break
    data = {
      crls: [...data.crls, ...more.crls],
      ocspResponses: [...data.ocspResponses, ...more.ocspResponses],
      certificates: [...data.certificates, ...more.certificates],
    }
    const judged = await judgeRound(pool, rings, reports, data, atMs)
    if ('code' in judged) return judged
    reports = judged
  }
  if (asked.length > 0) validation.doubt(reports.flatMap(wishesOf))
  return reports
}

async function judgeRound(
  pool: ProtectionPool,
  rings: readonly PackedRing[],
  reports: readonly Findings[],
  fetched: ValidationData,
  atMs: number,
): Promise<readonly Findings[] | Reply> {
  const open = reports.flatMap(({ layers, pending }, index) => {
    const ring = rings[index]
    return pending === undefined || ring === undefined
      ? []
      : [{ index, mail: { ring: lean(ring, fetched), layers, pending } }]
  })
  const judged = await judgeFor(pool, { kind: 'judge', atMs, mails: open.map(({ mail }) => mail) })
  if ('code' in judged) return judged
  return reports.map((report, index) => {
    const again = judged[open.findIndex((each) => each.index === index)]
    return again === undefined ? report : merge(report, again)
  })
}

/** Nothing is decrypted any more: the private keys stay here. */
const lean = (ring: PackedRing, fetched: ValidationData): PackedRing => ({ ...ring, decryptionKeys: [], fetched })

function merge(report: Findings, { failed, verdicts, summary, layers, pending }: JudgeReport): Findings {
  const signers = report.signers.map((signer) => {
    const again = verdicts.find(({ encoded }) => equalBytes(encoded, signer.encoded))
    return again === undefined ? signer : { ...signer, verdict: again.verdict }
  })
  const judged = { ...report, summary, layers, signers, pending }
  return failed ? { ...judged, sealed: false, errant: 0, headerProtection: undefined } : judged
}

const wishesOf = ({ pending }: Findings): readonly ValidationWish[] =>
  (pending?.layers ?? []).flatMap(({ judged }) => judged.flatMap(({ wishes = [] }) => wishes))

function isSame(a: ValidationWish, b: ValidationWish): boolean {
  if (a.kind === 'issuer' || b.kind === 'issuer')
    return a.kind === 'issuer' && b.kind === 'issuer' && a.urls.join(' ') === b.urls.join(' ')
  return equalBytes(a.certificate, b.certificate) && equalBytes(a.issuer, b.issuer)
}
