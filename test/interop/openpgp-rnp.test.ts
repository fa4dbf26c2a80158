/** rnp, which is Thunderbird's OpenPGP. */
import { needs } from '../support/apt.ts'
import { describeOpenpgpProgram } from '../support/openpgp-suite.ts'
import { makeRnp } from '../support/rnp.ts'

describeOpenpgpProgram({
  title: 'rnp',
  programs: needs('rnp', 'rnp'),
  makeProgram: makeRnp,
  clearsigns: true,
  kinds: [undefined],
  encryptions: [
    ...['CAMELLIA128', 'CAMELLIA256', 'AES128', 'AES192'].map((cipher) => ['--cipher', cipher]),
    ...['EAX', 'OCB'].map((mode) => [`--aead=${mode}`]),
    ...['zip', 'zlib', 'bzip'].map((kind) => [`--${kind}`]),
  ],
  weakEncryptions: ['TRIPLEDES', 'CAST5', 'BLOWFISH'].map((cipher) => ['--cipher', cipher]),
  unknownEncryptions: ['TWOFISH', 'SM4'].map((cipher) => ['--cipher', cipher]),
  signatures: ['SHA256', 'SHA384', 'SHA512', 'SHA224', 'SHA3-256', 'SHA3-512'].map((hash) => ['--hash', hash]),
  ciphers: ['aes-128-cfb', 'aes-192-cfb', 'aes-256-cfb'],
})
