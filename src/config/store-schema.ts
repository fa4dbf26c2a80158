/** Which database. */
import { z } from 'zod'

const STORE_URL = /^(?:sqlite:|postgres(?:ql)?:\/\/\S+)$/

export const storeField = z.strictObject({
  url: z
    .string()
    .regex(STORE_URL, { error: 'is no database; write sqlite: or postgres://user@host:5432/database' })
    .default('sqlite:')
    .describe(
      '`sqlite:` is a database in `dataDir`. `postgres://user@host:5432/database` is a server that several nodes may share: see [postgresql.md](postgresql.md). A password belongs into `SEALPOST_STORE_URL` or `~/.pgpass`, not into this file.',
    ),
})
