/** The certificate of the listeners: does it name us, how long yet, and who vouches for it? */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import type { Config } from '../config/load.ts'
import type { Domain } from '../message/address.ts'
import { type Finding, good, trouble } from './finding.ts'
import type { Patient } from './patient.ts'

const DAY_MS = 24 * 60 * 60_000
/** Renewed by then, where certificates are renewed at all. */
const RENEWED_BEFORE_DAYS = 14
const CHAIN_MAX = 10
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** In the order of the file; none when it cannot be read. */
export async function readCertificates({ tls }: Config): Promise<readonly X509Certificate[]> {
  try {
    const blocks = (await readFile(tls.certificate, 'utf8')).match(PEM) ?? []
    return blocks.slice(0, CHAIN_MAX).map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}

export async function examineTls(patient: Patient): Promise<readonly Finding[]> {
  const { config, domains, certificates, nowMs } = patient
  const [own] = certificates
  if (own === undefined || !(await isPair(own, config.tls.key)))
    return [
      trouble(
        'TLS certificate',
        'broken',
        `${config.tls.certificate} and ${config.tls.key} are no pair, or not there`,
        {
          why: 'The server does not start.',
          remedy: 'Set "tls.certificate" and "tls.key" to the certificate and its own private key, in PEM.',
        },
      ),
    ]
  return [examineNames(own, config, domains), examineEnd(own, nowMs), examineChain(certificates, nowMs)]
}

async function isPair(certificate: X509Certificate, keyFile: string): Promise<boolean> {
  try {
    return certificate.checkPrivateKey(createPrivateKey(await readFile(keyFile, 'utf8')))
  } catch {
    return false
  }
}

function examineNames(own: X509Certificate, { hostname, listeners }: Config, domains: readonly Domain[]): Finding {
  const check = 'TLS certificate: names'
  const wanted = [hostname, ...(listeners.https === null ? [] : domains.map((domain) => `openpgpkey.${domain}`))]
  const missing = wanted.filter((name) => own.checkHost(name) === undefined)
  if (missing.length === 0) return good(check, wanted.join(', '))
  return trouble(check, missing.includes(hostname) ? 'broken' : 'warning', `does not name ${missing.join(', ')}`, {
    why: "Users' programs warn or refuse; servers that obey MTA-STS do not deliver; keys are not found.",
    remedy: `certbot certonly --standalone ${wanted.map((name) => `-d ${name}`).join(' ')}`,
  })
}

function examineEnd(own: X509Certificate, nowMs: number): Finding {
  const check = 'TLS certificate: end'
  const leftDays = Math.floor((own.validToDate.getTime() - nowMs) / DAY_MS)
  const day = own.validToDate.toISOString().slice(0, 10)
  const how = {
    why: 'From then on programs and servers that verify do not come in.',
    remedy: 'certbot renew; then: systemctl reload sealpost',
  }
  if (own.validFromDate.getTime() > nowMs)
    return trouble(check, 'broken', `counts from ${own.validFromDate.toISOString()} only; is the clock right?`, how)
  if (leftDays < 0) return trouble(check, 'broken', `expired on ${day}`, how)
  if (leftDays < RENEWED_BEFORE_DAYS) return trouble(check, 'warning', `ends on ${day}, in ${leftDays} days`, how)
  return good(check, `${day}, in ${leftDays} days`)
}

function examineChain(certificates: readonly X509Certificate[], nowMs: number): Finding {
  const check = 'TLS certificate: chain'
  const why = "Users' programs warn or refuse, and servers that obey MTA-STS do not deliver."
  if (leadsToKnown(certificates, nowMs)) return good(check, 'leads to an authority that programs know')
  const [own] = certificates
  // a server's own certificate is no authority, so that checkIssued says no
  if (own !== undefined && own.subject === own.issuer && own.verify(own.publicKey))
    return trouble(check, 'warning', 'the certificate has signed itself', {
      why,
      remedy: 'Get one from an authority, such as: certbot certonly --standalone; DANE alone does with this one.',
    })
  return trouble(check, 'warning', 'does not lead to an authority that programs know', {
    why,
    remedy: 'Put the certificates in between into the file, behind the own one (fullchain.pem, not cert.pem).',
  })
}

/** From the first upwards, through the others, to one that Node knows as an authority. */
export function leadsToKnown(certificates: readonly X509Certificate[], nowMs: number): boolean {
  let [at] = certificates
  for (let depth = 0; at !== undefined && depth < CHAIN_MAX; depth++) {
    const below: X509Certificate = at
    if (isPublicRoot(below, nowMs)) return true
    at = certificates.find((each) => each !== below && isIssuedBy(below, each))
  }
  return false
}

let roots: readonly X509Certificate[] | undefined

/** One of Node's own, or issued by one. */
function isPublicRoot(certificate: X509Certificate, nowMs: number): boolean {
  roots ??= rootCertificates.map((pem) => new X509Certificate(pem))
  return roots.some(
    (root) =>
      root.fingerprint256 === certificate.fingerprint256 ||
      (root.validToDate.getTime() > nowMs && isIssuedBy(certificate, root)),
  )
}

const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
