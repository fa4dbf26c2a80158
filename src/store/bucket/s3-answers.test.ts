import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readError, readListing } from './s3-answers.ts'

const object = (key: string, modified: string): string =>
  `<Contents><Key>${key}</Key><LastModified>${modified}</LastModified><Size>5</Size></Contents>`
const listing = (more: string): string =>
  `<?xml version='1.0' encoding='UTF-8'?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${more}</ListBucketResult>`

const AT = '2026-11-23T09:31:04.000Z'
const atMs = Date.parse(AT)

const listings: readonly [why: string, xml: string, expected: ReturnType<typeof readListing>][] = [
  ['nothing', listing('<KeyCount>0</KeyCount>'), { objects: [], next: undefined }],
  ['an object', listing(object('a/b', AT)), { objects: [{ key: 'a/b', modifiedMs: atMs }], next: undefined }],
  [
    'what is escaped',
    listing(object('&lt;&#65;&#x42;&amp;', AT)),
    { objects: [{ key: '<AB&', modifiedMs: atMs }], next: undefined },
  ],
  [
    'an escape of no character',
    listing(object('&#x110000;', AT)),
    { objects: [{ key: '&#x110000;', modifiedMs: atMs }], next: undefined },
  ],
  [
    'an object without a time',
    listing(object('a', 'yesterday') + object('b', AT)),
    { objects: [{ key: 'b', modifiedMs: atMs }], next: undefined },
  ],
  [
    'that there is more',
    listing('<IsTruncated>true</IsTruncated><NextContinuationToken>x+y=</NextContinuationToken>'),
    { objects: [], next: 'x+y=' },
  ],
  [
    'that there is no more',
    listing('<IsTruncated>false</IsTruncated><NextContinuationToken>x</NextContinuationToken>'),
    { objects: [], next: undefined },
  ],
  ['one that is cut off', listing(object('a', AT)).slice(0, -60), { objects: [], next: undefined }],
  ['no XML', 'Bad Gateway', { objects: [], next: undefined }],
]
for (const [why, xml, expected] of listings)
  test(`a listing says ${why}`, () => assert.deepEqual(readListing(xml), expected))

const errors: readonly [xml: string, expected: ReturnType<typeof readError>][] = [
  [
    '<Error><Code>NoSuchKey</Code><Message>Gone &amp; away</Message></Error>',
    { code: 'NoSuchKey', message: 'Gone & away' },
  ],
  ['<Error><Code>SlowDown</Code></Error>', { code: 'SlowDown', message: '' }],
  ['<Error><Message>?</Message></Error>', undefined],
  ['', undefined],
]
for (const [xml, expected] of errors) test(`an error: ${xml}`, () => assert.deepEqual(readError(xml), expected))
