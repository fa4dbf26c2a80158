/** Which database, and where large messages lie. */
import { z } from 'zod'
import { countField } from './fields.ts'

/**
 * Of a message as it comes in. An object is sent by one request, which Amazon and others bound at 5 GB, and a message that was
 * signed and encrypted is up to twice as large as it came, for base64 inside base64.
 */
export const MESSAGE_IN_BUCKET_MAX_BYTES = 2 ** 31

const STORE_URL = /^(?:sqlite:|postgres(?:ql)?:\/\/\S+)$/
const ENDPOINT = /^https?:\/\/(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::\d{1,5})?\/?$/
const BUCKET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/
const PREFIX = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*$/

const bucket = z.strictObject({
  endpoint: z
    .string()
    .regex(ENDPOINT, { error: 'is no S3 endpoint; write https://s3.example.org, without a path' })
    .describe('Where the S3-compatible store answers: `https://s3.example.org`.'),
  region: z
    .string()
    .min(1)
    .max(100)
    .default('us-east-1')
    .describe('As the store calls it; requests are signed for it.'),
  name: z
    .string()
    .regex(BUCKET_NAME, { error: 'is no name of a bucket; write 3 to 63 letters, digits, dots and hyphens' })
    .describe('The bucket, which must exist.'),
  prefix: z
    .string()
    .max(200)
    .regex(PREFIX, { error: 'is no prefix; write folders like mail/sealpost/' })
    .default('')
    .describe('What the key of each object begins with: `mail/`. Two stores must never share bucket and prefix.'),
  pathStyle: z
    .boolean()
    .default(true)
    .describe('`true` is https://endpoint/bucket/object; `false` is https://bucket.endpoint/object.'),
  accessKeyId: z.string().min(1).max(128).describe('With which key we sign in.'),
  secretKeyFile: z.string().min(1).describe('File with its secret in the first line; relative to this file.'),
  caFile: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'PEM file of the authorities that may vouch for the endpoint; `null` is those of Node. Relative to this file.',
    ),
  timeoutSeconds: countField(1, 60)
    .default(10)
    .describe('A connection on which nothing is heard for so long is lost; a request is tried three times.'),
})

export const storeField = z
  .strictObject({
    url: z
      .string()
      .regex(STORE_URL, { error: 'is no database; write sqlite: or postgres://user@host:5432/database' })
      .default('sqlite:')
      .describe(
        '`sqlite:` is a database in `dataDir`. `postgres://user@host:5432/database` is a server that several nodes may share: see [postgresql.md](postgresql.md). A password belongs into `SEALPOST_STORE_URL` or `~/.pgpass`, not into this file.',
      ),
    bucket: bucket
      .nullable()
      .prefault(null)
      .describe(
        'For messages over 64 kB a bucket of an S3-compatible store, beside PostgreSQL: see [postgresql.md](postgresql.md#large-messages-in-a-bucket). `null`: they are in the database.',
      ),
  })
  .refine(({ url, bucket: given }) => given === null || url !== 'sqlite:', {
    path: ['bucket'],
    error: 'needs PostgreSQL; with SQLite, large messages are files in dataDir. Set store.url, or take the bucket out',
  })
