/** Our OCSP requests answered by `openssl ocsp`, and lists made by `openssl ca`: what they tell of a certificate. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { NONCE_BYTES, isAnswerTo, parseOcspResponse, writeOcspRequest } from '../../src/protection/smime/x509/ocsp.ts'
import { type PathValidationInput, validatePath } from '../../src/protection/smime/x509/path-validation.ts'
import { needs } from '../support/apt.ts'
import { type Fate, makeOpensslAuthority } from '../support/openssl-authority.ts'
import type { Entity } from '../support/x509-maker.ts'

const nowMs = Date.now()

describe('openssl as an authority', needs('openssl', 'openssl'), () => {
  const authority = makeOpensslAuthority(nowMs)
  after(() => authority[Symbol.dispose]())
  const users: Readonly<Record<Fate, Entity>> = {
    good: authority.issue({ name: 'good' }, 'good'),
    revoked: authority.issue({ name: 'revoked' }, 'revoked'),
    unknown: authority.issue({ name: 'unknown' }, 'unknown'),
  }

  function verdictOn(user: Entity, data: Partial<PathValidationInput>): string {
    const found = validatePath({
      certificate: user.certificate,
      untrusted: [],
      anchors: [authority.root.certificate],
      atMs: nowMs,
      revocation: 'require',
      purpose: 'email',
      ...data,
    })
    return found.trusted ? 'trusted' : found.verdict
  }

  const cases: readonly [fate: Fate, by: 'root' | 'delegate' | 'stranger', more: readonly string[], verdict: string][] =
    [
      ['good', 'root', [], 'trusted'],
      ['good', 'delegate', [], 'trusted'],
      ['good', 'delegate', ['-resp_key_id'], 'trusted'],
      ['good', 'delegate', ['-nmin', '5'], 'trusted'],
      ['good', 'delegate', ['-resp_no_certs'], 'untrusted'],
      ['good', 'stranger', [], 'untrusted'],
      ['good', 'root', ['-badsig'], 'untrusted'],
      ['revoked', 'root', [], 'revoked'],
      ['revoked', 'delegate', [], 'revoked'],
      ['revoked', 'stranger', [], 'untrusted'],
      ['unknown', 'root', [], 'untrusted'],
    ]
  for (const [fate, by, more, verdict] of cases)
    test(`OCSP: ${fate}, says the ${by} ${more.join(' ')}`, async () => {
      const { certificate } = users[fate]
      const nonce = randomBytes(NONCE_BYTES)
      const request = writeOcspRequest(certificate, authority.root.certificate, nonce)
      const answer = await authority.answer(request, by, more)
      const parsed = parseOcspResponse(answer)
      assert.ok(parsed.ok, parsed.ok ? '' : parsed.error)
      assert.ok(isAnswerTo(parsed.value, nonce), 'openssl repeats the nonce')
      assert.ok(!isAnswerTo(parsed.value, randomBytes(NONCE_BYTES)))
      assert.equal(verdictOn(users[fate], { ocspResponses: [answer] }), verdict)
    })

  test('a list', async () => {
    const fetchedCrls = [{ id: 'one', encoded: await authority.crl() }]
    const verdicts = (['good', 'revoked', 'unknown'] as const).map((fate) => verdictOn(users[fate], { fetchedCrls }))
    assert.deepEqual(verdicts, ['trusted', 'revoked', 'trusted'])
  })
})
