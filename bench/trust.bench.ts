/** May a certificate be believed? Certificates a second: never seen before, known, and with revocation to be looked up. */
import { generateKeyPairSync } from 'node:crypto'
import { contextTagged, integer, sequence, time } from '../src/protection/smime/asn1/der-writer.ts'
import { parseCertificate } from '../src/protection/smime/x509/certificate.ts'
import { EMAIL_PROTECTION } from '../src/protection/smime/x509/extensions.ts'
import { validatePath } from '../src/protection/smime/x509/path-validation.ts'
import {
  extendedKeyUsage,
  mailboxName,
  subjectAltName,
  writeExtension,
  writeSigned,
} from '../src/protection/smime/x509/write-certificate.ts'
import { type Entity, NOW_MS, certificateDer, makeAuthority, makeCertificate } from '../test/support/x509-maker.ts'
import { measureInTurns } from './measure.ts'
import type { Effort, Row } from './row.ts'

/** More than the caches of parsed certificates and good signatures hold, so that each turn finds none of them. */
const STRANGERS = 12_000
const REVOKED = 100_000

export async function trustRows({ smoke, msPerOperation }: Effort): Promise<Row[]> {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const root = makeAuthority({ name: 'root', key })
  const sub = makeAuthority({ name: 'sub', issuer: root, key })
  const extensions = [extendedKeyUsage([EMAIL_PROTECTION]), subjectAltName([mailboxName('user@abc.example')], false)]
  const user = makeCertificate({ name: 'user', issuer: sub, key, extensions, serial: 5 })
  const strangers = Array.from({ length: smoke ? 50 : STRANGERS }, (_, index) =>
    certificateDer({ name: 'user', issuer: sub, key, extensions, serial: index + 10 }),
  )
  const crls = smoke ? 1_000 : REVOKED
  const fetchedCrls = [
    { id: 'sub', encoded: longCrl(sub, crls) },
    { id: 'root', encoded: longCrl(root, 1) },
  ]
  let next = 0
  const judge = (encoded: Uint8Array, more: Partial<Parameters<typeof validatePath>[0]> = {}): void => {
    const certificate = parseCertificate(encoded)
    if (!certificate.ok) throw new Error(certificate.error)
    const found = validatePath({
      certificate: certificate.value,
      untrusted: [sub.certificate],
      anchors: [root.certificate],
      atMs: NOW_MS,
      purpose: 'email',
      ...more,
    })
    if (!found.trusted) throw new Error(found.why)
  }
  const operations: readonly [name: string, operation: () => void][] = [
    ['never seen before', () => judge(strangers[next++ % strangers.length] as Uint8Array)],
    ['seen before', () => judge(user.certificate.encoded)],
    [
      `seen before, in a list of ${crls}`,
      () => judge(user.certificate.encoded, { fetchedCrls, revocation: 'require' }),
    ],
  ]
  const measured = await measureInTurns(
    msPerOperation,
    operations.map(([, operation]) => operation),
  )
  return operations.map(([name], index) => {
    const { perSecond = 0, p50Ms = 0, p99Ms = 0 } = measured[index] ?? {}
    return { case: `path of 3 certificates, rsa-2048: ${name}`, value: perSecond, unit: '/s', p50Ms, p99Ms }
  })
}

function longCrl({ certificate, key }: Entity, length: number): Uint8Array {
  const at = time(NOW_MS)
  const entries = Array.from({ length }, (_, index) => sequence(integer(index * 7919 + 2 ** 40), at))
  return writeSigned(key, (algorithm) => [
    integer(1),
    algorithm,
    certificate.subjectName,
    at,
    time(NOW_MS + 24 * 60 * 60_000),
    sequence(Buffer.concat(entries)),
    contextTagged(0, sequence(writeExtension('2.5.29.20', false, integer(1)))),
  ])
}
