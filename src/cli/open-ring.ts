/** Which keys `sealpost open` may use: those of the configured server, or those of the files that were named. */
import { createPublicKey } from 'node:crypto'
import { OperationRefused, needAddress } from '../admin/desk.ts'
import { inboundPolicyFor } from '../config/policy-settings.ts'
import { type KeyFile, readKeyFile } from '../keys/key-file.ts'
import { domainOf } from '../message/address.ts'
import type { Part } from '../message/part.ts'
import { namedRecipients } from '../message/recipients.ts'
import type { InboundPolicy } from '../policy/settings.ts'
import { type PackedRing, packCertificate, packKey, packKnown } from '../protection/jobs.ts'
import { authorOf } from '../protection/author.ts'
import type { SharedSecret } from '../protection/standard.ts'
import type { SmimeCertificate } from '../protection/smime/x509/certificate.ts'
import { atDesk, bytesOf } from './desk-of.ts'
import { isSameKey } from '../protection/key-object.ts'

/**
 * Self-signed authorities become trust anchors. Other certificates are taken as confirmed by whoever named them, unless
 * an anchor is named too: then they have to chain to it, like those that come with a mail.
 */
export async function ringFromFiles(files: readonly string[], password: string): Promise<PackedRing> {
  const read: KeyFile[] = []
  for (const file of files) {
    const content = readKeyFile(await bytesOf(file), password)
    if (!content.ok) throw new OperationRefused(`${file}: ${content.error}`)
    read.push(content.value)
  }
  const certificates = read.flatMap((each) => each.certificates)
  const anchors = certificates.filter((each) => each.isAuthority && each.selfIssued)
  const others = certificates.filter((each) => !anchors.includes(each))
  const keys = [...read.flatMap((each) => each.keys), ...adopt(read, certificates)]
  return {
    decryptionKeys: keys.map((pair) => packKey({ ...pair, chain: [] })),
    known: others.map((certificate) => packKnown({ certificate, trust: trustOf(certificate, anchors) })),
    anchors: anchors.map(packCertificate),
    allowWeak: false,
  }
}

function trustOf(certificate: SmimeCertificate, anchors: readonly SmimeCertificate[]): 'confirmed' | 'candidate' {
  const mustChain = certificate.isAuthority || (anchors.length > 0 && !certificate.selfIssued)
  return mustChain ? 'candidate' : 'confirmed'
}

/** Keys whose certificate is in another file. */
function adopt(read: readonly KeyFile[], certificates: readonly SmimeCertificate[]): KeyFile['keys'] {
  return read
    .flatMap((each) => each.strayKeys)
    .flatMap((key) => {
      const publicKey = createPublicKey(key)
      const certificate = certificates.find((each) => isSameKey(each.publicKey, publicKey))
      return certificate === undefined ? [] : [{ key, certificate }]
    })
}

/** What the human at the keyboard knows besides private keys; the server knows none of it. */
export async function sharedSecrets(
  password: string | undefined,
  sharedKey: string | undefined,
): Promise<SharedSecret[]> {
  const secrets: SharedSecret[] = password === undefined ? [] : [{ kind: 'password', password }]
  if (sharedKey === undefined) return secrets
  const [, keyId, file] = /^((?:[0-9a-f]{2})+)=(.+)$/i.exec(sharedKey) ?? []
  if (keyId === undefined || file === undefined)
    throw new OperationRefused(`${sharedKey} is not an identifier in hex, "=" and a file`)
  return [...secrets, { kind: 'shared-key', keyId: Buffer.from(keyId, 'hex'), key: await bytesOf(file) }]
}

/** The keys of the named user, or of every user here that the mail is addressed to. */
export function ringFromDesk(
  options: { readonly config: string; readonly for?: string },
  message: Part,
): Promise<{ ring: PackedRing; policy: InboundPolicy }> {
  return atDesk(options, async (desk) => {
    const readers = options.for === undefined ? namedRecipients(message) : [needAddress(options.for)]
    const author = authorOf(message)
    const known = 'address' in author ? await desk.publicKeys.known(author.address) : []
    const keys = await Promise.all(readers.map((reader) => desk.privateKeys.decryptionKeys(reader)))
    const reader = readers.find((each) => desk.domains.includes(domainOf(each)))
    const ring = {
      decryptionKeys: keys.flat().map(packKey),
      known: known.map(packKnown),
      anchors: (await desk.anchors.certificates()).map(packCertificate),
      allowWeak: desk.config.protection.allowWeakAlgorithms,
      revocation: desk.config.policy.revocation,
    }
    const [domain] = desk.domains
    if (domain === undefined) throw new OperationRefused('The configuration names no domain')
    return { ring, policy: inboundPolicyFor(desk.config, reader === undefined ? domain : domainOf(reader)) }
  })
}
