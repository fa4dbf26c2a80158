import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Address } from '../message/address.ts'
import { TOLD_WINDOW_MS, ToldRefusals } from './told-refusals.ts'

const TOLD_MAX = 10
const suzuki = 'u-suzuki@abc.com' as Address
const azuma = 't-azuma@biglobe.ne.jp' as Address

test('a few refusals a day are told for each recipient, in whatever case the address is written', () => {
  const told = new ToldRefusals(() => TOLD_MAX)
  for (let count = 0; count < TOLD_MAX; count++)
    assert(told.mayTell(count % 2 === 0 ? suzuki : ('U-Suzuki@abc.com' as Address), 0))
  assert(!told.mayTell(suzuki, 1))
  assert(told.mayTell(azuma, 1), 'another recipient')
  assert(!told.mayTell(suzuki, TOLD_WINDOW_MS - 1))
  assert(told.mayTell(suzuki, TOLD_WINDOW_MS), 'the next day')
})
