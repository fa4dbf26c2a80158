/** The report about one domain and day (RFC 8460 §4.4), and the mail that takes it there (§5.3). Pure. */
import { gzipSync } from 'node:zlib'
import { concatBytes, utf8 } from '../../base/bytes.ts'
import { entity, multipart } from '../../message/build.ts'
import { encodeBase64Lines } from '../../message/encode.ts'
import { formatDate } from '../../message/date.ts'
import { makeField } from '../../message/header-field.ts'
import type { TlsResultRow } from '../../store/tls-results.ts'
import type { TlsPolicyApplied } from './result.ts'

export interface ReportFacts {
  /** Of the policy. */
  readonly domain: string
  /** UTC, `2026-11-23`. */
  readonly day: string
  readonly rows: readonly TlsResultRow[]
  /** Lines of the MTA-STS policy, and the hosts that it names. */
  readonly sts?: { readonly strings: readonly string[]; readonly mx: readonly string[] }
  /** Who reports. */
  readonly organization: string
  readonly contact: string
  readonly reportId: string
}

/** Rows of one policy are one entry; its sessions are summed up, its failures listed. */
export function tlsReport({ domain, day, rows, sts, organization, contact, reportId }: ReportFacts): object {
  return {
    'organization-name': organization,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': contact,
    'report-id': reportId,
    policies: [...Map.groupBy(rows, ({ policy }) => policy)].map(([policy, own]) => {
      const { type, strings } = JSON.parse(policy) as TlsPolicyApplied
      const lines = type === 'sts' ? sts?.strings : strings
      const failures = own.filter(({ result }) => result !== 'success')
      const sum = (some: readonly TlsResultRow[]): number => some.reduce((total, { count }) => total + count, 0)
      return {
        policy: {
          'policy-type': type,
          ...(lines !== undefined && { 'policy-string': lines }),
          'policy-domain': domain,
          ...(type === 'sts' && sts !== undefined && { 'mx-host': sts.mx }),
        },
        summary: {
          'total-successful-session-count': sum(own) - sum(failures),
          'total-failure-session-count': sum(failures),
        },
        'failure-details': failures.map(({ result, host, address, sendingAddress, count }) => ({
          'result-type': result,
          ...(sendingAddress !== '' && { 'sending-mta-ip': sendingAddress }),
          'receiving-mx-hostname': host,
          ...(address !== '' && { 'receiving-ip': address }),
          'failed-session-count': count,
        })),
      }
    }),
  }
}

export const packReport = (report: object): Uint8Array => gzipSync(utf8(JSON.stringify(report)))

export interface ReportMail {
  readonly facts: Pick<ReportFacts, 'domain' | 'day' | 'reportId'>
  readonly packed: Uint8Array
  /** Domain that signs it. */
  readonly submitter: string
  readonly from: string
  readonly to: string
  readonly nowMs: number
  readonly messageId: string
  readonly boundary: string
}

export function reportMail({ facts, packed, submitter, from, to, nowMs, messageId, boundary }: ReportMail): Uint8Array {
  const { domain, day, reportId } = facts
  const startS = Date.parse(`${day}T00:00:00Z`) / 1000
  const name = `${submitter}!${domain}!${startS}!${startS + 86_399}.json.gz`
  const fields = [
    makeField('Date', formatDate(nowMs)),
    makeField('From', from),
    makeField('To', to),
    makeField('Subject', `Report Domain: ${domain} Submitter: ${submitter} Report-ID: <${reportId}>`),
    makeField('Message-ID', messageId),
    makeField('TLS-Report-Domain', domain),
    makeField('TLS-Report-Submitter', submitter),
    makeField('Auto-Submitted', 'auto-generated'),
    makeField('MIME-Version', '1.0'),
    makeField('Content-Type', `multipart/report; report-type="tlsrpt"; boundary="${boundary}"`),
  ]
  const text = entity(
    [makeField('Content-Type', 'text/plain; charset=us-ascii')],
    [utf8(`What came of TLS with the mail hosts of ${domain} on ${day} (RFC 8460).\r\n`)],
  )
  const attached = entity(
    [
      makeField('Content-Type', 'application/tlsrpt+gzip'),
      makeField('Content-Transfer-Encoding', 'base64'),
      makeField('Content-Disposition', `attachment; filename="${name}"`),
    ],
    [encodeBase64Lines(packed)],
  )
  return concatBytes(entity(fields, multipart(boundary, [text, attached])))
}
