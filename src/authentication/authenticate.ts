/** SPF, DKIM, ARC and DMARC of one message as it came in: whether the domains that it names have sent it. */
import type { DnsAsk } from '../base/dns-client.ts'
import { type Domain, domainOf } from '../message/address.ts'
import { fieldBody, isField } from '../message/header-field.ts'
import { parseMailboxList } from '../message/mailbox-list.ts'
import type { HeaderField } from '../message/part.ts'
import { type ArcChain, type ArcResult, arcBody, readArc, verifyArc } from './arc.ts'
import { BodyHashes } from './body-hash.ts'
import type { BadSignature, DkimSignature } from './dkim-signature.ts'
import { type DkimResult, readSignatures, verifyDkim } from './dkim-verify.ts'
import { type DmarcResult, checkDmarc } from './dmarc.ts'
import { type SpfQuery, type SpfResult, checkSpf } from './spf.ts'

export interface Authentication {
  readonly spf: SpfResult
  /** One for each signature that was looked at. */
  readonly dkim: readonly DkimResult[]
  readonly arc: ArcResult
  readonly dmarc: DmarcResult
}

/** A header that has been read; its body goes into `bodies` before the end. */
export interface Begun {
  readonly fields: readonly HeaderField[]
  readonly signatures: readonly (DkimSignature | BadSignature)[]
  readonly chain: ArcChain | ArcResult
  readonly bodies: BodyHashes
  /** Whether a signature asks for the body at all. */
  readonly needsBody: boolean
}

export function beginAuthentication(fields: readonly HeaderField[]): Begun {
  const signatures = readSignatures(fields)
  const chain = readArc(fields)
  const asked = signatures.flatMap((signature) => ('problem' in signature ? [] : [signature]))
  const bodiesAsked = [...asked, ...arcBody(chain)]
  return { fields, signatures, chain, bodies: new BodyHashes(bodiesAsked), needsBody: bodiesAsked.length > 0 }
}

/** After the end of the body. Questions to the name server go out side by side, and are bounded in number for any mail. */
export async function finishAuthentication(
  { fields, signatures, chain, bodies }: Begun,
  client: SpfQuery,
  { ask, nowMs }: { readonly ask: DnsAsk; readonly nowMs: number },
): Promise<Authentication> {
  const [spf, arc, dkim] = await Promise.all([
    checkSpf(client, ask),
    verifyArc(fields, chain, bodies, ask),
    Promise.all(signatures.map((signature) => verifyDkim(fields, signature, bodies, { ask, nowMs }))),
  ])
  const vouched = {
    spf: spf.result === 'pass' ? spf.domain : undefined,
    dkim: dkim.flatMap(({ result, domain }) => (result === 'pass' && domain !== undefined ? [domain] : [])),
    undecided: spf.result === 'temperror' || dkim.some(({ result }) => result === 'temperror'),
  }
  return { spf, dkim, arc, dmarc: await checkDmarc(authorDomains(fields), vouched, ask) }
}

/** Of every From field; none when one of them cannot be read, for whoever reads it otherwise would see somebody else. */
export function authorDomains(fields: readonly HeaderField[]): readonly Domain[] {
  const lists = fields.filter((field) => isField(field, 'From')).map((field) => parseMailboxList(fieldBody(field)))
  return lists.every((list) => list.ok)
    ? lists.flatMap((list) => list.value.map(({ address }) => domainOf(address)))
    : []
}
