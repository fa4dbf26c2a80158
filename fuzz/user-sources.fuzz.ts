/** A file of users, and a directory's answer to StartTLS: no throw, time bounded; no user without address and hash. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { utf8 } from '../src/base/bytes.ts'
import { isPasswordHash } from '../src/keys/password.ts'
import { readStartTlsAnswer, startTlsRequest } from '../src/keys/user-sources/ldap/start-tls.ts'
import { parsePasswordFile } from '../src/keys/user-sources/password-file.ts'
import { addressKey, parseAddress } from '../src/message/address.ts'

const MS_MAX = 1_000

export function target(bytes: Uint8Array): void {
  const startMs = performance.now()
  const users = parsePasswordFile(Buffer.from(bytes).toString('utf8'))
  if (users.ok)
    for (const [key, { address, hash }] of users.value) {
      const parsed = parseAddress(key)
      assert(parsed !== undefined && addressKey(parsed) === key)
      assert.equal(parseAddress(address), address)
      assert(isPasswordHash(hash))
    }
  readStartTlsAnswer(bytes)
  assert(performance.now() - startMs < MS_MAX, 'too slow')
}

export function seeds(): Uint8Array[] {
  const hash = '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG'
  const texts = [`# ours\na@abc.example:${hash}:b@abc.example,c@abc.example\n`, `a@abc.example:{ARGON2ID}${hash}\n`]
  return [...texts.map(utf8), startTlsRequest(), Buffer.from('300c02010178070a010004000400', 'hex')]
}
