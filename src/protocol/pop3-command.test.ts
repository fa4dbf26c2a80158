import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePop3Command, type Pop3Command } from './pop3-command.ts'

const rights: readonly [line: string, command: Pop3Command, why: string][] = [
  ['QUIT', { name: 'QUIT' }, 'no argument'],
  ['quit', { name: 'QUIT' }, 'keywords in any case (RFC 1939 §3)'],
  ['NOOP ', { name: 'NOOP' }, 'a space too many'],
  ['UTF8', { name: 'UTF8' }, 'a digit in the keyword (RFC 6856 §2.1)'],
  ['USER bob@abc.com', { name: 'USER', mailbox: 'bob@abc.com' }, 'an address as name'],
  ['USER Ünï@abc.com', { name: 'USER', mailbox: 'Ünï@abc.com' }, 'UTF-8 in a name (RFC 6856 §2.2)'],
  ['PASS a b  c ', { name: 'PASS', password: 'a b  c ' }, 'spaces belong to the password (RFC 1939 §7)'],
  ['PASS  x', { name: 'PASS', password: ' x' }, 'one space separates, the second is the password'],
  ['PASS pässwörd', { name: 'PASS', password: 'pässwörd' }, 'UTF-8 in a password'],
  ['LIST', { name: 'LIST', message: undefined }, 'all messages'],
  ['LIST 12', { name: 'LIST', message: 12 }, 'one message'],
  ['UIDL 007', { name: 'UIDL', message: 7 }, 'leading zeros'],
  ['RETR 0', { name: 'RETR', message: 0 }, 'a number that no message has'],
  ['DELE 9999999999', { name: 'DELE', message: 9999999999 }, 'the largest number taken'],
  ['TOP 1 0', { name: 'TOP', message: 1, bodyLines: 0 }, 'the header only'],
  ['AUTH plain', { name: 'AUTH', mechanism: 'PLAIN', initialResponse: undefined }, 'mechanisms in any case'],
  ['AUTH PLAIN =', { name: 'AUTH', mechanism: 'PLAIN', initialResponse: '=' }, 'an empty initial response'],
  ['LANG', { name: 'LANG', language: undefined }, 'the list of languages'],
  ['LANG de', { name: 'LANG', language: 'de' }, 'a language'],
]
for (const [line, command, why] of rights)
  test(`POP3 command: ${why}`, () =>
    assert.deepEqual(parsePop3Command(Buffer.from(line)), { ok: true, value: command }))

const wrongs: readonly [line: string | Buffer, error: string, why: string][] = [
  ['', 'Unknown command', 'an empty line'],
  [' QUIT', 'Unknown command', 'a leading space'],
  ['APOP bob c4c9334bac560ecc979e58001b3e22fb', 'Unknown command', 'APOP, which needs passwords in clear'],
  ['__proto__', 'Unknown command', 'a name that every object has'],
  ['constructor x', 'Unknown command', 'another one'],
  ['QUIT\0', 'Unknown command', 'a NUL in the keyword'],
  ['RETR 1\0', 'A command has no control characters', 'a NUL in an argument'],
  ['PASS a\rb', 'A command has no control characters', 'a bare CR'],
  ['PASS a\tb', 'A command has no control characters', 'a tab'],
  ['QUIT now', 'QUIT takes no argument', 'an argument too many'],
  ['USER', 'An argument is missing', 'no name'],
  ['PASS ', 'An argument is missing', 'an empty password'],
  [Buffer.from('PASS p\xe4ss', 'latin1'), 'The argument is not UTF-8', 'a password in latin1'],
  [Buffer.from('USER \xc0\xaf', 'latin1'), 'The argument is not UTF-8', 'an overlong form'],
  ['RETR é', 'Arguments are ASCII', '8-bit where only ASCII is'],
  ['R\xc9TR 1', 'Unknown command', '8-bit in the keyword'],
  ['RETR', 'RETR takes a message number', 'no number'],
  ['RETR x', 'RETR takes a message number', 'letters'],
  ['RETR -1', 'RETR takes a message number', 'a sign'],
  ['RETR 1.0', 'RETR takes a message number', 'a fraction'],
  ['RETR 0x1', 'RETR takes a message number', 'hexadecimal'],
  ['RETR 1 2', 'RETR takes a message number', 'two numbers'],
  ['DELE 10000000000', 'DELE takes a message number', 'too many digits'],
  ['LIST 1 2', 'LIST takes one message number at most', 'two numbers'],
  ['UIDL *', 'UIDL takes one message number at most', 'a wildcard'],
  ['TOP 1', 'TOP takes a message number and a line count', 'no line count'],
  ['TOP 1 -1', 'TOP takes a message number and a line count', 'a negative line count'],
  ['TOP 1 2 3', 'TOP takes a message number and a line count', 'three numbers'],
  ['AUTH', 'AUTH takes a mechanism and perhaps an initial response', 'no mechanism (RFC 5034 §4)'],
  ['AUTH PLAIN a b', 'AUTH takes a mechanism and perhaps an initial response', 'two responses'],
  ['LANG a b', 'LANG takes one language at most', 'two languages'],
]
for (const [line, error, why] of wrongs)
  test(`no POP3 command: ${why}`, () =>
    assert.deepEqual(parsePop3Command(typeof line === 'string' ? Buffer.from(line) : line), { ok: false, error }))
