/** The `openssl` program, and our identities as files that it reads. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SmimeIdentity } from './smime-identity.ts'

/** Its standard output; fails the test when it fails. */
export function openssl(args: readonly string[], input: Uint8Array = new Uint8Array()): Buffer {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, maxBuffer: 2 ** 26 })
  assert.equal(status, 0, `openssl ${args.join(' ')}: ${stderr.toString()}`)
  return stdout
}

/** Writes certificate and key in PEM into `folder`. */
export function identityFiles(
  identity: SmimeIdentity,
  folder: string,
): { readonly certificateFile: string; readonly keyFile: string } {
  const name = join(folder, identity.certificate.fingerprint)
  const [certificateFile, keyFile] = [`${name}.pem`, `${name}.key`]
  writeFileSync(certificateFile, new X509Certificate(identity.certificate.encoded).toString())
  writeFileSync(keyFile, identity.key.export({ format: 'pem', type: 'pkcs8' }))
  return { certificateFile, keyFile }
}
