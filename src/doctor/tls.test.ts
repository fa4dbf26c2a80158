import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { rootCertificates } from 'node:tls'
import type { DnsAsk } from '../base/dns-client.ts'
import { fail } from '../base/result.ts'
import type { Config } from '../config/load.ts'
import { createTlsCertificate } from '../keys/certificate-authority.ts'
import { examineTls, leadsToKnown, readCertificates } from './tls.ts'

const DAY_MS = 24 * 60 * 60_000
const NOW_MS = Date.UTC(2026, 0, 1)
const folder = mkdtempSync(join(tmpdir(), 'sealpost-tls-'))
after(() => rmSync(folder, { recursive: true }))
const file = (name: string): string => join(folder, name)

before(async () => {
  for (const name of ['one', 'other']) {
    const { certificatePem, keyPem } = await createTlsCertificate({ hosts: ['mail.abc.example'], nowMs: NOW_MS })
    writeFileSync(file(`${name}.pem`), certificatePem)
    writeFileSync(file(`${name}.key`), keyPem)
  }
})

async function examined(more: {
  hostname?: string
  key?: string
  certificate?: string
  nowMs?: number
}): Promise<string[]> {
  const { hostname = 'mail.abc.example', key = 'one.key', certificate = 'one.pem', nowMs = NOW_MS + DAY_MS } = more
  const tls = { certificate: file(certificate), key: file(key) }
  const config = { hostname, tls, listeners: { https: null } } as Config
  const ask = (async () => ({ kind: 'none', secure: false })) as DnsAsk
  const certificates = await readCertificates(config)
  const fetch = async () => fail('none')
  const findings = await examineTls({ config, certificates, nowMs, domains: [], ask, askBelieving: ask, fetch })
  return findings.map(({ check, level, finding }) => `${check.split(': ')[1] ?? check} ${level}: ${finding}`)
}

test('a certificate that names us and has years to go; self-signed, as init makes it', async () => {
  assert.deepEqual(await examined({}), [
    'names ok: mail.abc.example',
    'end ok: 2028-04-05, in 824 days',
    'chain warning: the certificate has signed itself',
  ])
})

test('another name, or a key that is not its own', async () => {
  assert.equal((await examined({ hostname: 'mx.abc.example' }))[0], 'names broken: does not name mx.abc.example')
  for (const wrong of [
    { key: 'other.key' },
    { key: 'none.key' },
    { certificate: 'none.pem' },
    { certificate: 'one.key' },
  ])
    assert.match((await examined(wrong)).join(), /^TLS certificate broken: .* are no pair, or not there$/)
})

test('its end comes near, and has come; its beginning is still to come', async () => {
  const endsMs = new X509Certificate(readFileSync(file('one.pem'))).validToDate.getTime()
  const endAt = async (nowMs: number) => (await examined({ nowMs }))[1]
  assert.match((await endAt(endsMs - 10.5 * DAY_MS)) ?? '', /^end warning: ends on .*, in 10 days/)
  assert.match((await endAt(endsMs + DAY_MS)) ?? '', /^end broken: expired on/)
  assert.match((await endAt(NOW_MS - 30 * DAY_MS)) ?? '', /^end broken: counts from/)
})

test('one from an authority of programs counts with the certificates in between, and not without', async () => {
  const [root] = rootCertificates
  writeFileSync(file('root.pem'), root ?? '')
  const certificates = await readCertificates({ tls: { certificate: file('root.pem'), key: '' } } as Config)
  assert.equal(leadsToKnown(certificates, NOW_MS), true)
  const stranger = await readCertificates({ tls: { certificate: file('one.pem'), key: '' } } as Config)
  assert.equal(leadsToKnown([...stranger, ...certificates], NOW_MS), false)
})
