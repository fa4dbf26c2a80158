import type { QueueWorker } from '../queue/worker.ts'
import type { QueueTaker } from '../store/hand-over.ts'

/** What has been queued is taken up when the reply to its sender has gone out. */
export const takerOf = (worker: () => QueueWorker): QueueTaker => ({
  get node() {
    return worker().node
  },
  leaseUntilMs: (domain) => worker().leaseUntilMs(domain),
  take: (mail) => void setImmediate(() => worker().take(mail)),
})
