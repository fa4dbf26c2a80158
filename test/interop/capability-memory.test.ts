/** What an openssl correspondent's mail says it reads is what the next mail to them uses, and openssl opens that. */
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { OAEP_ALGORITHM } from '../../src/protection/smime/cms/key-transport.ts'
import { readCertificates } from '../../src/protection/smime/key-files/pem.ts'
import { needs } from '../support/apt.ts'
import { BODY, TYPE_FIELDS, headerOf } from '../support/correspondent-cases.ts'
import { openssl } from '../support/correspondent.ts'
import {
  type Correspondence,
  OUR_DOMAIN,
  ourAddress,
  peerAddress,
  startCorrespondence,
} from '../support/correspondence.ts'
import { runSealpost } from '../support/provider.ts'
import { AES_128_CBC, AES_256_GCM, type Capability, statingMail } from '../support/stating-mail.ts'

const PEER_DOMAIN = 'correspondent.example'
const [OUR, THEIR] = [ourAddress('rsa'), peerAddress('rsa', PEER_DOMAIN)]
/** SMIMECapabilities with AES-256-GCM alone, as OpenSSL takes an extension. */
const GCM_EXTENSION = '1.2.840.113549.1.9.15=DER:30:0d:30:0b:06:09:60:86:48:01:65:03:04:01:2e'
/** The parameters are what follows the OID, 13 octets into the AlgorithmIdentifier. */
const OAEP: Capability = ['1.2.840.113549.1.1.7', OAEP_ALGORITHM.subarray(13)]
const MINUTE_MS = 60_000

describe('capability memory with openssl', needs('openssl', 'openssl'), () => {
  const stack = new AsyncDisposableStack()
  let correspondence: Correspondence
  before(async () => {
    correspondence = stack.use(await startCorrespondence([{ domain: PEER_DOMAIN, policy: {} }], { strangers: true }))
  })
  after(() => stack.disposeAsync())

  /** What our user's next mail to them is made of, as `openssl cms -print` calls it; it opens and verifies. */
  const nextMail = async (): Promise<string> => {
    const { peer, ourCaFile } = correspondence
    const { certificateFile, keyFile } = peer.keys.rsa
    const mail = await correspondence.send(
      'rsa',
      THEIR,
      `${headerOf(OUR, THEIR, OUR_DOMAIN).fields}${TYPE_FIELDS}\r\n${BODY}`,
    )
    const [file, innerFile] = [join(peer.folder, 'next.eml'), join(peer.folder, 'next-inner.eml')]
    await writeFile(file, mail)
    const structure = (await openssl(['cms', '-cmsout', '-print', '-noout', '-in', file])).toString()
    await writeFile(
      innerFile,
      await openssl(['cms', '-decrypt', '-in', file, '-recip', certificateFile, '-inkey', keyFile]),
    )
    const read = await openssl(['cms', '-verify', '-in', innerFile, '-CAfile', ourCaFile])
    assert(read.toString().endsWith(`\r\n\r\n${BODY}`))
    return structure
  }
  const theySay = async (capabilities: readonly Capability[], signingTimeMs: number): Promise<void> => {
    const { certificateFile, keyFile } = correspondence.peer.keys.rsa
    const [der] = (readCertificates(await readFile(certificateFile)) as { value: Uint8Array[] }).value
    const parsed = parseCertificate(der ?? assert.fail())
    assert(parsed.ok)
    const signer = { certificate: parsed.value, key: createPrivateKey(await readFile(keyFile)) }
    const messageId = `<${signingTimeMs}@${PEER_DOMAIN}>`
    const message = statingMail({ signer, capabilities, signingTimeMs, from: THEIR, to: OUR, messageId })
    assert.match(await correspondence.deliver(THEIR, 'rsa', message), /^250 /)
  }

  test('openssl says AES in CBC and neither OAEP nor PSS, and gets that', async () => {
    const { certificateFile, keyFile } = correspondence.peer.keys.rsa
    const content = Buffer.from(`${TYPE_FIELDS}\r\n${BODY}`)
    const signed = await openssl(['cms', '-sign', '-signer', certificateFile, '-inkey', keyFile], content)
    const answer = headerOf(THEIR, OUR, PEER_DOMAIN).fields + signed.toString().replaceAll(/\r?\n/g, '\r\n')
    assert.match(await correspondence.deliver(THEIR, 'rsa', Buffer.from(answer)), /^250 /)
    const [known] = await correspondence.provider.cli(['correspondent', 'list', THEIR])
    assert.deepEqual(known?.['ciphers'], ['aes-256-cbc', 'aes-192-cbc', 'aes-128-cbc'])
    assert.deepEqual([known?.['keyTransports'], known?.['signatures'], known?.['headerProtection']], [[], [], false])
    const structure = await nextMail()
    assert.match(structure, /aes-256-cbc/)
    assert.match(structure, /keyEncryptionAlgorithm:\s+algorithm: rsaEncryption/)
  })

  test('once they say AES-256-GCM and OAEP, they get both, and an older mail changes nothing', async () => {
    await theySay([AES_128_CBC, AES_256_GCM, OAEP], Date.now() + MINUTE_MS)
    for (const older of [false, true]) {
      if (older) await theySay([AES_128_CBC], Date.now() - MINUTE_MS)
      const structure = await nextMail()
      assert.match(structure, /d\.authEnvelopedData/)
      assert.match(structure, /aes-256-gcm/)
      assert.match(structure, /keyEncryptionAlgorithm:\s+algorithm: rsaesOaep/)
    }
  })

  test('a certificate that says AES-256-GCM is enough (RFC 4262)', async () => {
    const { provider, peer } = correspondence
    const address = `modern@${PEER_DOMAIN}`
    const [keyFile, certificateFile] = [join(peer.folder, 'modern-key.pem'), join(peer.folder, 'modern.pem')]
    const extensions = [
      'basicConstraints=CA:FALSE',
      `subjectAltName=email:${address}`,
      'keyUsage=digitalSignature,keyEncipherment',
      GCM_EXTENSION,
    ]
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=Modern', '-keyout', keyFile]
    await openssl([...made, '-out', certificateFile, ...extensions.flatMap((each) => ['-addext', each])])
    await provider.cli(['key', 'import', certificateFile])
    const draft = join(peer.folder, 'modern.eml')
    await writeFile(draft, `${headerOf(OUR, address, OUR_DOMAIN).fields}${TYPE_FIELDS}\r\n${BODY}`)
    const sealed = await runSealpost(['seal', draft, '--from', OUR, '--config', provider.configFile])
    assert.match(sealed, /smime-type=authEnveloped-data/)
    const opened = await openssl(['cms', '-decrypt', '-recip', certificateFile, '-inkey', keyFile], Buffer.from(sealed))
    assert.match(opened.toString(), /multipart\/signed/)
  })
})
