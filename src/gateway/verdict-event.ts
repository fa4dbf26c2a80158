/** What an inbound mail was found to be, for log, metrics and trace. */
import type { Authentication } from '../authentication/authenticate.ts'
import { briefly } from '../authentication/results.ts'
import * as mailEvents from '../base/mail-events.ts'
import type { StoredCertificate } from '../keys/public-keys.ts'
import { type Findings, unpackCertificate } from '../protection/jobs.ts'
import type { LayerReport } from '../protection/summary.ts'
import { keyFacts } from './copies-made.ts'
import type { Decided } from './settle-inbound.ts'

/** Layers that are told of; a mail may have many. */
const LAYERS_TOLD_MAX = 10

/** `known`: what 222 holds for the author. */
export function verdictEvent(
  mail: mailEvents.MailFacts,
  { address, report, decision }: Pick<Decided, 'address' | 'report' | 'decision'>,
  known: readonly StoredCertificate[],
  authentication: Authentication | undefined,
): mailEvents.MailEvent {
  const { signature, encrypted, signer, reason } = report.summary
  const key = signingKey(report, known)
  return mailEvents.verdict({
    ...mail,
    recipient: address,
    outcome: decision.action,
    rule: decision.rule,
    signature,
    encrypted,
    standard: standardOf(report.layers),
    layers: report.layers
      .slice(0, LAYERS_TOLD_MAX)
      .map(({ kind, algorithm, verdict }) => ({ kind, algorithm, verdict })),
    ...(signer !== null && { signer }),
    ...(key && { key }),
    ...(authentication && { authentication: briefly(authentication) }),
    ...(reason !== null && { why: reason }),
  })
}

function standardOf(layers: readonly LayerReport[]): string {
  const [standard = 'none', another] = new Set(layers.map((each) => each.standard))
  return another === undefined ? standard : 'both'
}

/** Of the signature that speaks for the mail, when its certificate was found. */
function signingKey(
  { signers, summary }: Findings,
  known: readonly StoredCertificate[],
): mailEvents.KeyFacts | undefined {
  const speaking = signers.find(({ verdict }) => verdict === summary.signature)
  if (speaking === undefined) return undefined
  const key = keyFacts(unpackCertificate(speaking), known)
  return summary.signature === 'valid' || key.source !== 'mail' ? key : { ...key, trust: 'candidate' }
}
