/** DKIM keys of our domains: made, published by the postmaster, and then used. */
import { type DkimAlgorithm, isSelector } from '../../authentication/dkim-signature.ts'
import { createDnsClient } from '../../base/dns-client.ts'
import { type DkimKeyNote, makeDkimKey } from '../../keys/dkim-keys.ts'
import type { Domain } from '../../message/address.ts'
import { parseDomain } from '../../message/address.ts'
import { audit } from '../../store/audit.ts'
import { type Desk, OperationRefused } from '../desk.ts'

export interface AddDkimKeys {
  readonly domain: string
  readonly algorithms: readonly DkimAlgorithm[]
  /** Begins the names of the keys; the day when missing. */
  readonly selector?: string | undefined
}

/** One key for each algorithm; they do not sign before they are used. */
export async function addDkimKeys(desk: Desk, input: AddDkimKeys): Promise<readonly DkimKeyNote[]> {
  const domain = needOwnDomain(desk, input.domain)
  const nowMs = desk.clock.nowMs()
  const prefix = input.selector ?? new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '')
  const made = await Promise.all(input.algorithms.map(makeDkimKey))
  const selectors = made.map(({ algorithm }) => `${prefix}-${algorithm.replace('-sha256', '')}`)
  for (const selector of selectors)
    if (!isSelector(selector)) throw new OperationRefused(`"${selector}" can be no selector; take letters and digits`)
  await desk.store.commit(async (tx) => {
    for (const [index, key] of made.entries()) {
      const selector = selectors[index] as string
      if (!(await desk.dkimKeys.add(tx, domain, selector, key, nowMs)))
        throw new OperationRefused(`${domain} has a key ${selector} already; --selector takes another name`)
      await audit(tx, { nowMs, actor: desk.actor, operation: 'dkim add', subject: domain, detail: selector })
    }
  })
  return (await desk.dkimKeys.list(domain)).filter(({ selector }) => selectors.includes(selector))
}

export function listDkimKeys(desk: Desk): Promise<readonly DkimKeyNote[]> {
  return desk.dkimKeys.list()
}

/** Signs from now on, when its record is in the DNS: a signature whose key nobody finds is worse than none. */
export async function useDkimKey(
  desk: Desk,
  input: { readonly domain: string; readonly selector: string; readonly unchecked: boolean },
): Promise<DkimKeyNote> {
  const key = await needKey(desk, input)
  const wrong = input.unchecked ? undefined : await recordFault(desk, key)
  if (wrong !== undefined) throw new OperationRefused(wrong)
  return await setUsed(desk, key, true)
}

/** Signs no more. Its record stays in the DNS as long as mails with its signature are under way. */
export async function retireDkimKey(
  desk: Desk,
  input: { readonly domain: string; readonly selector: string },
): Promise<DkimKeyNote> {
  return await setUsed(desk, await needKey(desk, input), false)
}

async function setUsed(desk: Desk, key: DkimKeyNote, used: boolean): Promise<DkimKeyNote> {
  const { domain, selector } = key
  const operation = used ? 'dkim use' : 'dkim retire'
  await desk.store.commit(async (tx) => {
    await desk.dkimKeys.use(tx, domain, selector, used)
    const nowMs = desk.clock.nowMs()
    await audit(tx, { nowMs, actor: desk.actor, operation, subject: domain, detail: selector })
  })
  return { ...key, used }
}

async function recordFault({ config }: Desk, { recordName, record }: DkimKeyNote): Promise<string | undefined> {
  const { resolver } = config.dns
  const answer = await createDnsClient(resolver === null ? {} : { server: resolver })(recordName, 'TXT')
  if (answer.kind === 'trouble') return `${recordName} cannot be looked up now: ${answer.why}`
  const plain = (text: string): string => text.replaceAll(/\s/g, '').replace(/;$/, '')
  if (answer.kind === 'records' && answer.records.some((text) => plain(text) === plain(record))) return undefined
  return `The DNS does not have the record of this key yet; publish ${recordName} TXT "${record}", or say --unchecked`
}

function needOwnDomain(desk: Desk, text: string): Domain {
  const domain = parseDomain(text)
  if (domain === undefined || !desk.domains.includes(domain))
    throw new OperationRefused(`${text} is not ours; our domains are ${desk.domains.join(', ')}`)
  return domain
}

async function needKey(
  desk: Desk,
  { domain, selector }: { readonly domain: string; readonly selector: string },
): Promise<DkimKeyNote> {
  const key = (await desk.dkimKeys.list(parseDomain(domain))).find((each) => each.selector === selector)
  if (key === undefined) throw new OperationRefused(`${domain} has no key ${selector}; "sealpost dkim list" says which`)
  return key
}
