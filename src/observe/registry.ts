/** Numbers that Prometheus collects, and how they are printed (text format 0.0.4). */

/** Series of one metric; one more is counted under `other`. Labels are words of ours, never an address or a domain. */
export const SERIES_MAX = 256
const OTHER = 'other'

type Kind = 'counter' | 'gauge' | 'histogram'

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Of histograms: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string
}

export interface Metric {
  readonly name: string
  readonly help: string
  readonly kind: Kind
  samples(): readonly Sample[] | Promise<readonly Sample[]>
}

/** One number for each combination of label values. */
class Series<Value> {
  readonly #labels: readonly string[]
  readonly #make: () => Value
  readonly #values = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: Value }>()

  constructor(labels: readonly string[], make: () => Value) {
    this.#labels = labels
    this.#make = make
    if (labels.length === 0) this.of([]) // there from the start, so that a rate can be told from the first
  }

  of(values: readonly string[]): { value: Value } {
    const key = values.join('\0')
    return this.#values.get(key) ?? this.#add(key, values)
  }

  all(): Iterable<{ readonly labels: Readonly<Record<string, string>>; readonly value: Value }> {
    return this.#values.values()
  }

  #add(key: string, values: readonly string[]): { value: Value } {
    if (this.#values.size >= SERIES_MAX && values.some((value) => value !== OTHER))
      return this.of(this.#labels.map(() => OTHER))
    const labels = Object.fromEntries(this.#labels.map((label, index) => [label, values[index] ?? '']))
    const one = { labels, value: this.#make() }
    this.#values.set(key, one)
    return one
  }
}

export class Counter implements Metric {
  readonly kind = 'counter'
  readonly name: string
  readonly help: string
  readonly #series: Series<number>

  constructor(name: string, help: string, labels: readonly string[] = []) {
    this.name = name
    this.help = help
    this.#series = new Series(labels, () => 0)
  }

  /** Values in the order of the labels. */
  add(values: readonly string[] = [], by = 1): void {
    this.#series.of(values).value += by
  }

  samples(): Sample[] {
    return [...this.#series.all()]
  }
}

/** Counts how many were not above each bound. */
export class Histogram implements Metric {
  readonly kind = 'histogram'
  readonly name: string
  readonly help: string
  readonly #bounds: readonly number[]
  readonly #series: Series<{ readonly counts: number[]; sum: number }>

  constructor(name: string, help: string, bounds: readonly number[], labels: readonly string[] = []) {
    this.name = name
    this.help = help
    this.#bounds = bounds
    this.#series = new Series(labels, () => ({ counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 }))
  }

  observe(value: number, values: readonly string[] = []): void {
    const one = this.#series.of(values).value
    one.sum += value
    const bucket = this.#bounds.findIndex((bound) => value <= bound)
    const at = bucket === -1 ? this.#bounds.length : bucket
    one.counts[at] = (one.counts[at] ?? 0) + 1
  }

  samples(): Sample[] {
    return [...this.#series.all()].flatMap(({ labels, value: { counts, sum } }) => {
      let upTo = 0
      const buckets = counts.map((count, index): Sample => {
        upTo += count
        return {
          labels: { ...labels, le: printNumber(this.#bounds[index] ?? Infinity) },
          value: upTo,
          suffix: '_bucket',
        }
      })
      return [...buckets, { labels, value: sum, suffix: '_sum' }, { labels, value: upTo, suffix: '_count' }]
    })
  }
}

/** What is asked for when somebody wants to know. */
export function gauge(name: string, help: string, samples: Metric['samples']): Metric {
  return { name, help, kind: 'gauge', samples }
}

/** As `gauge`, of what only grows. */
export function counterOf(name: string, help: string, samples: Metric['samples']): Metric {
  return { name, help, kind: 'counter', samples }
}

/** A metric that cannot be had is left out, and `failed` hears why: the others are wanted all the more. */
export async function printMetrics(metrics: readonly Metric[], failed: (error: unknown) => void): Promise<string> {
  const printed = await Promise.all(
    metrics.map(async (metric) => {
      try {
        return printMetric(metric, await metric.samples())
      } catch (error) {
        failed(error)
        return ''
      }
    }),
  )
  return printed.join('')
}

function printMetric({ name, help, kind }: Metric, samples: readonly Sample[]): string {
  const lines = samples.map(
    ({ labels, value, suffix = '' }) => `${name}${suffix}${printLabels(labels)} ${printNumber(value)}\n`,
  )
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n${lines.join('')}`
}

function printLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

function printNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
