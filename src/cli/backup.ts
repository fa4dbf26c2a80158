/** `sealpost backup` and `sealpost restore` */
import type { Command } from 'commander'
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { makeBackup, type MasterKeyInBackup, restoreBackup, verifyBackup } from '../admin/operations/backup.ts'
import { OperationRefused } from '../admin/desk.ts'
import { systemClock } from '../base/clock.ts'
import { MASTER_KEY_VARIABLE, masterKeyFrom } from '../keys/master-key.ts'
import { atDesk, passwordFromStdin } from './desk-of.ts'
import { type CommonOptions, command, note, progressTeller, say, tellRows } from './output.ts'

const MEBIBYTE = 2 ** 20

interface BackupOptions extends CommonOptions {
  readonly verify?: boolean
  readonly withMasterKey?: boolean
  readonly passwordStdin?: boolean
}

interface RestoreOptions extends CommonOptions {
  readonly dir: string
  readonly masterKey?: string
  readonly passwordStdin?: boolean
  readonly sendQueue?: boolean
}

export function backupCommand(): Command {
  return command('backup <dir>', 'Copy everything into a new folder while the server runs.', [
    'sealpost backup /backup/2026-11-23',
    'sealpost backup /backup/2026-11-23 --password-stdin <password-file',
    'sealpost backup /backup/2026-11-23 --verify',
  ])
    .option('--verify', 'make nothing: read the backup that is there, and say whether it is whole')
    .option('--with-master-key', 'with the master key, in clear: whoever has the backup reads everything')
    .option('--password-stdin', 'with the master key, under the password that standard input has')
    .action(backup)
}

export function restoreCommand(): Command {
  return command('restore <backup>', 'Make a provider from a backup, and open every mail in it once.', [
    'sealpost restore /backup/2026-11-23 --dir /var/lib/sealpost --master-key /media/safe/master.key',
    'sealpost restore /backup/2026-11-23 --dir ./tried --password-stdin <password-file',
  ])
    .requiredOption('--dir <dir>', 'new or empty folder for configuration, database, messages and master key')
    .option('--master-key <file>', `the master key, when it was kept elsewhere; or in ${MASTER_KEY_VARIABLE}`)
    .option('--password-stdin', 'the password of the master key in the backup')
    .option('--send-queue', 'go on with the queue of then; without it, it is held')
    .action(restore)
}

async function backup(dir: string, options: BackupOptions, made: Command): Promise<void> {
  const progress = progressTeller()
  if (options.verify === true) {
    const { manifest, faults } = await verifyBackup(dir, progress)
    if (faults.length > 0) throw new OperationRefused(faults.join('\n'))
    const { createdMs, rows, files } = manifest
    const made = new Date(createdMs).toISOString()
    say(options, { dir, made, rows, files: files.length }, `whole: ${files.length} files of ${made}, ${tellRows(rows)}`)
    return
  }
  if (options.withMasterKey === true && options.passwordStdin === true)
    made.error('error: --with-master-key or --password-stdin, not both')
  const masterKey: MasterKeyInBackup =
    options.passwordStdin === true
      ? { kind: 'sealed', password: await passwordFromStdin() }
      : { kind: options.withMasterKey === true ? 'clear' : 'none' }
  const done = await atDesk(options, (desk) => makeBackup(desk, { to: dir, masterKey, progress }))
  const mebibytes = (done.sizeBytes / MEBIBYTE).toFixed(1)
  say(
    options,
    { ...done, masterKey: masterKey.kind },
    `${done.dir}: ${done.files} files, ${mebibytes} MiB, ${tellRows(done.rows)}`,
  )
  note(KEY_WORDS[masterKey.kind])
  if (done.missing.length > 0)
    note(
      `${done.missing.length} message files are missing in the store itself: ${done.missing.slice(0, 10).join(', ')}`,
    )
}

const KEY_WORDS: Readonly<Record<MasterKeyInBackup['kind'], string>> = {
  none: 'The master key is NOT in it: keep master.key elsewhere; without it this backup is noise.',
  clear: 'The master key IS in it, in clear: whoever has this backup reads every mail and signs as every user.',
  sealed: 'The master key is in it under your password: without the password this backup is noise.',
}

async function restore(from: string, options: RestoreOptions): Promise<void> {
  const given =
    options.masterKey === undefined ? process.env[MASTER_KEY_VARIABLE] : await readFile(options.masterKey, 'utf8')
  const restored = await restoreBackup({
    from,
    dir: options.dir,
    ...(given !== undefined && { masterKey: masterKeyFrom(given, options.masterKey ?? MASTER_KEY_VARIABLE) }),
    ...(options.passwordStdin === true && { password: await passwordFromStdin() }),
    sendQueue: options.sendQueue === true,
    clock: systemClock,
    actor: `cli:${userInfo().username}`,
    progress: progressTeller(),
  })
  const { messages, damaged, held, config } = restored
  say(
    options,
    restored,
    `${config}: ${tellRows(restored.rows)}; ${messages - damaged.length} of ${messages} messages open`,
  )
  if (held > 0) note(`The queue is held (${held}): "sealpost queue list", then "release" what is to go out.`)
  note('Not in a backup: TLS certificate and key, password files of next hops. Put them where the configuration says.')
  if (damaged.length > 0)
    throw new OperationRefused(`${damaged.length} messages cannot be opened: ${damaged.slice(0, 20).join(', ')}`)
}
