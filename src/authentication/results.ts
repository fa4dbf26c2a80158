/** The words of Authentication-Results for SPF, DKIM, ARC and DMARC (RFC 8601 §2.7, RFC 8617). */
import type { Authentication } from './authenticate.ts'
import type { DkimResult } from './dkim-verify.ts'
import type { DmarcPolicy } from './dmarc.ts'

/** One `method=result …` each. What comes from outside stands there only when it cannot be taken for more than a value. */
export function authenticationWords({ spf, dkim, arc, dmarc }: Authentication): readonly string[] {
  const from = dmarc.domain === undefined ? '' : property('header.from', dmarc.domain)
  const policy = dmarc.policy === undefined ? '' : ` (p=${dmarc.policy})`
  return [
    `spf=${spf.result}${property(spf.identity === 'helo' ? 'smtp.helo' : 'smtp.mailfrom', spf.domain)}`,
    ...(dkim.length === 0 ? ['dkim=none'] : dkim.map(dkimWords)),
    ...(arc.result === 'none' ? [] : [`arc=${arc.result}${reason(arc.why)}`]),
    `dmarc=${dmarc.result}${policy}${from}`,
  ]
}

/** For the log and the trace. */
export const briefly = ({ spf, dkim, arc, dmarc }: Authentication): string =>
  [
    `spf=${spf.result}`,
    `dkim=${dkim.map(({ result }) => result).join(',') || 'none'}`,
    ...(arc.result === 'none' ? [] : [`arc=${arc.result}`]),
    `dmarc=${dmarc.result}`,
  ].join(' ')

const dkimWords = ({ result, why, domain, selector, algorithm }: DkimResult): string =>
  `dkim=${result}${reason(why)}` +
  [
    ['header.d', domain],
    ['header.s', selector],
    ['header.a', algorithm],
  ]
    .map(([name = '', value]) => (value === undefined ? '' : property(name, value)))
    .join('')

const SAFE_VALUE = /^[A-Za-z0-9._-]{1,253}$/

const property = (name: string, value: string): string => (SAFE_VALUE.test(value) ? ` ${name}=${value}` : '')

const reason = (why: string | undefined): string =>
  why === undefined ? '' : ` reason="${why.replaceAll(/[^ -~]|["\\]/g, '?')}"`

/**
 * What the author's domain asks for with mail like this, when nothing vouches for it: neither SPF nor DKIM, nor a chain of
 * intermediaries that we all trust, the first of which still had it vouched for.
 */
export function unvouchedPolicy(
  { dmarc, arc }: Authentication,
  trustedSealers: readonly string[],
): DmarcPolicy | undefined {
  if (dmarc.result !== 'fail') return undefined
  const isForwarded =
    arc.result === 'pass' &&
    arc.sealers.every((sealer) => trustedSealers.includes(sealer)) &&
    /(?:^|;)\s*dmarc\s*=\s*pass\b/i.test(arc.firstResults ?? '')
  return isForwarded ? undefined : dmarc.policy
}
