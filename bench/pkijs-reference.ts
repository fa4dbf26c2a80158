/** The same work by pkijs on WebCrypto: what this server would be built on without a CMS of its own. */
import { type KeyObject, webcrypto } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import type { SmimeIdentity } from '../test/support/smime-identity.ts'

export interface PkijsPair {
  seal(content: Uint8Array): Promise<Uint8Array>
  /** Throws when the signature is not intact. */
  open(sealed: Uint8Array): Promise<Uint8Array>
}

const DATA = '1.2.840.113549.1.7.1'
const SIGNED_DATA = '1.2.840.113549.1.7.2'
const AES_256_CBC = { name: 'AES-CBC', length: 256 }
const ENVELOPED_DATA = '1.2.840.113549.1.7.3'

/** Keys and certificate are imported once, as a server would. */
export async function makePkijs(identity: SmimeIdentity): Promise<PkijsPair> {
  const subtle = webcrypto.subtle
  const certificate = pkijs.Certificate.fromBER(bufferOf(identity.certificate.encoded))
  const pkcs8 = bufferOf(identity.key.export({ format: 'der', type: 'pkcs8' }))
  const signingKey = await subtle.importKey('pkcs8', pkcs8, signingAlgorithm(identity.key), false, ['sign'])
  return {
    seal: async (content) => envelop(await signContent(content, certificate, signingKey), certificate),
    open: async (sealed) => verifyContent(await openEnvelope(sealed, certificate, pkcs8), certificate),
  }
}

const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer

const signingAlgorithm = (key: KeyObject) =>
  key.asymmetricKeyType === 'rsa'
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    : { name: 'ECDSA', namedCurve: 'P-256' }

async function signContent(
  content: Uint8Array,
  certificate: pkijs.Certificate,
  key: webcrypto.CryptoKey,
): Promise<ArrayBuffer> {
  const digest = await webcrypto.subtle.digest('SHA-256', bufferOf(content))
  const attribute = (type: string, value: asn1js.BaseBlock) => new pkijs.Attribute({ type, values: [value] })
  const signedAttrs = new pkijs.SignedAndUnsignedAttributes({
    type: 0,
    attributes: [
      attribute('1.2.840.113549.1.9.3', new asn1js.ObjectIdentifier({ value: DATA })),
      attribute('1.2.840.113549.1.9.4', new asn1js.OctetString({ valueHex: digest })),
      attribute('1.2.840.113549.1.9.5', new asn1js.UTCTime({ valueDate: new Date(1_800_000_000_000) })),
    ],
  })
  const sid = new pkijs.IssuerAndSerialNumber({ issuer: certificate.issuer, serialNumber: certificate.serialNumber })
  const signedData = new pkijs.SignedData({
    version: 1,
    encapContentInfo: new pkijs.EncapsulatedContentInfo({
      eContentType: DATA,
      eContent: new asn1js.OctetString({ valueHex: bufferOf(content) }),
    }),
    signerInfos: [new pkijs.SignerInfo({ version: 1, sid, signedAttrs })],
    certificates: [certificate],
  })
  await signedData.sign(key, 0, 'SHA-256')
  return new pkijs.ContentInfo({ contentType: SIGNED_DATA, content: signedData.toSchema(true) }).toSchema().toBER()
}

async function envelop(content: ArrayBuffer, certificate: pkijs.Certificate): Promise<Uint8Array> {
  const enveloped = new pkijs.EnvelopedData()
  enveloped.addRecipientByCertificate(certificate, { oaepHashAlgorithm: 'SHA-256' })
  await enveloped.encrypt(AES_256_CBC, content)
  const info = new pkijs.ContentInfo({ contentType: ENVELOPED_DATA, content: enveloped.toSchema() })
  return new Uint8Array(info.toSchema().toBER())
}

async function openEnvelope(
  sealed: Uint8Array,
  certificate: pkijs.Certificate,
  key: ArrayBuffer,
): Promise<ArrayBuffer> {
  const enveloped = new pkijs.EnvelopedData({ schema: pkijs.ContentInfo.fromBER(bufferOf(sealed)).content })
  return enveloped.decrypt(0, { recipientCertificate: certificate, recipientPrivateKey: key })
}

async function verifyContent(bytes: ArrayBuffer, certificate: pkijs.Certificate): Promise<Uint8Array> {
  const signedData = new pkijs.SignedData({ schema: pkijs.ContentInfo.fromBER(bytes).content })
  const intact = await signedData.verify({ signer: 0, trustedCerts: [certificate], checkChain: false })
  if (!intact) throw new Error('pkijs: not intact')
  return new Uint8Array(signedData.encapContentInfo.eContent?.getValue() ?? new ArrayBuffer(0))
}
