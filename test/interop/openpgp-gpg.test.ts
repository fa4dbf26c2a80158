/** gpg 2.2: the kinds of keys that people have, and ciphers from before AES. */
import { needsAll } from '../support/apt.ts'
import { makeGpg } from '../support/gpg.ts'
import { describeOpenpgpProgram } from '../support/openpgp-suite.ts'

describeOpenpgpProgram({
  title: 'gpg',
  programs: needsAll({ gpg: 'gpg', 'gpg-agent': 'gpg-agent' }),
  makeProgram: makeGpg,
  clearsigns: true,
  kinds: [
    'rsa',
    'ed25519',
    'rsa-elgamal',
    'nistp256',
    'nistp384',
    'nistp521',
    'brainpoolP256r1',
    'brainpoolP384r1',
    'brainpoolP512r1',
  ],
  weakKinds: ['dsa-elgamal'],
  encryptions: [
    ...['CAMELLIA128', 'CAMELLIA192', 'CAMELLIA256', 'AES', 'AES192'].map((cipher) => ['--cipher-algo', cipher]),
    ...['zip', 'zlib', 'bzip2', 'none'].map((kind) => ['--compress-algo', kind]),
    ['--throw-keyids'],
    ['--textmode'],
    ['--rfc4880'],
  ],
  weakEncryptions: ['3DES', 'CAST5', 'BLOWFISH', 'IDEA'].map((cipher) => ['--cipher-algo', cipher]),
  unknownEncryptions: [['--cipher-algo', 'TWOFISH']],
  signatures: [...['SHA256', 'SHA384', 'SHA512', 'SHA224'].map((hash) => ['--digest-algo', hash]), ['--textmode']],
  ciphers: ['aes-128-cfb', 'aes-192-cfb', 'aes-256-cfb'],
})
