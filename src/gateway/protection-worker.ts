/** The script of a protection worker: does the jobs of protection/jobs.ts in a thread of its own. */
import { DkimSink, type DkimSigner } from '../authentication/dkim-sign.ts'
import type { ByteSink } from '../base/byte-sink.ts'
import { Collector } from '../base/byte-sink.ts'
import { concatBytes } from '../base/bytes.ts'
import { type JobOutput, ownBytes, ownsBuffer, serveJobs } from '../base/serve-jobs.ts'
import {
  type JudgeJob,
  type JudgeReport,
  type PeelJob,
  type PeelReport,
  type WrapJob,
  runJudge,
  runPeel,
  startWrap,
} from '../protection/jobs.ts'
import { LargeOpeningJob, type LargeOutcome, type LargePeelJob } from './large-opening-job.ts'

/** `body` is given when the whole message is at hand; otherwise it is streamed. */
export type ProtectionJob = PeelJob | LargePeelJob | JudgeJob | (SignedWrapJob & { readonly body?: Uint8Array })

export interface SignedWrapJob extends WrapJob {
  /** For each copy, who signs it as it leaves (DKIM); nobody, perhaps. */
  readonly dkim: readonly (readonly DkimSigner[])[]
}

export type ProtectionOutcome =
  | LargeOutcome
  | { readonly kind: 'peeled'; readonly reports: readonly PeelReport[] }
  | { readonly kind: 'judged'; readonly reports: readonly JudgeReport[] }
  /** The protected copies; of those that went out as a stream only what belongs in front, its DKIM signatures. */
  | { readonly kind: 'wrapped'; readonly copies: readonly Uint8Array[] }

serveJobs<ProtectionJob, ProtectionOutcome>({
  run(job) {
    if (job.kind === 'peel') return { kind: 'peeled', reports: runPeel(job).map(withOwnMessage) }
    if (job.kind === 'judge') return { kind: 'judged', reports: runJudge(job) }
    if (job.kind === 'peel-large') throw new TypeError('a large message is opened as a stream')
    const outputs = job.copies.map(() => new Collector())
    const signing = signingSinks(job, outputs)
    const body = startWrap(job, signing)
    if (job.body !== undefined) body.write(job.body)
    body.end()
    const copies = outputs.map((output, index) => concatBytes([...signaturesOf(signing[index]), ...output.take()]))
    return { kind: 'wrapped', copies: copies.map(ownBytes) }
  },
  transfer(outcome) {
    if (outcome.kind === 'judged' || outcome.kind === 'closed') return []
    const made = outcome.kind === 'wrapped' ? outcome.copies : outcome.reports.map((report) => report.message)
    return [...new Set(made.flatMap((bytes) => (bytes !== undefined && ownsBuffer(bytes) ? [bytes.buffer] : [])))]
  },
  open(job, output) {
    if (job.kind === 'peel-large') return new LargeOpeningJob(job, output)
    if (job.kind !== 'wrap') throw new TypeError('a message is opened in one piece')
    const outputs = job.copies.map((_copy, channel) => channelSink(output, channel))
    const signing = signingSinks(job, outputs)
    const body = startWrap(job, signing)
    return {
      write: (chunk) => body.write(chunk),
      end() {
        body.end()
        return { kind: 'wrapped', copies: signing.map((sink) => ownBytes(concatBytes(signaturesOf(sink)))) }
      },
    }
  },
})

/** A small message lies in a pool with others, and a copy of it to the other thread would be one of all the pool. */
const withOwnMessage = (report: PeelReport): PeelReport =>
  report.message === undefined ? report : { ...report, message: ownBytes(report.message) }

const signingSinks = ({ dkim, signingTimeMs }: SignedWrapJob, outputs: readonly ByteSink[]): ByteSink[] =>
  outputs.map((output, index) => {
    const signers = dkim[index] ?? []
    return signers.length === 0 ? output : new DkimSink(signers, signingTimeMs, output)
  })

const signaturesOf = (sink: ByteSink | undefined): Uint8Array[] => (sink instanceof DkimSink ? [sink.signatures()] : [])

const channelSink = (output: JobOutput, channel: number): ByteSink => ({
  write: (chunk) => output.write(chunk, channel),
  end: () => undefined,
})
