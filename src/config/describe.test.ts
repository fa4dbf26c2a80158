import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { allSettings, describeConfig } from './describe.ts'

test('every setting says what it means, and all have a default but domains and what a bucket or a directory needs', () => {
  const settings = allSettings()
  assert.ok(settings.length > 40)
  for (const { setting, meaning, values } of settings) {
    assert.ok(meaning.length > 0, setting)
    assert.ok(values.length > 0, setting)
  }
  assert.deepEqual(
    settings.filter(({ fallback }) => fallback === undefined).map(({ setting }) => setting),
    [
      'domains',
      'store.bucket.endpoint',
      'store.bucket.name',
      'store.bucket.accessKeyId',
      'store.bucket.secretKeyFile',
      'accounts.ldap.urls',
      'accounts.ldap.baseDn',
    ],
  )
})

test('docs/operating/configuration.md is what the schema says', async () => {
  const committed = await readFile(new URL('../../docs/operating/configuration.md', import.meta.url), 'utf8')
  assert.equal(committed, describeConfig())
})
