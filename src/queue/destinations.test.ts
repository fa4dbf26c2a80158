import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Domain } from '../message/address.ts'
import {
  Destinations,
  DOMAINS_MAX,
  PLACES_FIRST,
  PUSHED_BACK_ONCE_MS,
  REST_FIRST_MS,
  REST_JITTER,
  REST_MAX_MS,
} from './destinations.ts'

const A = 'a.example' as Domain
const B = 'b.example' as Domain
const MAX = 20

test('each rest in a row is twice the last, up to the longest; an answer ends the row', () => {
  const all = new Destinations()
  const rests: number[] = []
  let nowMs = 0
  for (let nth = 0; nth < 8; nth++) {
    const untilMs = all.unreachable(A, nowMs, 0)
    rests.push((untilMs - nowMs) / REST_FIRST_MS)
    nowMs = untilMs
  }
  const longest = REST_MAX_MS / REST_FIRST_MS
  assert.deepEqual(rests, [1, 2, 4, 8, 16, longest, longest, longest])
  all.answered(A, MAX)
  assert.equal(all.unreachable(A, nowMs, 0), nowMs + REST_FIRST_MS)
})

test('who fails while the domain rests does not prolong the rest', () => {
  const all = new Destinations()
  const untilMs = all.unreachable(A, 0, 0)
  assert.equal(all.unreachable(A, untilMs - 1, 0), untilMs)
  assert.equal(all.unreachable(A, untilMs, 0), untilMs + 2 * REST_FIRST_MS)
})

test('a rest is over at its end, and is its domain’s alone', () => {
  const all = new Destinations()
  const untilMs = all.unreachable(A, 0, 0)
  assert.deepEqual(
    [all.isResting(A, untilMs - 1), all.isResting(A, untilMs), all.isResting(B, 0)],
    [true, false, false],
  )
  assert.deepEqual(all.resting(untilMs - 1), [A])
  assert.deepEqual(all.resting(untilMs), [])
})

test('jitter only shortens a rest, and not by much', () => {
  const untilMs = new Destinations().unreachable(A, 0, 0.999_999)
  assert.ok(untilMs < REST_FIRST_MS && untilMs >= REST_FIRST_MS * (1 - REST_JITTER), String(untilMs))
})

test('a domain that answers gets one more delivery at a time, up to the limit', () => {
  const all = new Destinations()
  assert.equal(all.placesOf(A, MAX), PLACES_FIRST)
  all.answered(A, MAX)
  assert.equal(all.placesOf(A, MAX), PLACES_FIRST + 1)
  for (let nth = 0; nth < 100; nth++) all.answered(A, MAX)
  assert.equal(all.placesOf(A, MAX), MAX)
  assert.equal(all.placesOf(A, 3), 3, 'a limit that was lowered holds at once')
  assert.equal(all.placesOf(B, MAX), PLACES_FIRST)
})

test('a domain that pushes back, or cannot be reached, gets half as many, and one at least', () => {
  const all = new Destinations()
  let nowMs = 0
  const halve = (): number => {
    all.pushedBack(A, (nowMs += PUSHED_BACK_ONCE_MS))
    return all.placesOf(A, MAX)
  }
  assert.deepEqual([halve(), halve(), halve(), halve()], [5, 2, 1, 1])
  all.unreachable(B, 0, 0)
  assert.equal(all.placesOf(B, MAX), PLACES_FIRST / 2)
})

test('what was under way at the same time halves once', () => {
  const all = new Destinations()
  for (let nth = 0; nth < 5; nth++) all.pushedBack(A, nth)
  assert.equal(all.placesOf(A, MAX), PLACES_FIRST / 2)
})

test('of very many domains the one heard of longest ago is forgotten', () => {
  const all = new Destinations()
  all.answered(A, MAX)
  all.answered(B, MAX)
  all.answered(A, MAX)
  for (let nth = 0; nth < DOMAINS_MAX - 1; nth++) all.answered(`d${nth}.example` as Domain, MAX)
  assert.equal(all.placesOf(B, MAX), PLACES_FIRST)
  assert.equal(all.placesOf(A, MAX), PLACES_FIRST + 2)
})
