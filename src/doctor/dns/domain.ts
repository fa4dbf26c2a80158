/** What the DNS says of a domain of ours to those who send mail to it, or get mail from it. */
import { checkDmarc } from '../../authentication/dmarc.ts'
import { checkSpf } from '../../authentication/spf.ts'
import type { DkimKeyNote } from '../../keys/dkim-keys.ts'
import type { Domain } from '../../message/address.ts'
import { type Finding, good, trouble, unanswered } from '../finding.ts'
import type { Patient } from '../patient.ts'

export async function examineMx({ ask, config: { hostname } }: Patient, domain: Domain): Promise<Finding> {
  const check = `MX of ${domain}`
  const answer = await ask(domain, 'MX')
  if (answer.kind === 'trouble') return unanswered(check, answer.why)
  const remedy = `Publish: ${domain}. MX 10 ${hostname}.`
  if (answer.kind !== 'records')
    return trouble(check, 'broken', answer.kind === 'none' ? 'there is none' : 'the domain does not exist', {
      why: 'Nobody knows where to bring mail for the domain.',
      remedy,
    })
  const hosts = answer.records.toSorted((a, b) => a.preference - b.preference).map(({ exchange }) => exchange)
  if (hosts.includes(hostname)) return good(check, hosts.join(', '))
  if (hosts.includes(''))
    return trouble(check, 'broken', 'says that the domain takes no mail (RFC 7505)', {
      why: 'Other servers return mail for it at once.',
      remedy,
    })
  return trouble(check, 'warning', `names ${hosts.join(', ')}, not ${hostname}`, {
    why: 'Mail comes to others first: right when they pass it on to us, wrong when they keep it.',
    remedy: `${remedy} Or set "hostname" to the name under which the others know this server.`,
  })
}

/** As those see it who get mail from us. */
export async function examineSpf(patient: Patient, domain: Domain, addresses: readonly string[]): Promise<Finding> {
  const { ask, config } = patient
  const check = `SPF of ${domain}`
  if (config.relay.routes['*'] !== undefined)
    return good(check, 'not looked at: mail leaves through another host (relay.routes), which the record must name')
  if (addresses.length === 0)
    return trouble(check, 'warning', `cannot be judged: ${config.hostname} has no address`, {
      why: 'The record says which addresses may send for the domain.',
      remedy: `Publish an address of ${config.hostname} first.`,
    })
  const record = `${domain}. TXT "v=spf1 a:${config.hostname} -all"`
  const query = { mailFrom: `postmaster@${domain}`, helo: config.hostname }
  const results = await Promise.all(addresses.map(async (ip) => ({ ip, ...(await checkSpf({ ...query, ip }, ask)) })))
  const wrong = results.find(({ result }) => result !== 'pass')
  if (wrong === undefined) return good(check, `lets ${addresses.join(', ')} send`)
  switch (wrong.result) {
    case 'temperror':
      return unanswered(check, 'the name server does not answer')
    case 'none':
      return trouble(check, 'warning', 'there is none', {
        why: 'Anybody can send in the name of the domain, and large providers take less mail from it.',
        remedy: `Publish: ${record}`,
      })
    case 'permerror':
      return trouble(check, 'broken', 'the record cannot be evaluated: wrong, several of them, or too many look-ups', {
        why: 'It counts as none at best; with DMARC the mail is refused.',
        remedy: `Publish one record: ${record}`,
      })
    case 'fail':
      return trouble(check, 'broken', `says that ${wrong.ip} must not send`, {
        why: 'Mail of our users is refused by whoever looks.',
        remedy: `Add a:${config.hostname} to the record, in front of "all"`,
      })
    case 'softfail':
    case 'neutral':
    case 'pass':
      return trouble(check, 'warning', `does not vouch for ${wrong.ip} (${wrong.result})`, {
        why: 'Mail of our users ends up among the spam more often.',
        remedy: `Add a:${config.hostname} to the record, in front of "all"`,
      })
  }
}

export async function examineDkim(
  { ask }: Patient,
  domain: Domain,
  keys: readonly DkimKeyNote[],
): Promise<readonly Finding[]> {
  const used = keys.filter((key) => key.used)
  const [waiting] = keys
  if (used.length === 0)
    return [
      trouble(`DKIM of ${domain}`, 'warning', 'no key is in use', {
        why: 'Mail of the domain is not signed by it: with DMARC, SPF alone has to vouch, and it does not survive forwarding.',
        remedy:
          waiting === undefined
            ? `sealpost dkim add ${domain}; publish what it says; then sealpost dkim use`
            : `Publish: ${waiting.recordName}. TXT "${waiting.record}"; then: sealpost dkim use ${domain} ${waiting.selector}`,
      }),
    ]
  return await Promise.all(
    used.map(async ({ recordName, record, selector }) => {
      const check = `DKIM ${selector} of ${domain}`
      const answer = await ask(recordName, 'TXT')
      if (answer.kind === 'trouble') return unanswered(check, answer.why)
      if (answer.kind === 'records' && answer.records.some((each) => plain(each) === plain(record)))
        return good(check, 'the record is that of our key')
      const finding = answer.kind === 'records' ? 'the record is not that of our key' : 'there is no record'
      return trouble(check, 'broken', finding, {
        why: 'The signature of every mail that leaves is invalid to those who look: worse than none.',
        remedy: `Publish: ${recordName}. TXT "${record}"`,
      })
    }),
  )
}

const plain = (record: string): string => record.replaceAll(/\s/g, '').replace(/;$/, '')

export async function examineDmarc({ ask }: Patient, domain: Domain): Promise<Finding> {
  const check = `DMARC of ${domain}`
  // vouched for by nobody: what is found is the policy
  const { result, policy } = await checkDmarc([domain], { spf: undefined, dkim: [], undecided: false }, ask)
  if (result === 'temperror') return unanswered(check, 'the name server does not answer')
  const record = `_dmarc.${domain}. TXT "v=DMARC1; p=reject; rua=mailto:postmaster@${domain}"`
  if (result === 'none' || policy === undefined)
    return trouble(check, 'warning', result === 'none' ? 'there is none' : 'the record cannot be read', {
      why: 'Nobody is told what to do with mail that only pretends to be from the domain; large providers ask for a record.',
      remedy: `Publish: ${record}`,
    })
  if (policy !== 'none') return good(check, `asks to ${policy} what is not vouched for`)
  return trouble(check, 'hint', 'only watches (p=none)', {
    why: 'Mail that only pretends to be from the domain is delivered.',
    remedy: `When the reports show that all of your mail passes: ${record}`,
  })
}
