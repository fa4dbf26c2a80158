/** Key files of OpenPGP, secret keys among them: no throw, little time, and no secret half that is not of its public half. */
import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { isSameKey } from '../src/protection/key-object.ts'
import { parseAddress } from '../src/message/address.ts'
import { armor } from '../src/protection/openpgp/armor.ts'
import { makeCertificate } from '../src/protection/openpgp/certificate/make.ts'
import { cleanCertificate, mergeCertificates } from '../src/protection/openpgp/certificate/merge.ts'
import { readTransferableKeys, writeTransferableSecretKey } from '../src/protection/openpgp/certificate/transferable.ts'

const CPU_MAX_US = 2_000_000
const PASSWORD = 'sesame'

const address = parseAddress('alice@a.example')
assert.ok(address !== undefined)
const [v4, v6] = (['v4', 'v6'] as const).map((profile) =>
  makeCertificate({ profile, address, createdMs: 1_700_000_000_000 }),
)
assert.ok(v4 !== undefined && v6 !== undefined)

/** Without a password: to derive a key from one may cost what the file asks for, up to a limit of its own. */
export function target(bytes: Uint8Array): void {
  const before = process.cpuUsage()
  const read = readTransferableKeys(bytes)
  for (const { certificate, subkeys } of read.ok ? read.value : []) {
    for (const { fingerprint, handles } of subkeys) {
      const component = certificate.components.find(({ packet }) => packet.fingerprint === fingerprint)
      for (const [at, handle] of handles.entries()) {
        const publicKey = component?.packet.publicKeys[at]
        assert.ok(publicKey !== undefined && isSameKey(createPublicKey(handle), publicKey))
      }
    }
    const clean = cleanCertificate(certificate)
    assert.ok(!clean.ok || mergeCertificates(clean.value, certificate).ok)
  }
  assert.ok(process.cpuUsage(before).user < CPU_MAX_US, 'takes too long')
}

export function seeds(): Uint8Array[] {
  return [v4, v6].flatMap((made) => {
    if (made === undefined) return []
    const open = writeTransferableSecretKey(made.certificate, made.subkeys)
    const locked = writeTransferableSecretKey(made.certificate, made.subkeys, PASSWORD)
    return [open, locked, made.certificate.encoded, armor('PGP PRIVATE KEY BLOCK', open)]
  })
}
