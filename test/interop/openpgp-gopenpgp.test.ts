/** Proton's GopenPGP, as Stateless OpenPGP. */
import { needs } from '../support/apt.ts'
import { describeOpenpgpProgram } from '../support/openpgp-suite.ts'
import { makeSop } from '../support/sop.ts'

describeOpenpgpProgram({
  title: 'gosop',
  programs: needs('gosop', 'gosop'),
  makeProgram: () => makeSop('gosop'),
  kinds: [undefined],
  encryptions: [],
  signatures: [['--as', 'text']],
  ciphers: ['aes-128-cfb', 'aes-256-cfb'],
})
