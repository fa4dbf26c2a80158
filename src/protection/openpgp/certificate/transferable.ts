/** Key files of OpenPGP: transferable public and secret keys (RFC 9580 §10.1, §10.2), several in one file, armored or not. */
import { concatBytes } from '../../../base/bytes.ts'
import type { Result } from '../../../base/result.ts'
import { Malformed, attempt } from '../../malformed.ts'
import type { ComponentKey } from '../../standard.ts'
import { unarmored } from '../armor.ts'
import { readPublicPart } from '../keys/key-packet.ts'
import { readSecretKeyPacket, writeSecretKeyPacket } from '../keys/secret-key.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../packets/packet.ts'
import type { OpenpgpCertificate } from './certificate.ts'
import { mergeCertificates } from './merge.ts'
import { readOpenpgpCertificate } from './read.ts'
import { groupPackets, readStructure, writeStructure } from './structure.ts'

export interface TransferableKey {
  readonly certificate: OpenpgpCertificate
  /** Those whose private halves are in the file and open, by their fingerprints. */
  readonly subkeys: readonly ComponentKey[]
  /** How many secret keys are under a password that is missing or wrong. */
  readonly locked: number
}

/** Keys in one file; a whole key ring is no key file. */
const KEYS_MAX = 1000

/** All keys of a file. Those that are not of a kind of ours are left out, unless there is no other. */
export function readTransferableKeys(file: Uint8Array, password?: string): Result<readonly TransferableKey[]> {
  return attempt(() => {
    const packets = readPackets(unarmored(file)).map((packet) => splitSecret(packet, password))
    const keys = groupPackets(packets)
      .slice(0, KEYS_MAX)
      .map((structure) => readOpenpgpCertificate(writeStructure(structure)))
    const readable = keys.flatMap((key) => (key.ok ? [key.value] : []))
    const [first] = keys
    if (first?.ok === false && readable.length === 0) throw new Malformed(first.error)
    const secrets = packets.flatMap(({ secret }) => secret ?? [])
    return merged(readable).map((certificate) => withSecrets(certificate, secrets))
  })
}

/** A file may have the same key twice, with its secret half and without. */
function merged(certificates: readonly OpenpgpCertificate[]): readonly OpenpgpCertificate[] {
  const byFingerprint = new Map<string, OpenpgpCertificate>()
  for (const certificate of certificates) {
    const known = byFingerprint.get(certificate.fingerprint)
    const both = known === undefined ? undefined : mergeCertificates(known, certificate)
    byFingerprint.set(certificate.fingerprint, both?.ok === true ? both.value : (known ?? certificate))
  }
  return [...byFingerprint.values()]
}

interface SplitPacket extends Packet {
  readonly secret?: Secret
}

interface Secret {
  readonly fingerprint: string
  readonly state: 'open' | 'locked' | 'absent'
  readonly handles: ComponentKey['handles']
}

/** A secret key as the public key that it has in front, and what is behind. */
function splitSecret({ type, body }: Packet, password: string | undefined): SplitPacket {
  const publicType = type === PACKET.SECRET_KEY ? PACKET.PUBLIC_KEY : PACKET.PUBLIC_SUBKEY
  if (type !== PACKET.SECRET_KEY && type !== PACKET.SECRET_SUBKEY) return { type, body }
  const read = attempt(() => readPublicPart(body))
  if (!read.ok) return { type: publicType, body } // whoever reads the certificate says why
  const { packet, ...secret } = readSecretKeyPacket({ type, body }, password)
  return { type: publicType, body: packet.body, secret: { fingerprint: packet.fingerprint, ...secret } }
}

function withSecrets(certificate: OpenpgpCertificate, secrets: readonly Secret[]): TransferableKey {
  const own = certificate.components.flatMap(({ packet }) => {
    const copies = secrets.filter(({ fingerprint }) => fingerprint === packet.fingerprint)
    return copies.find(({ state }) => state === 'open') ?? copies.find(({ state }) => state === 'locked') ?? []
  })
  return {
    certificate,
    subkeys: own.filter(({ state }) => state === 'open').map(({ fingerprint, handles }) => ({ fingerprint, handles })),
    locked: own.filter(({ state }) => state === 'locked').length,
  }
}

/**
 * A transferable secret key, binary. Private halves that are not at hand are noted as being somewhere else, as GnuPG notes
 * them (version 4), or left out.
 */
export function writeTransferableSecretKey(
  certificate: OpenpgpCertificate,
  subkeys: readonly ComponentKey[],
  password?: string,
): Uint8Array {
  const byBody = new Map(
    certificate.components.map(({ packet, primary }) => {
      const handles = subkeys.find(({ fingerprint }) => fingerprint === packet.fingerprint)?.handles
      const type = primary ? PACKET.SECRET_KEY : PACKET.SECRET_SUBKEY
      const isWritten = handles !== undefined || packet.version === 4
      return [
        bodyKey(packet.body),
        isWritten ? writePacket(type, writeSecretKeyPacket(type, packet, handles, password)) : undefined,
      ]
    }),
  )
  return concatBytes(
    readPackets(writeStructure(readStructure(certificate.encoded))).map(
      ({ type, body }) => byBody.get(bodyKey(body)) ?? writePacket(type, body),
    ),
  )
}

const bodyKey = (body: Uint8Array): string => Buffer.from(body).toString('base64')
