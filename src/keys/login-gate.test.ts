import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type RateLimits, Rates } from '../base/rates.ts'
import { LoginGate } from './login-gate.ts'

const LIMITS: RateLimits = {
  connectionsPerAddress: 0,
  mailsPerAddress: 0,
  recipientsPerAddress: 0,
  refusedRecipientsPerAddress: 0,
  loginFailuresPerAddress: 5,
  mailsPerUser: 0,
  recipientsPerUser: 0,
  loginFailuresPerUser: 3,
}

function gateAt(): { gate: LoginGate; time: { nowMs: number } } {
  const time = { nowMs: 0 }
  const rates = new Rates({
    limits: () => LIMITS,
    exempt: (address) => address === '127.0.0.1',
    nowMs: () => time.nowMs,
  })
  return { gate: new LoginGate(rates), time }
}

const tries = (gate: LoginGate, user: string, addresses: readonly string[]): number =>
  addresses.filter((address) => gate.mayTry(user, address)).length

test('one address: so many wrong passwords a minute, under whatever names', () => {
  const { gate, time } = gateAt()
  const names = Array.from({ length: 10 }, (_, index) => `u${index}@a.example`)
  assert.equal(names.filter((name) => gate.mayTry(name, '192.0.2.1')).length, 5)
  assert(gate.mayTry('x@a.example', '192.0.2.2'), 'others are not concerned')
  time.nowMs = 60_000
  assert(gate.mayTry('x@a.example', '192.0.2.1'))
})

test('one name: so many wrong passwords a minute, from wherever; the case of the name does not matter', () => {
  const { gate } = gateAt()
  const many = Array.from({ length: 10 }, (_, index) => `192.0.2.${index}`)
  assert.equal(tries(gate, 'bob@a.example', many), 3)
  assert(!gate.mayTry('BOB@a.example', '198.51.100.1'))
})

test('an IPv6 network counts as one address', () => {
  const { gate } = gateAt()
  for (let host = 1; host <= 5; host++) assert(gate.mayTry(`u${host}@a.example`, `2001:db8::${host}`))
  assert(!gate.mayTry('x@a.example', '2001:db8::99'))
  assert(gate.mayTry('x@a.example', '2001:db8:0:1::1'))
})

test('guessing from elsewhere does not lock the user out at home', () => {
  const { gate } = gateAt()
  assert(gate.mayTry('bob@a.example', '203.0.113.7'))
  gate.succeeded('bob@a.example', '203.0.113.7')
  const many = Array.from({ length: 10 }, (_, index) => `192.0.2.${index}`)
  assert.equal(tries(gate, 'bob@a.example', many), 3)
  assert(gate.mayTry('bob@a.example', '203.0.113.7'), 'where they have signed in before')
})

test('right passwords cost nothing, nor does what could not be checked; programs on this machine are not counted', () => {
  const { gate } = gateAt()
  for (let round = 0; round < 20; round++) {
    assert(gate.mayTry('bob@a.example', '192.0.2.1'))
    if (round % 2 === 0) gate.succeeded('bob@a.example', '192.0.2.1')
    else gate.notFailed('bob@a.example', '192.0.2.1')
    assert(gate.mayTry('eve@a.example', '127.0.0.1'))
  }
})
