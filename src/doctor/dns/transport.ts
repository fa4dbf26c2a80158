/** How others are told to bring us mail over TLS: MTA-STS (RFC 8461) and DANE (RFC 7672). */
import { createHash } from 'node:crypto'
import type { Domain } from '../../message/address.ts'
import { matchChain, usableRecords } from '../../relay/dane.ts'
import { namesHost, readStsPolicy, readStsRecord } from '../../relay/mta-sts.ts'
import { type Finding, good, trouble, unanswered } from '../finding.ts'
import type { Patient } from '../patient.ts'

const POLICY_MAX_BYTES = 64 * 1024
const FETCH_TIMEOUT_MS = 10_000

export async function examineMtaSts({ ask, fetch, config }: Patient, domain: Domain): Promise<Finding> {
  const check = `MTA-STS of ${domain}`
  const answer = await ask(`_mta-sts.${domain}`, 'TXT')
  if (answer.kind === 'trouble') return unanswered(check, answer.why)
  const url = `https://mta-sts.${domain}/.well-known/mta-sts.txt`
  const policyText = `version: STSv1 / mode: testing / mx: ${config.hostname} / max_age: 604800`
  const why = 'Without it, or DANE, whoever stands in between can have mail to the domain sent without TLS.'
  const records = answer.kind === 'records' ? answer.records : []
  if (readStsRecord(records) === undefined)
    return trouble(check, 'hint', records.length === 0 ? 'there is none' : 'the record cannot be read', {
      why,
      remedy: `Put at ${url} the lines: ${policyText}; then publish: _mta-sts.${domain}. TXT "v=STSv1; id=1"`,
    })
  const request = { url, sizeMaxBytes: POLICY_MAX_BYTES, httpsOnly: true, redirectsMax: 0 }
  const fetched = await fetch(request, AbortSignal.timeout(FETCH_TIMEOUT_MS))
  const policy = fetched.ok ? readStsPolicy(fetched.value) : undefined
  if (policy === undefined)
    return trouble(check, 'broken', fetched.ok ? `${url} is no policy` : `${url} cannot be had: ${fetched.error}`, {
      why: 'The DNS says that there is a policy, and nobody can read it: it protects nothing.',
      remedy: `Put at ${url} the lines: ${policyText}`,
    })
  if (policy.mode === 'none' || namesHost(policy, config.hostname)) return good(check, `mode ${policy.mode}`)
  return trouble(check, policy.mode === 'enforce' ? 'broken' : 'warning', `does not name ${config.hostname}`, {
    why: 'Servers that obey it do not deliver to this host.',
    remedy: `Put a line "mx: ${config.hostname}" into ${url}, and change the id in _mta-sts.${domain}`,
  })
}

export async function examineTlsa(patient: Patient): Promise<Finding> {
  const { askBelieving, certificates, nowMs } = patient
  const { hostname } = patient.config
  const name = `_25._tcp.${hostname}`
  const check = `TLSA of ${hostname}`
  const answer = await askBelieving(name, 'TLSA')
  if (answer.kind === 'trouble') return unanswered(check, answer.why)
  const record = ownRecord(patient)
  if (answer.kind !== 'records') {
    const zone = answer.secure
      ? ''
      : ', in a zone that is signed (DNSSEC); this one is not, or the name server does not say'
    return trouble(check, 'hint', 'there is none', {
      why: 'With it, servers that know DANE deliver over TLS to this host only, whoever stands in between.',
      remedy: `Publish${zone}: ${name}. TLSA ${record}`,
    })
  }
  if (!answer.secure)
    return trouble(check, 'warning', 'the record is not signed (DNSSEC), or the name server does not say', {
      why: 'A record that is not signed counts for nobody.',
      remedy: `Sign the zone of ${hostname}`,
    })
  const usable = usableRecords(answer.records)
  const matched = usable.length > 0 && matchChain(certificates, usable, [hostname], nowMs).ok
  if (matched) return good(check, 'matches the certificate of the listeners')
  return trouble(check, 'broken', 'does not match the certificate of the listeners', {
    why: 'Servers that know DANE deliver no mail to this host.',
    remedy: `Publish, beside the old one until that has run out of the caches: ${name}. TLSA ${record}`,
  })
}

/** DANE-EE, key, SHA-256: what stays when the certificate is renewed with the same key. */
function ownRecord({ certificates: [own] }: Patient): string {
  if (own === undefined) return '3 1 1 (the SHA-256 of the key in the certificate)'
  const key = own.publicKey.export({ format: 'der', type: 'spki' })
  return `3 1 1 ${createHash('sha256').update(key).digest('hex')}`
}
