/** What the commands of the contract answer: help, exit status, JSON, and refusals that say why. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Command } from 'commander'
import { program } from '../../src/cli/program.ts'
import { openpgp } from '../../src/protection/openpgp/openpgp.ts'
import { readKeyFile, writeKeyFile } from '../../src/protection/smime/key-files/key-file.ts'
import { openpgpIdentity } from '../support/openpgp-identity.ts'
import { writeCertificatePem } from '../../src/protection/smime/key-files/pem.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { jsonLines, runCommand, runProgram } from '../support/run-command.ts'
import { smimeIdentity } from '../support/smime-identity.ts'
import { makeAuthority, makeCertificate } from '../support/x509-maker.ts'

const dir = mkdtempSync(join(tmpdir(), 'sealpost-commands-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  user: ['add', 'list', 'suspend', 'resume', 'remove'],
  key: ['list', 'find', 'import', 'export', 'rotate', 'revoke'],
  trust: ['add', 'list', 'remove', 'export'],
  queue: ['list', 'retry', 'hold', 'release', 'remove'],
}
const COMMANDS = ['init', 'serve', 'seal', 'open', 'trace'].concat(
  Object.entries(GROUPS).flatMap(([group, names]) => names.map((name) => `${group} ${name}`)),
)

/** By what is typed: `user add`. */
function leaves(command: Command, typed: readonly string[] = []): ReadonlyMap<string, Command> {
  if (command.commands.length === 0) return new Map([[typed.join(' '), command]])
  return new Map(command.commands.flatMap((each) => [...leaves(each, [...typed, each.name()])]))
}

const everything = await program()

describe('help', () => {
  const named = leaves(everything)
  test('the commands of the contract are there', () =>
    assert.deepEqual(
      COMMANDS.filter((name) => !named.has(name)),
      [],
    ))
  for (const [name, command] of named)
    test(`sealpost ${name} --help shows its options and examples`, () => {
      let help = ''
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
      assert.match(help, /--config <file>/)
      assert.match(help, /--json/)
      assert.ok(help.slice(help.indexOf('\nExamples:\n')).includes(`sealpost ${name}`), help)
    })

  test('the command shows it, and names every other', async () => {
    const { code, stdout } = await runProgram(['--help'])
    assert.equal(code, 0)
    for (const name of new Set(COMMANDS.map((command) => command.split(' ')[0])))
      assert.ok(stdout.includes(`  ${name}`))
    assert.match((await runCommand(['key', 'export', '--help'])).stdout, /\nExamples:\n {2}sealpost key export/)
  })
})

describe('wrong use has status 2, writes nothing to stdout, and names --help', () => {
  const cases: readonly [args: string, says: RegExp][] = [
    ['opne x.eml', /unknown command 'opne'\n\(Did you mean open\?\)/],
    ['open x.eml --bogus', /unknown option '--bogus'/],
    ['seal x.eml', /required option '--from <address>' not specified/],
    ['init --dir x', /required option '--domain <domain>' not specified/],
    ['user add', /missing required argument 'address'/],
    ['user add a@b.example c@b.example', /too many arguments/],
    ['key export a@b.example --standard pgp9', /'pgp9' is invalid/],
    ['queue retry', /name queue ids, or say which/],
    ['queue hold 1 --all', /name queue ids, or say which/],
    ['queue hold --all --domain b.example', /name queue ids, or say which/],
    ['serve --role sing', /no role "sing"/],
  ]
  for (const [args, says] of cases)
    test(args, async () => {
      const { code, stdout, stderr } = await runCommand(args.split(' '))
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, says)
      assert.match(stderr, /\(see --help\)/)
    })
})

describe('failure has status 1 and one sentence', () => {
  const full = mkdtempSync(join(dir, 'full-'))
  writeFileSync(join(full, 'mine.txt'), 'mine')
  const cases: readonly [args: readonly string[], says: RegExp][] = [
    [['init', '--dir', full, '--domain', 'a.example'], /is not empty; give a new or an empty folder/],
    [['init', '--dir', join(dir, 'new'), '--domain', 'not a domain'], /"not a domain" is not a domain/],
    [['user', 'list', '--config', join(dir, 'none.yaml')], /none\.yaml.*is --config right\?/],
    [['key', 'import', join(dir, 'none.pem')], /no such file/],
  ]
  for (const [args, says] of cases)
    test(args.slice(0, 2).join(' '), async () => {
      const { code, stdout, stderr } = await runCommand(args)
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, says)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    })

  after(() => {
    assert.deepEqual(readdirSync(full), ['mine.txt'], 'init left the full folder as it was')
    assert.ok(!existsSync(join(dir, 'new')), 'init made nothing for a wrong domain')
  })
})

test('the program itself ends as its commands do in a thread of these tests: status, what it reads and writes', async () => {
  const home = join(dir, 'program')
  const config = ['--config', join(home, 'sealpost.yaml')]
  assert.equal((await runProgram(['init', '--dir', home, '--domain', 'a.example'])).code, 0)
  const add = ['user', 'add', 'ann@a.example', '--password-stdin', '--json', ...config]
  const added = await runProgram(add, 'my own\n')
  assert.equal(added.code, 0)
  assert.equal(jsonLines(added.stdout)[0]?.['password'], 'my own')
  for (const args of [['opne'], ['user', 'add', ...config], add, ['key', 'import', join(dir, 'none.pem'), ...config]])
    assert.deepEqual(await runProgram(args, 'other\n'), await runCommand(args, 'other\n'), args.join(' '))
})

describe('user, key, trust', () => {
  let provider: Provider
  before(async () => {
    provider = await makeProvider({ domains: ['a.example', 'b.example'] })
  })
  after(() => provider[Symbol.asyncDispose]())

  const refused = async (args: readonly string[], says: RegExp, input?: string): Promise<void> => {
    const { code, stdout, stderr } = await runCommand([...args, '--config', provider.configFile], input)
    assert.deepEqual([code, stdout], [1, ''], args.join(' '))
    assert.match(stderr, says)
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
  }
  const audited = (): readonly string[] => {
    const database = new DatabaseSync(join(dirname(provider.configFile), 'sealpost.db'), { readOnly: true })
    const rows = database.prepare('SELECT operation, subject FROM audit ORDER BY id').all()
    database.close()
    return rows.map((row) => `${String(row['operation'])} ${String(row['subject'])}`)
  }

  test('user add prints address, password and keys; a given password is taken', async () => {
    const [user] = await provider.cli(['user', 'add', 'ann@a.example'])
    const { keys, password } = user as { keys: Record<string, string>[]; password: string }
    assert.deepEqual(Object.keys(user ?? {}), ['address', 'password', 'keys'])
    assert.equal(user?.['address'], 'ann@a.example')
    assert.match(password, /^[0-9a-f]{24}$/)
    assert.deepEqual(Object.keys(keys[0] ?? {}), ['standard', 'algorithm', 'fingerprint'])
    assert.match(keys[0]?.['fingerprint'] ?? '', /^[0-9a-f]{64}$/)
    const [other] = await provider.cli(['user', 'add', 'ben@b.example', '--password-stdin'], 'my own\n')
    assert.equal(other?.['password'], 'my own')
    await refused(['user', 'add', 'Ann@A.example'], /given out already/)
    await refused(['user', 'add', 'ann@c.example'], /c\.example is not one of our domains \(a\.example, b\.example\)/)
    await refused(['user', 'add', 'ann'], /"ann" is not an e-mail address/)
    await refused(['user', 'add', 'x@a.example', '--password-stdin'], /password is empty/, '\n')
    assert.deepEqual(
      (await provider.cli(['user', 'list'])).map(({ address, status }) => [address, status]),
      [
        ['ann@a.example', 'active'],
        ['ben@b.example', 'active'],
      ],
    )
  })

  test('people get tables and sentences', async () => {
    const { stdout } = await runCommand(['user', 'list', '--config', provider.configFile])
    assert.match(stdout, /^ADDRESS +STATUS +SOURCE +CREATED +DISPUTED\nann@a\.example +active +table +\d{4}-\S+ +no\n/)
  })

  test('key export gives the public key only; the private one under a password, with an audit row', async () => {
    const [exported] = await provider.cli(['key', 'export', 'ann@a.example'])
    assert.deepEqual(Object.keys(exported ?? {}), ['address', 'keys', 'pem'])
    assert.doesNotMatch(String(exported?.['pem']), /PRIVATE/)
    const plain = await runCommand(['key', 'export', 'ann@a.example', '--config', provider.configFile])
    assert.equal(plain.stdout, exported?.['pem'])
    await refused(['key', 'export', 'ann@a.example', '--private'], /only under a password/)
    await refused(['key', 'export', 'ann@a.example', '--private', '--password-stdin'], /only under a password/, '\n')
    await refused(['key', 'export', 'nobody@a.example'], /No usable smime key/)
    assert.ok(!audited().some((row) => row.startsWith('key export')))
    const [secret] = await provider.cli(['key', 'export', 'ann@a.example', '--private', '--password-stdin'], 'sesame')
    const file = Buffer.from(String(secret?.['pkcs12']), 'base64')
    const read = readKeyFile(file, 'sesame')
    assert.ok(read.ok && read.value.keys.length === 1 && !readKeyFile(file, 'other').ok)
    assert.ok(
      audited().includes(`key export ${(exported as { keys: { fingerprint: string }[] }).keys[0]?.fingerprint}`),
    )
  })

  test('a user with keys of several kinds: what each is for, and all of them in one file', async () => {
    await provider.configure({ keys: { algorithm: ['ec-p256', 'ed25519+x25519'] } })
    const [made] = await provider.cli(['user', 'add', 'zoe@a.example'])
    await provider.configure({ keys: { algorithm: 'rsa-2048' } })
    const kinds = ['ec-p256', 'ed25519', 'x25519']
    const algorithmsOf = (row: unknown): string[] =>
      (row as { keys: { algorithm: string }[] }).keys.map(({ algorithm }) => algorithm)
    assert.deepEqual(algorithmsOf(made), [...kinds, 'ed25519'], 'the last of OpenPGP')
    const listed = (await provider.cli(['key', 'list', 'zoe@a.example'])).filter((row) => row['standard'] === 'smime')
    const uses = new Map(listed.map((row) => [row['algorithm'], row['use']]))
    assert.deepEqual(
      kinds.map((kind) => uses.get(kind)),
      ['sign+encrypt', 'sign', 'encrypt'],
    )
    const [exported] = await provider.cli(['key', 'export', 'zoe@a.example'])
    assert.deepEqual(algorithmsOf(exported), kinds)
    assert.equal(String(exported?.['pem']).match(/BEGIN CERTIFICATE/g)?.length, 3)
    const [secret] = await provider.cli(['key', 'export', 'zoe@a.example', '--private', '--password-stdin'], 'sesame')
    const read = readKeyFile(Buffer.from(String(secret?.['pkcs12']), 'base64'), 'sesame')
    assert.ok(read.ok)
    assert.deepEqual(
      read.value.keys.map(({ certificate }) => certificate.algorithm),
      kinds,
    )
  })

  test('OpenPGP keys leave under a password only, and come back with it', async () => {
    const exporting = ['key', 'export', 'zoe@a.example', '--standard', 'openpgp', '--private']
    await refused(exporting, /leaves only under a password/)
    const [secret] = await provider.cli([...exporting, '--password-stdin'], 'sesame')
    const armored = Buffer.from(String(secret?.['openpgp']), 'base64')
    assert.match(armored.toString(), /^-----BEGIN PGP PRIVATE KEY BLOCK-----/)
    const [read] = [openpgp.readKeyFile(armored, 'sesame')]
    assert.ok(read?.ok)
    assert.deepEqual(
      read.value.keys.map(({ subkeys = [] }) => subkeys.length),
      [3],
    )
    await refused(['key', 'import', '-'], /password/, armored.toString())
    const file = join(provider.dir, 'zoe.asc')
    writeFileSync(file, armored)
    const [imported] = await provider.cli(['key', 'import', file, '--password-stdin'], 'sesame')
    assert.deepEqual([imported?.['standard'], imported?.['private']], ['openpgp', true])
    const carl = openpgpIdentity('carl@c.example')
    const foreign = Buffer.from(openpgp.writeKeyFile({ keys: [carl], password: 'sesame' }))
    writeFileSync(file, foreign)
    await refused(['key', 'import', file, '--password-stdin'], /is not a user here/, 'sesame')
  })

  test('key import: whose, and what it refuses', async () => {
    const carl = smimeIdentity('p256', 'carl@c.example')
    const certificate = writeCertificatePem(carl.certificate.encoded)
    const [imported] = await provider.cli(['key', 'import', '-'], certificate)
    assert.deepEqual([imported?.['address'], imported?.['private']], ['carl@c.example', false])
    const [listed, ...more] = await provider.cli(['key', 'list', 'carl@c.example'])
    assert.deepEqual(
      [listed?.['trust'], listed?.['private'], listed?.['revoked'], more.length],
      ['confirmed', false, null, 0],
    )
    await refused(
      ['key', 'import', '-', '--address', 'x@c.example'],
      /is for carl@c\.example, not for x@c/,
      certificate,
    )
    await refused(['key', 'import', '-'], /neither PEM nor DER/, 'rubbish')
    const pkcs12 = join(dir, 'carl.p12')
    writeFileSync(pkcs12, writeKeyFile({ keys: [carl], password: 'sesame' }))
    await refused(['key', 'import', pkcs12], /password is wrong/)
    await refused(['key', 'import', pkcs12, '--password-stdin'], /carl@c\.example is not a user here/, 'sesame')
    const nameless = writeCertificatePem(makeCertificate({ name: 'Nameless' }).certificate.encoded)
    await refused(['key', 'import', '-'], /names no address; say which with --address/, nameless)
    const [bound] = await provider.cli(['key', 'import', '-', '--address', 'n@c.example'], nameless)
    assert.equal(bound?.['address'], 'n@c.example')
    const root = writeCertificatePem(makeAuthority({ name: 'Root' }).certificate.encoded)
    await refused(['key', 'import', '-'], /use "trust add"/, root)
  })

  test('key rotate and revoke: the old stay listed, and are known as what they are', async () => {
    const keysOf = async (address: string) =>
      (await provider.cli(['key', 'list', address])).filter((row) => row['standard'] === 'smime')
    const [old] = await keysOf('ben@b.example')
    const [rotated] = await provider.cli(['key', 'rotate', 'ben@b.example', '--standard', 'smime'])
    const [made] = (rotated as { keys: { fingerprint: string }[] }).keys
    const fingerprints = (await keysOf('ben@b.example')).map((key) => key['fingerprint'])
    assert.deepEqual(new Set(fingerprints), new Set([old?.['fingerprint'], made?.fingerprint]))
    const colons = String(made?.fingerprint).toUpperCase().match(/../g)?.join(':') ?? ''
    await provider.cli(['key', 'revoke', colons])
    const revoked = (await keysOf('ben@b.example')).filter((key) => key['revoked'] !== null)
    assert.deepEqual(
      revoked.map((key) => key['fingerprint']),
      [made?.fingerprint],
    )
    await refused(['key', 'revoke', 'abcd'], /There is no key abcd; "sealpost key list" names them/)
    await refused(['key', 'rotate', 'nobody@b.example'], /no user nobody@b\.example/)
  })

  test('trust add, list, remove', async () => {
    const root = makeAuthority({ name: 'Root' }).certificate
    const before = (await provider.cli(['trust', 'list'])).length
    assert.equal(before, 2, 'one authority for each domain')
    const [added] = await provider.cli(['trust', 'add', '-'], writeCertificatePem(root.encoded))
    assert.deepEqual(added, { fingerprint: root.fingerprint, subject: root.subject })
    assert.equal((await provider.cli(['trust', 'list'])).length, 3)
    const leaf = writeCertificatePem(makeCertificate({ name: 'Leaf' }).certificate.encoded)
    await refused(['trust', 'add', '-'], /is not a certificate authority/, leaf)
    await refused(['trust', 'add', '-'], /No certificate/, 'rubbish')
    await provider.cli(['trust', 'remove', root.fingerprint])
    assert.equal((await provider.cli(['trust', 'list'])).length, 2)
    await refused(['trust', 'remove', root.fingerprint], /There is no trust anchor/)
    const own = await runCommand(['trust', 'export', 'a.example', '--config', provider.configFile])
    assert.match(own.stdout, /^-----BEGIN CERTIFICATE-----\n/)
  })

  test('every change left its row in the audit; --json printed one object a line', async () => {
    const operations = new Set(audited().map((row) => row.split(' ').slice(0, 2).join(' ')))
    for (const operation of [
      'user add',
      'key import',
      'key export',
      'key rotate',
      'key revoke',
      'trust add',
      'trust remove',
    ])
      assert.ok(operations.has(operation), `${operation}: ${[...operations].join(', ')}`)
    const { stdout } = await runCommand(['key', 'list', '--json', '--config', provider.configFile])
    assert.ok(jsonLines(stdout).length > 4)
  })
})
