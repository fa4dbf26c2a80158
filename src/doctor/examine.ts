/** All checks of `sealpost doctor`, side by side; nothing is changed. */
import type { Desk } from '../admin/desk.ts'
import { createDnsClient } from '../base/dns-client.ts'
import type { Config } from '../config/load.ts'
import { createFetch } from '../keys/http-fetch.ts'
import { networkList } from '../keys/public-address.ts'
import type { Users } from '../keys/user-sources/users.ts'
import { parseDomain } from '../message/address.ts'
import { listAudit } from '../store/audit.ts'
import { examineBucket } from './bucket.ts'
import { examineDkim, examineDmarc, examineMx, examineSpf } from './dns/domain.ts'
import { addressesOf, examineHostName, examineResolver, examineReverse } from './dns/mail-host.ts'
import { examineMtaSts, examineTlsa } from './dns/transport.ts'
import { type Finding, trouble } from './finding.ts'
import { examineListeners } from './listeners.ts'
import { examineClock, examineDisk, examineFiles } from './machine.ts'
import { examineMailStore } from './mail-store.ts'
import type { Patient } from './patient.ts'
import { examineDatabase, examineDisputes, examineKeys, examineQueue, examineSources } from './stored.ts'
import { examineTls, readCertificates } from './tls.ts'

/** The store, with the users' sources; or why it cannot be opened. */
export type Opened = { readonly desk: Desk; readonly users: Users } | { readonly why: string }

export async function examine(config: Config, opened: Opened, nowMs: number): Promise<readonly Finding[]> {
  const patient = await patientOf(config, nowMs)
  const findings = await Promise.all([
    examineFiles(config),
    examineDisk(config),
    'desk' in opened ? examineStored(opened.desk, opened.users, nowMs) : cannotOpen(opened.why),
    examineListeners(config),
    examineMailStore(config),
    examineTls(patient),
    examineResolver(patient),
    examineHost(patient, opened),
  ])
  return findings.flat()
}

async function patientOf(config: Config, nowMs: number): Promise<Patient> {
  const { resolver, trustValidation } = config.dns
  const server = resolver === null ? {} : { server: resolver }
  const trust = trustValidation === 'auto' ? {} : { trustValidation: trustValidation === 'always' }
  return {
    config,
    nowMs,
    domains: config.domains.flatMap((domain) => parseDomain(domain) ?? []),
    ask: createDnsClient({ ...server, ...trust }),
    askBelieving: createDnsClient({ ...server, trustValidation: true }),
    fetch: createFetch({ allowed: networkList(config.fetch.allowNetworks), ...(resolver !== null && { resolver }) }),
    certificates: await readCertificates(config),
  }
}

async function examineHost(patient: Patient, opened: Opened): Promise<readonly Finding[]> {
  const addresses = await addressesOf(patient)
  const dkimKeys = 'desk' in opened ? await opened.desk.dkimKeys.list() : undefined
  const ofDomains = patient.domains.map((domain) =>
    Promise.all([
      examineMx(patient, domain),
      examineSpf(patient, domain, addresses),
      dkimKeys === undefined
        ? []
        : examineDkim(
            patient,
            domain,
            dkimKeys.filter((key) => key.domain === domain),
          ),
      examineDmarc(patient, domain),
      examineMtaSts(patient, domain),
    ]),
  )
  const found = await Promise.all([
    examineHostName(patient, addresses),
    examineReverse(patient, addresses),
    examineTlsa(patient),
    ...ofDomains,
  ])
  return found.flat(2)
}

async function examineStored(desk: Desk, users: Users, nowMs: number): Promise<readonly Finding[]> {
  const [newest] = await listAudit(desk.store.db, { limit: 1 })
  const { accounts } = desk.config
  const found = await Promise.all([
    examineClock(nowMs, newest?.nowMs),
    examineKeys(desk, nowMs),
    examineQueue(desk, nowMs),
    examineBucket(desk),
    accounts.file === null && accounts.ldap === null ? [] : examineSources(users, desk.domains),
    accounts.ldap === null ? [] : examineDisputes(desk),
  ])
  return [examineDatabase(desk), ...found.flat()]
}

const cannotOpen = (why: string): Finding =>
  trouble('database', 'broken', `cannot be opened: ${why}`, {
    why: 'The server does not start. What is in the database could not be looked at.',
    remedy: 'Run the command as the user of the server, and in the folder of its configuration, or with --config.',
  })
