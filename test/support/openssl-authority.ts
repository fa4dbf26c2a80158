/**
 * An authority whose OCSP answers and revocation lists are made by the openssl program: real ones, from the index file
 * that `openssl ca` keeps.
 */
import { execFile } from 'node:child_process'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { NULL } from '../../src/protection/smime/asn1/der-writer.ts'
import { EXTENSION, OCSP_SIGNING } from '../../src/protection/smime/x509/extensions.ts'
import { writeCertificatePem, writePrivateKeyPem } from '../../src/protection/smime/key-files/pem.ts'
import { extendedKeyUsage, writeExtension } from '../../src/protection/smime/x509/write-certificate.ts'
import { DAY_MS, type CertificateOrder, type Entity, makeAuthority, makeCertificate } from './x509-maker.ts'

export type Fate = 'good' | 'revoked' | 'unknown'

export interface OpensslAuthority extends Disposable {
  readonly root: Entity
  /** A certificate that `openssl ocsp` and `openssl ca` know as good, revoked, or not at all. */
  issue(order: Omit<CertificateOrder, 'issuer'>, fate: Fate): Entity
  /** The answer to a DER OCSPRequest, by the authority's own key or by a responder that it has certified. */
  answer(request: Uint8Array, by?: 'root' | 'delegate' | 'stranger', more?: readonly string[]): Promise<Uint8Array>
  /** A DER CRL. */
  crl(): Promise<Uint8Array>
}

export function makeOpensslAuthority(nowMs: number): OpensslAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'sealpost-authority-'))
  const file = (name: string): string => join(folder, name)
  const dates = { notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs + 100 * DAY_MS }
  const root = makeAuthority({ name: 'openssl authority', key: ecKey(), ...dates })
  const delegate = makeCertificate({
    name: 'responder',
    issuer: root,
    serial: 2,
    key: ecKey(),
    extensions: [extendedKeyUsage([OCSP_SIGNING]), writeExtension(EXTENSION.ocspNoCheck, false, NULL)],
    ...dates,
  })
  const stranger = makeAuthority({ name: 'stranger', key: ecKey(), ...dates })
  for (const [name, entity] of Object.entries({ root, delegate, stranger })) {
    writeFileSync(file(`${name}.pem`), writeCertificatePem(entity.certificate.encoded))
    writeFileSync(file(`${name}.key`), writePrivateKeyPem(entity.key))
  }
  writeFileSync(file('index.txt'), '')
  writeFileSync(file('number'), '01\n')
  writeFileSync(file('ca.cnf'), caConfig(folder))
  let serial = 16
  let index = ''
  let requests = 0
  return {
    root,
    issue(order, fate) {
      const entity = makeCertificate({ key: ecKey(), serial: ++serial, issuer: root, ...dates, ...order })
      const hexSerial = Buffer.from(entity.certificate.serial.subarray(2)).toString('hex').toUpperCase()
      const [status, revoked] = fate === 'revoked' ? ['R', asnTime(nowMs - DAY_MS / 2)] : ['V', '']
      if (fate !== 'unknown')
        index += `${status}\t${asnTime(dates.notAfterMs)}\t${revoked}\t${hexSerial}\tunknown\t/CN=${order.name}\n`
      writeFileSync(file('index.txt'), index)
      return entity
    },
    async answer(request, by = 'root', more = []) {
      const name = `request${++requests}`
      writeFileSync(file(name), request)
      const signer = ['-rsigner', file(`${by}.pem`), '-rkey', file(`${by}.key`)]
      const files = ['-reqin', file(name), '-respout', file(`${name}.answer`)]
      await run(['ocsp', '-index', file('index.txt'), '-CA', file('root.pem'), ...signer, ...files, ...more])
      return new Uint8Array(readFileSync(file(`${name}.answer`)))
    },
    async crl() {
      await run(['ca', '-gencrl', '-config', file('ca.cnf'), '-out', file('crl.pem')])
      await run(['crl', '-in', file('crl.pem'), '-outform', 'DER', '-out', file('crl.der')])
      return new Uint8Array(readFileSync(file('crl.der')))
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

const run = (args: readonly string[]): Promise<unknown> => promisify(execFile)('openssl', args)

const ecKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey

/** UTCTime, as the index has it. */
const asnTime = (ms: number): string => `${new Date(ms).toISOString().slice(2, 19).replaceAll(/[-:T]/g, '')}Z`

const caConfig = (folder: string): string => `[ca]
default_ca = here
[here]
database = ${folder}/index.txt
crlnumber = ${folder}/number
certificate = ${folder}/root.pem
private_key = ${folder}/root.key
default_md = sha256
default_crl_days = 7
crl_extensions = crl
[crl]
authorityKeyIdentifier = issuer
`
