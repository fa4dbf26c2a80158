/**
 * gpg finds a user's key in our directory, as `sealpost serve` serves it: `gpg --locate-keys` asks by itself for the host, over HTTPS on port 443, and
 * believes the certificates of the system. So it runs with a hosts file and a certificate of its own put over those of the
 * system, which only its own mount namespace sees.
 */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { needsAll } from '../support/apt.ts'
import { type Provider, makeProvider } from '../support/provider.ts'

const run = promisify(execFile)
/** Nobody else listens there. */
const LOOPBACK = '127.0.0.77'
const ADVANCED = 'advanced.example'
const DIRECT = 'direct.example'
const HOSTS = [`openpgpkey.${ADVANCED}`, ADVANCED, DIRECT]

const skip = needsAll({ gpg: 'gpg', dirmngr: 'dirmngr', unshare: 'util-linux' }).skip || (await whyNot()) || false

/** Port 443 and a mount namespace are for root, or for whoever is allowed to. */
async function whyNot(): Promise<string | undefined> {
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) return 'no mount namespace may be made here'
  const server = createServer()
  const outcome = await new Promise<string | undefined>((resolve) => {
    server.once('error', (error) => resolve(`${LOOPBACK}:443 cannot be listened on: ${error.message}`))
    server.listen(443, LOOPBACK, () => resolve(undefined))
  })
  await new Promise((resolve) => server.close(resolve))
  return outcome
}

describe('gpg --locate-keys', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealpost-wkd-'))
  const file = (name: string): string => join(folder, name)
  let provider: Provider

  before(async () => {
    const tls = await createTlsCertificate({ hosts: HOSTS, nowMs: Date.now() })
    writeFileSync(file('ca.pem'), tls.certificatePem)
    writeFileSync(file('tls.key'), tls.keyPem)
    writeFileSync(file('hosts'), HOSTS.map((host) => `${LOOPBACK} ${host}\n`).join(''))
    provider = await makeProvider({
      domains: [ADVANCED, DIRECT],
      config: {
        listeners: { https: { host: LOOPBACK, port: 443 } },
        tls: { certificate: file('ca.pem'), key: file('tls.key') },
        log: { level: 'debug' },
      },
    })
    for (const domain of [ADVANCED, DIRECT]) await provider.cli(['user', 'add', `joe@${domain}`])
    await provider.start()
  })
  after(async () => {
    await provider[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  async function locate(address: string): Promise<{ readonly status: number; readonly said: string }> {
    const home = mkdtempSync(join(folder, 'reader-'))
    writeFileSync(join(home, 'dirmngr.conf'), 'standard-resolver\n') // it asks the hosts file
    const script = [
      `mount --bind ${file('hosts')} /etc/hosts`,
      `mount --bind ${file('ca.pem')} /etc/ssl/certs/ca-certificates.crt`,
      `gpg --homedir ${home} --batch --with-colons --auto-key-locate clear,nodefault,wkd --locate-keys ${address} 2>&1`,
      `status=$?`,
      `gpgconf --homedir ${home} --kill dirmngr`,
      `exit $status`,
    ].join('\n')
    try {
      return { status: 0, said: (await run('unshare', ['--mount', 'sh', '-c', script])).stdout }
    } catch (error) {
      const { code, stdout } = error as { code: number; stdout: string }
      return { status: code, said: stdout }
    }
  }

  const field = (said: string, record: string, index: number): string[] =>
    said
      .split('\n')
      .map((line) => line.split(':'))
      .filter(([name]) => name === record)
      .map((fields) => fields[index - 1] ?? '')

  const cases: readonly [address: string, method: string][] = [
    [`joe@${ADVANCED}`, 'the advanced method'],
    [`Joe@${DIRECT}`, 'the direct method, where the host of the other does not exist'],
  ]
  for (const [address, method] of cases)
    test(`by ${method}`, async () => {
      const { status, said } = await locate(address)
      assert.equal(status, 0, said)
      assert.deepEqual(field(said, 'uid', 10), [`<${address.toLowerCase()}>`])
      const listed = await provider.cli(['key', 'list', address.toLowerCase()])
      const ours = listed.filter((key) => key['standard'] === 'openpgp').map((key) => key['fingerprint'])
      assert.deepEqual(
        field(said, 'fpr', 10)
          .slice(0, 1)
          .map((each) => each.toLowerCase()),
        ours,
      )
      assert(field(said, 'sub', 12).includes('e'), 'gpg can encrypt to it')
    })

  test('not somebody who is not here', async () => {
    const { status, said } = await locate(`jane@${ADVANCED}`)
    assert.notEqual(status, 0, said)
    assert.deepEqual(field(said, 'uid', 10), [])
  })
})
