/** mutt and neomutt, with GPGME and gpg. */
import { describeMuttPgp } from '../support/mutt-pgp-suite.ts'

describeMuttPgp('mutt')
describeMuttPgp('neomutt')
