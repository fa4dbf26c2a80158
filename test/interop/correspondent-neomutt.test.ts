/** A correspondent who reads and writes protected mail in neomutt. */
import { describeMutt } from '../support/mutt-suite.ts'

describeMutt('neomutt')
