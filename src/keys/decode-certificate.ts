/** Reads a stored certificate by its standard. */
import { fail, type Result } from '../base/result.ts'
import type { Certificate, StandardName } from '../protection/standard.ts'
import { parseCertificate } from '../protection/smime/certificate.ts'

/** Hostile bytes give an error, never a throw. */
export function decodeCertificate(standard: StandardName, encoded: Uint8Array): Result<Certificate> {
  switch (standard) {
    case 'smime':
      return parseCertificate(encoded)
    case 'openpgp':
      return fail('OpenPGP certificates are not read by this version')
  }
}
