/** OpenPGP (RFC 9580) as a ProtectionStandard: PGP/MIME outside, our packets inside, what 222 knows for trust. */
import { fail } from '../../base/result.ts'
import type { ProtectionStandard } from '../standard.ts'
import { autocryptFields } from './autocrypt.ts'
import { isOpenpgpCertificate } from './certificate/certificate.ts'
import { mergeCertificates } from './certificate/merge.ts'
import { readOpenpgpCertificate } from './certificate/read.ts'
import { OUR_CIPHERS, statedAbilities } from './message/abilities.ts'
import { readKeyFile, readSecret, writeKeyFile, writeSecret } from './key-files.ts'
import { certificatesIn } from './message/carried-certificates.ts'
import { isLabelled, isWhollyEncrypted, kindOfForm, pgpFormOf } from './message/forms.ts'
import { inMemory } from './message/in-memory.ts'
import { judge } from './message/judge.ts'
import { onDisk } from './message/on-disk.ts'
import { signingPackets } from './message/own-keys.ts'
import { openLayer } from './message/open-layer.ts'
import { COMMON_CIPHER, encrypt, encryptionKeyOf, sign, signAndEncrypt } from './message/protect.ts'

export const openpgp: ProtectionStandard = {
  name: 'openpgp',
  abilities: {
    ciphers: OUR_CIPHERS,
    keyTransports: [],
    signatures: [],
    outerSignature: true,
    headerProtection: true,
  },
  commonCipher: COMMON_CIPHER,
  readCertificate: readOpenpgpCertificate,
  recognise(part, by) {
    const form = pgpFormOf(part)
    if (form === undefined || (by === 'content' && kindOfForm(form) === 'encrypted' && !isWhollyEncrypted(part)))
      return undefined
    return by === 'label' && !isLabelled(form) ? undefined : kindOfForm(form)
  },
  open: (part, ring) => openLayer(inMemory, part, ring),
  openLarge: (part, ring, openSpill) => openLayer(onDisk(openSpill), part, ring),
  judge,
  encryptionAlgorithm: (certificate, atMs) =>
    isOpenpgpCertificate(certificate) ? encryptionKeyOf(certificate, atMs)?.algorithmName : undefined,
  canSignWith: (certificate, atMs) => isOpenpgpCertificate(certificate) && signingPackets(certificate, atMs).length > 0,
  sameIssuer: (a, b) => a.standard === b.standard && a.fingerprint === b.fingerprint,
  abilitiesOf: (certificate) => (isOpenpgpCertificate(certificate) ? statedAbilities(certificate) : undefined),
  sign,
  encrypt,
  signAndEncrypt,
  readKeyFile,
  writeKeyFile,
  isIssued: () => false,
  writeSecret,
  readSecret,
  merge: (known, update) =>
    isOpenpgpCertificate(known) && isOpenpgpCertificate(update)
      ? mergeCertificates(known, update)
      : fail('only certificates of OpenPGP are merged'),
  headerFieldsOf: (own, author, isMutual) => autocryptFields(own.encoded, author, isMutual ? 'mutual' : 'nopreference'),
  certificatesIn,
}
