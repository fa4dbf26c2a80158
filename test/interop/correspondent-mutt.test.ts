/** A correspondent who reads and writes protected mail in mutt. */
import { describeMutt } from '../support/mutt-suite.ts'

describeMutt('mutt')
