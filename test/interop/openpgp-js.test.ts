/** openpgp.js: version 6 both ways, and SEIPD of version 2 in its three modes. */
import { makeOpenpgpJs } from '../support/openpgp-js.ts'
import { describeOpenpgpProgram } from '../support/openpgp-suite.ts'

describeOpenpgpProgram({
  title: 'openpgp.js',
  programs: { skip: false },
  makeProgram: makeOpenpgpJs,
  profiles: ['v4', 'v6'],
  kinds: ['v6-curve25519', 'v6-curve448', 'v4-curve25519', 'v4-ecc'],
  encryptions: [['eax'], ['ocb'], ['gcm']],
  signatures: [],
  ciphers: ['aes-256-cfb', 'aes-128-ocb', 'aes-256-ocb'],
})
