/** Sequoia: sq with its kinds of keys and compression, sqop as Stateless OpenPGP. */
import { needs } from '../support/apt.ts'
import { describeOpenpgpProgram } from '../support/openpgp-suite.ts'
import { makeSop } from '../support/sop.ts'
import { makeSq } from '../support/sq.ts'

describeOpenpgpProgram({
  title: 'sq',
  programs: needs('sq', 'sq'),
  makeProgram: makeSq,
  clearsigns: true,
  kinds: ['cv25519', 'rsa3k'],
  encryptions: ['none', 'pad', 'zip', 'zlib', 'bzip2'].map((kind) => ['--compression', kind]),
  signatures: [],
  ciphers: ['aes-128-cfb', 'aes-192-cfb', 'aes-256-cfb'],
})

describeOpenpgpProgram({
  title: 'sqop',
  programs: needs('sqop', 'sqop'),
  makeProgram: () => makeSop('sqop'),
  kinds: [undefined],
  encryptions: [['--as', 'text']],
  signatures: [['--as', 'text']],
  ciphers: [],
})
