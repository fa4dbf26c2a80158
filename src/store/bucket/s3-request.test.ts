import assert from 'node:assert/strict'
import { test } from 'node:test'
import { urlOf } from './s3-request.ts'

const at = { endpoint: 'https://s3.example.org', name: 'mail' }
const cases: readonly [settings: Parameters<typeof urlOf>[0], key: string, url: string][] = [
  [{ ...at, pathStyle: true }, 'a/b', 'https://s3.example.org/mail/a/b'],
  [{ ...at, pathStyle: true }, '', 'https://s3.example.org/mail'],
  [{ ...at, pathStyle: false }, 'a/b', 'https://mail.s3.example.org/a/b'],
  [{ ...at, pathStyle: false }, '', 'https://mail.s3.example.org/'],
  [{ ...at, endpoint: 'http://[::1]:9000', pathStyle: true }, 'a', 'http://[::1]:9000/mail/a'],
]
for (const [settings, key, url] of cases) test(url, () => assert.equal(urlOf(settings, key).href, url))
