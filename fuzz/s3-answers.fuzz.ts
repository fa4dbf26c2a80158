/** Answers of an S3-compatible store: no throw, time bounded by the size. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { utf8 } from '../src/base/bytes.ts'
import { readError, readListing } from '../src/store/bucket/s3-answers.ts'

const MS_MAX = 1_000

export function target(bytes: Uint8Array): void {
  const startMs = performance.now()
  const xml = Buffer.from(bytes).toString('utf8')
  const { objects } = readListing(xml)
  for (const { key, modifiedMs } of objects) assert(xml.includes('<Key>') && Number.isFinite(modifiedMs), key)
  if (readError(xml) !== undefined) assert(xml.includes('<Code>'))
  assert(performance.now() - startMs < MS_MAX, 'too slow')
}

export function seeds(): Uint8Array[] {
  return [
    utf8(
      '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>mail</Name><IsTruncated>true</IsTruncated><NextContinuationToken>a+b/c=</NextContinuationToken><Contents><Key>mail/0123456789abcdef0123456789abcdef</Key><LastModified>2026-11-23T09:31:04.000Z</LastModified></Contents></ListBucketResult>',
    ),
    utf8(
      '<Error><Code>SlowDown</Code><Message>Please &lt;reduce&gt; &#39;your&#x27; rate &#x110000;</Message></Error>',
    ),
  ]
}
