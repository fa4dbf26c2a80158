/** Which keys `sealpost open` may use: those of the configured server, or those of the files that were named. */
import { OperationRefused, needAddress } from '../admin/desk.ts'
import { inboundPolicyFor } from '../config/policy-settings.ts'
import { readKeyFile } from '../keys/key-file.ts'
import { domainOf } from '../message/address.ts'
import type { Part } from '../message/part.ts'
import { namedRecipients } from '../message/recipients.ts'
import type { InboundPolicy } from '../policy/settings.ts'
import { type PackedRing, packCertificate, packKey, packKnown, standardNamed } from '../protection/jobs.ts'
import { authorOf } from '../protection/author.ts'
import type { Certificate, KeyFile, OwnKey, SharedSecret } from '../protection/standard.ts'
import { atDesk, bytesOf } from './desk-of.ts'

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
  const anchors = read.flatMap((each) => each.anchors)
  const certificates = read.flatMap((each) => each.certificates)
  const confirmed = certificates.map((certificate) => packKnown({ certificate, trust: trustOf(certificate, anchors) }))
  const chain = read.flatMap((each) => each.chain)
  return {
    decryptionKeys: [...read.flatMap((each) => each.keys), ...adopt(read)].map(packKey),
    known: [...confirmed, ...chain.map((certificate) => packKnown({ certificate, trust: 'candidate' }))],
    anchors: anchors.map(packCertificate),
    allowWeak: false,
  }
}

function trustOf(certificate: Certificate, anchors: readonly Certificate[]): 'confirmed' | 'candidate' {
  const mustChain = anchors.length > 0 && standardNamed(certificate.standard).isIssued(certificate)
  return mustChain ? 'candidate' : 'confirmed'
}

/** Keys whose certificate is in another file. */
function adopt(read: readonly KeyFile[]): readonly OwnKey[] {
  const certificates = read.flatMap((each) => [...each.certificates, ...each.chain, ...each.anchors])
  return read
    .flatMap((each) => each.strayKeys)
    .flatMap((key) => {
      const certificate = certificates.find(
        (each) => standardNamed(each.standard).writeSecret({ certificate: each, key }).ok,
      )
      return certificate === undefined ? [] : [{ key, certificate, chain: [] }]
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
      strictIssuers: desk.config.protection.strictIssuers,
      revocation: desk.config.policy.revocation,
    }
    const [domain] = desk.domains
    if (domain === undefined) throw new OperationRefused('The configuration names no domain')
    return { ring, policy: inboundPolicyFor(desk.config, reader === undefined ? domain : domainOf(reader)) }
  })
}
