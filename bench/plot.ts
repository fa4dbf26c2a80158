/**
 * Draws the rates of the suite `versus` as bars, each with its CPU time a mail, readable on light and on dark pages:
 * `npm run bench -- --only versus --json > docs/versus.jsonl`, then `node bench/plot.ts < docs/versus.jsonl > docs/versus.svg`.
 */
import { text } from 'node:stream/consumers'
import type { Row } from './row.ts'

const WIDTH = 760
const LABEL_WIDTH = 270
const FIGURES_WIDTH = 175
const BAR_WIDTH_MAX = WIDTH - LABEL_WIDTH - FIGURES_WIDTH
const ROW_HEIGHT = 34
const BAR_HEIGHT = 20
const HEAD_HEIGHT = 64
const FOOT_HEIGHT = 30

const STYLE = `
text { font: 14px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 }
.small { font-size: 12px; fill: #59636e }
.rate { font-weight: 600 }
.ours { fill: #1f6feb }
.others { fill: #8c959f }
.axis { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .ours { fill: #4493f8 } .others { fill: #656c76 } .axis { stroke: #3d444d }
}`

interface Bar {
  readonly label: string
  readonly ours: boolean
  readonly perSecond: number
  readonly cpuMs: number
}

/** An SVG document; the slowest of those that are compared stands first. */
function plotOf(rows: readonly Row[]): string {
  const bars = barsOf(rows).toSorted((a, b) => a.perSecond - b.perSecond)
  const longest = Math.max(...bars.map(({ perSecond }) => perSecond))
  const height = HEAD_HEIGHT + bars.length * ROW_HEIGHT + FOOT_HEIGHT
  const axisEnd = HEAD_HEIGHT + bars.length * ROW_HEIGHT
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${spoken(bars)}">
<style>${STYLE}
</style>
<text class="title" x="12" y="26">Mails a second, durable, 5 kB</text>
<text class="small" x="12" y="46">one run on one machine, in turns; same clients, same next hop, same disk; CPU time a mail beside it</text>
${bars.map((bar, index) => drawn(bar, HEAD_HEIGHT + index * ROW_HEIGHT, bar.perSecond / longest)).join('\n')}
<line class="axis" x1="${LABEL_WIDTH}" x2="${LABEL_WIDTH}" y1="${HEAD_HEIGHT - 4}" y2="${axisEnd}"/>
<text class="small" x="12" y="${axisEnd + 20}">in: verified and decrypted into the mailbox; all others: from the client to the next hop</text>
</svg>
`
}

/** Each rate has its CPU time in a row of its own. */
function barsOf(rows: readonly Row[]): Bar[] {
  return rows.flatMap((row) => {
    const name = row.case.slice(0, row.case.indexOf(':'))
    const cpu = rows.find((other) => other.case === `${name}: CPU a mail`)
    if (row.unit !== '/s' || cpu === undefined) return []
    return [{ label: labelOf(name), ours: name.startsWith('Sealpost'), perSecond: row.value, cpuMs: cpu.value }]
  })
}

const labelOf = (name: string): string =>
  name.replace(', out,', ', protected,').replace('rsa-2048', 'RSA-2048').replace('ec-p256', 'P-256')

function drawn({ label, ours, perSecond, cpuMs }: Bar, top: number, part: number): string {
  const width = Math.max(1, part * BAR_WIDTH_MAX)
  const middle = top + ROW_HEIGHT / 2 + 5
  const rateEnd = LABEL_WIDTH + width + 8
  return [
    `<text x="${LABEL_WIDTH - 10}" y="${middle}" text-anchor="end">${label}</text>`,
    `<rect class="${ours ? 'ours' : 'others'}" x="${LABEL_WIDTH}" y="${top + (ROW_HEIGHT - BAR_HEIGHT) / 2}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
    `<text x="${rateEnd.toFixed(1)}" y="${middle}"><tspan class="rate">${perSecond.toFixed(0)} /s</tspan><tspan class="small" dx="8">${cpuMs.toFixed(2)} ms of CPU</tspan></text>`,
  ].join('\n')
}

const spoken = (bars: readonly Bar[]): string =>
  bars.map(({ label, perSecond }) => `${label}: ${perSecond.toFixed(0)} mails a second`).join('; ')

const lines = (await text(process.stdin)).trim().split('\n')
process.stdout.write(plotOf(lines.map((line) => JSON.parse(line) as Row)))
