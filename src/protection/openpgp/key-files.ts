/** Keys of OpenPGP outside of mail: in files as other programs have them, and as the vault seals them (RFC 9580 §10.1, §10.2). */
import { type KeyObject, createPublicKey } from 'node:crypto'
import { concatBytes, latin1 } from '../../base/bytes.ts'
import { type Result, fail, ok } from '../../base/result.ts'
import type { Certificate, ComponentKey, KeyFile, KeyFileContent, OwnKey, SecretKeys } from '../standard.ts'
import { isSameKey } from '../key-object.ts'
import { armor, isBinary } from './armor.ts'
import { type OpenpgpCertificate, isOpenpgpCertificate } from './certificate/certificate.ts'
import { type TransferableKey, readTransferableKeys, writeTransferableSecretKey } from './certificate/transferable.ts'
import { type OpenpgpKey, isOpenpgpKey } from './message/own-keys.ts'
import { PACKET } from './packets/packet.ts'

/** Of a text, looked through for armor. */
const PEEK_CHARS = 64 * 1024

/** `undefined` where the file holds no keys of OpenPGP. */
export function readKeyFile(file: Uint8Array, password: string): Result<KeyFile> | undefined {
  if (!isKeyFile(file)) return undefined
  const read = readTransferableKeys(file, password)
  if (!read.ok) return read
  if (read.value.some(({ locked }) => locked > 0)) return fail('the password of the private keys is wrong or missing')
  return ok({
    certificates: read.value.map(({ certificate }) => certificate),
    chain: [],
    anchors: [],
    keys: read.value.flatMap(ownKeyOf),
    strayKeys: [],
  })
}

function isKeyFile(file: Uint8Array): boolean {
  if (!isBinary(file))
    return /^-----BEGIN PGP (?:PUBLIC|PRIVATE) KEY BLOCK-----/m.test(latin1(file.subarray(0, PEEK_CHARS)))
  const [first = 0] = file
  const type = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f
  return type === PACKET.PUBLIC_KEY || type === PACKET.SECRET_KEY
}

function ownKeyOf(key: TransferableKey): readonly OwnKey[] {
  const secrets = secretsOf(key)
  return secrets === undefined ? [] : [{ certificate: key.certificate, chain: [], ...secrets }]
}

/** Where the private half of the primary key is somewhere else, another stands for it: it names the owner all the same. */
function secretsOf({ certificate, subkeys }: TransferableKey): SecretKeys | undefined {
  const primary = subkeys.find(({ fingerprint }) => fingerprint === certificate.fingerprint) ?? subkeys[0]
  const [key] = primary?.handles ?? []
  return key === undefined ? undefined : { key, subkeys }
}

/** Private keys leave under a password only. */
export function writeKeyFile(content: KeyFileContent): Uint8Array {
  const isPublic = 'certificates' in content
  const keys = isPublic
    ? content.certificates.map(({ encoded }) => encoded)
    : content.keys
        .filter(isOpenpgpKey)
        .map((own) => writeTransferableSecretKey(own.certificate, componentsOf(own), content.password))
  const bytes = concatBytes(keys)
  return content.binary === true ? bytes : armor(isPublic ? 'PGP PUBLIC KEY BLOCK' : 'PGP PRIVATE KEY BLOCK', bytes)
}

export function writeSecret(own: SecretKeys & Pick<OwnKey, 'certificate'>): Result<Uint8Array> {
  const whole = { ...own, chain: [] }
  if (!isOpenpgpKey(whole)) return noPair(own.certificate)
  const components = componentsOf(whole)
  return components.length > 0 && components.every((component) => belongs(component, whole.certificate))
    ? ok(writeTransferableSecretKey(whole.certificate, components))
    : noPair(own.certificate)
}

export function readSecret(certificate: Certificate, secret: Uint8Array): Result<SecretKeys> {
  const read = readTransferableKeys(secret)
  if (!read.ok) return read
  const found = read.value.find(({ certificate: { fingerprint } }) => fingerprint === certificate.fingerprint)
  const secrets = found && secretsOf(found)
  return secrets === undefined || !isOpenpgpCertificate(certificate) ? noPair(certificate) : ok(secrets)
}

const componentsOf = ({ subkeys, key, certificate }: OpenpgpKey): readonly ComponentKey[] =>
  subkeys ?? [{ fingerprint: certificate.fingerprint, handles: [key] }]

function belongs({ fingerprint, handles }: ComponentKey, { components }: OpenpgpCertificate): boolean {
  const packet = components.find((component) => component.packet.fingerprint === fingerprint)?.packet
  return packet !== undefined && handles.length > 0 && packet.publicKeys.every((key, at) => isPair(key, handles[at]))
}

const isPair = (key: KeyObject, handle: KeyObject | undefined): boolean =>
  handle?.type === 'private' && isSameKey(createPublicKey(handle), key)

const noPair = ({ fingerprint }: Certificate): Result<never> =>
  fail(`The private keys do not belong to the certificate ${fingerprint}`)
