/** Makes dist/: what src/ is as JavaScript, for where type stripping does not reach (under node_modules). `npm pack` calls it. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { ROOT, requireNode } from '../step.ts'

requireNode()
rmSync(path.join(ROOT, 'dist'), { recursive: true, force: true })
const compiler = path.join(ROOT, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [compiler, '--project', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' })
