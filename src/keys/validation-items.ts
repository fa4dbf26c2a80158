/** What can be fetched for one wish: where, with which question, and whether what came back is an answer to it. Pure. */
import { hash } from 'node:crypto'
import { type Result, fail, ok } from '../base/result.ts'
import { type SmimeCertificate, parseCertificate } from '../protection/smime/x509/certificate.ts'
import { readSignedData } from '../protection/smime/cms/signed-data.ts'
import { CRL_SIZE_MAX_BYTES, readCrlTimes } from '../protection/smime/x509/crl.ts'
import {
  OCSP_RESPONSE_MAX_BYTES,
  answerAbout,
  isAnswerTo,
  parseOcspResponse,
  writeOcspRequest,
} from '../protection/smime/x509/ocsp.ts'
import { CLOCK_SKEW_MAX_MS } from '../protection/smime/x509/ocsp-status.ts'
import type { StatusWish } from '../protection/standard.ts'
import type { FetchRequest } from './http-fetch.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** However long an authority says that its word holds, it is asked again after this: it may have revoked since. */
export const KEPT_MAX_MS = 12 * HOUR_MS
/** Of an answer that does not say until when it holds. */
const KEPT_WITHOUT_END_MS = HOUR_MS
export const ISSUER_KEPT_MS = 7 * 24 * HOUR_MS
const ISSUERS_MAX_BYTES = 256 * 2 ** 10
const ISSUERS_MAX = 8

export interface ValidationItem {
  readonly kind: 'ocsp' | 'crl' | 'issuer'
  /** Under which it is kept. */
  readonly key: string
  readonly request: FetchRequest
  /** What of the bytes that came back is kept, and until when. An error when they are no answer. */
  accept(bytes: Uint8Array, nowMs: number): Result<{ readonly encoded: Uint8Array; readonly untilMs: number }>
}

/** The question about the certificate, to each responder that it names. `nonce`: fresh. */
export function ocspItems(wish: StatusWish, nonce: Uint8Array): readonly ValidationItem[] {
  const certificate = parseCertificate(wish.certificate)
  const issuer = parseCertificate(wish.issuer)
  if (!certificate.ok || !issuer.ok) return []
  const bytes = writeOcspRequest(certificate.value, issuer.value, nonce)
  const id = `${certificate.value.fingerprint} ${issuer.value.fingerprint}`
  return wish.ocsp.map((url) => ({
    kind: 'ocsp',
    key: keyOf('ocsp', `${id} ${url}`),
    request: { url, body: { type: 'application/ocsp-request', bytes }, sizeMaxBytes: OCSP_RESPONSE_MAX_BYTES },
    accept: (answer, nowMs) =>
      acceptOcsp(answer, { certificate: certificate.value, issuer: issuer.value, nonce }, nowMs),
  }))
}

export function crlItems(wish: StatusWish): readonly ValidationItem[] {
  return wish.crls.map((url) => ({
    kind: 'crl',
    key: keyOf('crl', url),
    request: { url, sizeMaxBytes: CRL_SIZE_MAX_BYTES },
    accept: acceptCrl,
  }))
}

export function issuerItems(urls: readonly string[]): readonly ValidationItem[] {
  return urls.map((url) => ({
    kind: 'issuer',
    key: keyOf('issuer', url),
    request: { url, sizeMaxBytes: ISSUERS_MAX_BYTES },
    accept: (bytes, nowMs) =>
      issuersIn(bytes).length > 0
        ? ok({ encoded: bytes, untilMs: nowMs + ISSUER_KEPT_MS })
        : fail('there is no certificate in it'),
  }))
}

/** One certificate in DER, or a certs-only SignedData (RFC 5280 §4.2.2.1). */
export function issuersIn(bytes: Uint8Array): readonly Uint8Array[] {
  if (parseCertificate(bytes).ok) return [bytes]
  const signedData = readSignedData(bytes)
  return signedData.ok ? signedData.value.certificates.slice(0, ISSUERS_MAX) : []
}

const keyOf = (kind: ValidationItem['kind'], what: string): string => `${kind} ${hash('sha256', what)}`

function acceptOcsp(
  encoded: Uint8Array,
  asked: { certificate: SmimeCertificate; issuer: SmimeCertificate; nonce: Uint8Array },
  nowMs: number,
): ReturnType<ValidationItem['accept']> {
  const response = parseOcspResponse(encoded)
  if (!response.ok) return response
  if (!isAnswerTo(response.value, asked.nonce)) return fail('the OCSP response is to another request')
  const answer = answerAbout(response.value, asked.certificate, asked.issuer)
  if (answer === undefined || answer.status === 'unknown') return fail('the responder does not know the certificate')
  return keepUntil(encoded, answer.nextUpdateMs, nowMs)
}

function acceptCrl(encoded: Uint8Array, nowMs: number): ReturnType<ValidationItem['accept']> {
  const times = readCrlTimes(encoded)
  if (!times.ok) return times
  return keepUntil(encoded, times.value.nextUpdateMs, nowMs)
}

function keepUntil(
  encoded: Uint8Array,
  nextUpdateMs: number | undefined,
  nowMs: number,
): ReturnType<ValidationItem['accept']> {
  const endMs = nextUpdateMs ?? nowMs + KEPT_WITHOUT_END_MS
  if (endMs + CLOCK_SKEW_MAX_MS < nowMs) return fail('it has run out already')
  return ok({ encoded, untilMs: Math.min(Math.max(endMs, nowMs + MINUTE_MS), nowMs + KEPT_MAX_MS) })
}
