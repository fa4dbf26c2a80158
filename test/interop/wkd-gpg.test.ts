/**
 * gpg finds a user's key in our directory: `gpg --locate-keys` asks by itself for the host, over HTTPS on port 443, and
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
import { parseAddress, parseDomain } from '../../src/message/address.ts'
import { certificatesForAddress } from '../../src/protection/openpgp/certificate/one-address.ts'
import { wkdHash } from '../../src/protocol/wkd.ts'
import { type DirectoryDeps, answerOf } from '../../src/publish/directory.ts'
import { type HttpsListener, startHttps } from '../../src/publish/https-listener.ts'
import { needsAll } from '../support/apt.ts'

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
  const asked: string[] = []
  let listener: HttpsListener

  const gpg = (home: string, ...args: readonly string[]) =>
    run('gpg', ['--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
      encoding: 'buffer',
    })

  before(async () => {
    const owner = mkdtempSync(join(folder, 'owner-'))
    await gpg(owner, '--quick-gen-key', `Joe Doe <joe@${ADVANCED}>`, 'ed25519/cert,sign', 'sign', 'never')
    await gpg(owner, '--quick-add-uid', `joe@${ADVANCED}`, `Joe elsewhere <joe@${DIRECT}>`)
    const { stdout: keys } = await gpg(owner, '--export')
    const deps: DirectoryDeps = {
      domains: [ADVANCED, DIRECT].map(parseDomain).filter((domain) => domain !== undefined),
      userNamed: async (domain, hash) => (hash === wkdHash('joe') ? parseAddress(`joe@${domain}`) : undefined),
      publicKeysOf: async (address) => {
        const cut = certificatesForAddress(keys, address)
        assert(cut.ok)
        return Buffer.concat(cut.value)
      },
      armor: (bytes) => bytes,
    }
    const tls = await createTlsCertificate({ hosts: HOSTS, nowMs: Date.now() })
    writeFileSync(file('ca.pem'), tls.certificatePem)
    writeFileSync(file('hosts'), HOSTS.map((host) => `${LOOPBACK} ${host}\n`).join(''))
    listener = await startHttps(
      {
        host: LOOPBACK,
        port: 443,
        tls: { cert: tls.certificatePem, key: tls.keyPem },
        connectionsMax: 50,
        connectionsPerPeerMax: 50,
        stopGraceMs: 500,
      },
      {
        answer: (request) => {
          asked.push(`${request.method} ${request.host}${request.target}`)
          return answerOf(deps, request)
        },
        nowMs: () => Date.now(),
        answered: () => undefined,
        failed: (error) => assert.fail(String(error)),
      },
    )
  })
  after(async () => {
    await listener.stop()
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

  const userIds = (said: string): string[] => [...said.matchAll(/^uid:(?:[^:]*:){8}([^:]*)/gm)].map(([, id = '']) => id)

  test('by the advanced method', async () => {
    const { status, said } = await locate(`joe@${ADVANCED}`)
    assert.equal(status, 0, `${said}\n${asked.join('\n')}`)
    assert.deepEqual(userIds(said), [`Joe Doe <joe@${ADVANCED}>`])
    assert(asked.some((line) => line.includes(`openpgpkey.${ADVANCED}/.well-known/openpgpkey/${ADVANCED}/hu/`)))
  })

  test('by the direct method, where the host of the other does not exist', async () => {
    const { status, said } = await locate(`Joe@${DIRECT}`)
    assert.equal(status, 0, `${said}\n${asked.join('\n')}`)
    assert.deepEqual(userIds(said), [`Joe elsewhere <joe@${DIRECT}>`])
    assert(asked.some((line) => line.includes(`${DIRECT}/.well-known/openpgpkey/hu/`)))
  })

  test('not somebody who is not here', async () => {
    const { status, said } = await locate(`jane@${ADVANCED}`)
    assert.notEqual(status, 0, said)
    assert.deepEqual(userIds(said), [])
  })

  test('it asks for nothing that is not in the directory', () =>
    assert.deepEqual(
      asked.filter((line) => !/^GET [a-z.]+\/\.well-known\/openpgpkey\/(?:[a-z.]+\/)?(?:hu\/|policy)/.test(line)),
      [],
    ))
})
