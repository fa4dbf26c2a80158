/** Trust anchors: the authorities whose certificates are believed. */
import { parseDomain } from '../../message/address.ts'
import { writeKeyFile } from '../../protection/smime/key-files/key-file.ts'
import { readCertificates } from '../../protection/smime/key-files/pem.ts'
import type { Certificate } from '../../protection/standard.ts'
import { audit } from '../../store/audit.ts'
import type { TrustAnchor } from '../../keys/anchors.ts'
import { type Desk, OperationRefused } from '../desk.ts'

/** Every certificate in the file becomes an anchor, or none does. */
export async function addAnchors(desk: Desk, input: { file: Uint8Array }): Promise<readonly Certificate[]> {
  const encoded = readCertificates(input.file)
  if (!encoded.ok) throw new OperationRefused(`No certificate can be read: ${encoded.error}`)
  const nowMs = desk.clock.nowMs()
  return desk.store.commit(async (tx) => {
    const added: Certificate[] = []
    for (const each of encoded.value) {
      const anchor = await desk.anchors.add(tx, { encoded: each, source: 'admin', nowMs })
      if (!anchor.ok) throw new OperationRefused(anchor.error)
      const { fingerprint, subject } = anchor.value
      await audit(tx, { nowMs, actor: desk.actor, operation: 'trust add', subject: fingerprint, detail: subject })
      added.push(anchor.value)
    }
    return added
  })
}

export function listAnchors(desk: Desk): Promise<readonly TrustAnchor[]> {
  return desk.anchors.list()
}

export async function removeAnchor(desk: Desk, input: { fingerprint: string }): Promise<void> {
  const fingerprint = input.fingerprint.toLowerCase()
  await desk.store.commit(async (tx) => {
    if (!(await desk.anchors.remove(tx, fingerprint)))
      throw new OperationRefused(`There is no trust anchor ${fingerprint}`)
    await audit(tx, {
      nowMs: desk.clock.nowMs(),
      actor: desk.actor,
      operation: 'trust remove',
      subject: fingerprint,
      detail: '',
    })
  })
}

export interface ExportedAuthority {
  readonly domain: string
  readonly subject: string
  readonly fingerprint: string
  /** PEM. */
  readonly file: Uint8Array
}

/** The authority of one of our domains: with it a correspondent verifies what all of its users sign. */
export async function exportAuthority(desk: Desk, input: { domain: string }): Promise<ExportedAuthority> {
  const domain = parseDomain(input.domain)
  const own = (await desk.privateKeys.list()).find(
    (each) => each.purpose === 'authority' && each.owner === domain && each.retiredMs === undefined,
  )
  if (domain === undefined || own === undefined)
    throw new OperationRefused(`${input.domain} has no authority here; our domains are ${desk.domains.join(', ')}`)
  const { certificate } = own
  const { subject, fingerprint } = certificate
  return { domain, subject, fingerprint, file: writeKeyFile({ certificates: [certificate] }) }
}
