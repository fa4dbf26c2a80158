import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counter, gauge, Histogram, printMetrics, SERIES_MAX } from './registry.ts'

const print = (metric: Parameters<typeof printMetrics>[0][number]) =>
  printMetrics([metric], (error) => assert.fail(String(error)))

test('a counter prints a line for each combination of labels', async () => {
  const counter = new Counter('mails_total', 'Mails.', ['by', 'code'])
  counter.add(['mx', '550'])
  counter.add(['mx', '550'], 2)
  counter.add(['submission', '451'])
  assert.equal(
    await print(counter),
    '# HELP mails_total Mails.\n# TYPE mails_total counter\nmails_total{by="mx",code="550"} 3\nmails_total{by="submission",code="451"} 1\n',
  )
})

test('a counter without labels is there from the start', async () => {
  assert.match(await print(new Counter('x_total', 'X.')), /^x_total 0$/m)
})

test('buckets of a histogram count what is not above them', async () => {
  const histogram = new Histogram('took_seconds', 'Took.', [0.1, 1], ['stage'])
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value, ['relay'])
  const lines = (await print(histogram)).split('\n').slice(2, -1)
  assert.deepEqual(lines, [
    'took_seconds_bucket{stage="relay",le="0.1"} 2',
    'took_seconds_bucket{stage="relay",le="1"} 3',
    'took_seconds_bucket{stage="relay",le="+Inf"} 4',
    'took_seconds_sum{stage="relay"} 7.65',
    'took_seconds_count{stage="relay"} 4',
  ])
})

test('series are bounded: what would be one too many is counted as other', async () => {
  const counter = new Counter('x_total', 'X.', ['who'])
  for (let index = 0; index < SERIES_MAX + 10; index++) counter.add([`peer-${index}`])
  const samples = counter.samples()
  assert.equal(samples.length, SERIES_MAX + 1)
  assert.equal(samples.find(({ labels }) => labels['who'] === 'other')?.value, 10)
})

test('what a label says cannot make lines of its own', async () => {
  const counter = new Counter('x_total', 'X.', ['what'])
  counter.add(['a"\\\nb'])
  assert.match(await print(counter), /^x_total\{what="a\\"\\\\\\nb"\} 1$/m)
})

test('one that cannot be had is left out, the others are printed', async () => {
  const broken = gauge('broken', 'B.', () => Promise.reject(new Error('locked')))
  const failures: unknown[] = []
  const text = await printMetrics([broken, new Counter('x_total', 'X.')], (error) => failures.push(error))
  assert.equal(failures.length, 1)
  assert.match(text, /^# HELP x_total/)
})
