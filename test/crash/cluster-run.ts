/** The program that `crashClusterApart` starts in a network of its own. */
import { type ClusterOptions, crashCluster } from './cluster-faults.ts'

const options = JSON.parse(process.argv[2] ?? '') as ClusterOptions
const run = await crashCluster(options, (line) => void process.send?.({ line }))
process.send?.({ run })
process.disconnect?.()
