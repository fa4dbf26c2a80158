/** Thunderbird without a screen, as a correspondent's mail reader; driven from inside by Marionette. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Draft } from './correspondent-mail.ts'
import { type Correspondence, ourAddress } from './correspondence.ts'
import { freePort } from './free-port.ts'
import { type Marionette, connectMarionette } from './marionette.ts'
import { makeNssDatabase } from './nss.ts'

export interface Shown {
  readonly subject: string
  readonly body: string
  /** nsICMSMessageErrors: 0 is good, -1 that it found none. */
  readonly signature: number
  /** The same for the encryption. */
  readonly encryption: number
}

export interface Thunderbird extends AsyncDisposable {
  readonly name: string
  /** Opens the mail in a tab, and reads what stands there when all signatures have been looked at. */
  show(mail: Buffer): Promise<Shown>
  /** Writes a mail and protects it; as it lies in the outbox. */
  compose(draft: Draft): Promise<Buffer>
}

/** Asks nothing at the start, fetches nothing, looks nothing up; one account, whose identity the test chooses. */
const PREFERENCES: Readonly<Record<string, string | number | boolean>> = {
  'mail.accountmanager.accounts': 'account1,account2',
  'mail.accountmanager.defaultaccount': 'account2',
  'mail.accountmanager.localfoldersserver': 'server1',
  'mail.account.account1.server': 'server1',
  'mail.account.account2.server': 'server2',
  'mail.account.account2.identities': 'id1',
  'mail.server.server1.type': 'none',
  'mail.server.server1.hostname': 'Local Folders',
  'mail.server.server1.userName': 'nobody',
  'mail.server.server1.directory-rel': '[ProfD]Mail/Local Folders',
  'mail.server.server2.type': 'pop3',
  'mail.server.server2.hostname': '127.0.0.1',
  'mail.server.server2.userName': 'peer',
  'mail.server.server2.login_at_startup': false,
  'mail.server.server2.check_new_mail': false,
  'mail.server.server2.directory-rel': '[ProfD]Mail/server2',
  'mail.identity.id1.useremail': 'peer@peer.example',
  'mail.provider.suppress_dialog_on_startup': true,
  'mail.spotlight.firstRunDone': true,
  'mail.winsearch.firstRunDone': true,
  'mailnews.start_page.enabled': false,
  'mail.rights.version': 1,
  'app.donation.eoy.version.viewed': 999,
  'app.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
  'network.dns.disabled': true,
  'network.proxy.type': 1,
  'network.proxy.socks': '127.0.0.1',
  'network.proxy.socks_port': 9,
  'security.OCSP.enabled': 0,
}

export async function startThunderbird(correspondence: Correspondence): Promise<Thunderbird> {
  const home = join(correspondence.peer.folder, 'thunderbird')
  const profile = join(home, 'profile')
  await mkdir(home)
  await makeNssDatabase(profile, correspondence)
  const port = await freePort()
  const preferences = Object.entries({ ...PREFERENCES, 'marionette.port': port })
  const lines = preferences.map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
  await writeFile(join(profile, 'user.js'), lines.join(''))
  const options = ['--headless', '--marionette', '-remote-allow-system-access', '--profile', profile]
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, LC_ALL: 'C.UTF-8', TZ: 'UTC' }
  const child = spawn('thunderbird', options, { env, stdio: 'ignore', detached: true })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    await ended
  }
  let marionette: Marionette
  try {
    marionette = await connectMarionette(port)
  } catch (error) {
    await stop()
    throw error
  }
  const version = String(await marionette.run('return Services.appinfo.version'))
  return {
    name: `Thunderbird ${version}`,
    async show(mail) {
      const text = mail.toString('latin1').replaceAll('\r\n', '\n')
      return (await marionette.run(SHOW, [text])) as Shown
    },
    async compose({ from, to, subject, body, sign, encrypt }) {
      const text = body.replace(/\n$/, '') // it ends the last line itself
      const author = [correspondence.addressOf(from), `Correspondent with ${from}`]
      const sent = await marionette.run(COMPOSE, [...author, ourAddress(to), subject, text, sign, encrypt])
      return Buffer.from(String(sent), 'latin1')
    },
    async [Symbol.asyncDispose]() {
      marionette[Symbol.dispose]()
      await stop()
    },
  }
}

/** What both scripts need of the program; `until` gives up after ten seconds, or what it is told in twentieths. */
const COMMON = `
  const { MailServices } = ChromeUtils.importESModule('resource:///modules/MailServices.sys.mjs')
  const main = Services.wm.getMostRecentWindow('mail:3pane')
  const pause = (ms) => new Promise((resolve) => main.setTimeout(resolve, ms))
  const until = async (found, tries = 200) => {
    for (; tries > 0; tries--) {
      try { const value = found(); if (value) return value } catch {}
      await pause(50)
    }
    throw new Error('nothing came of: ' + found)
  }
  const root = await until(() => MailServices.accounts.localFoldersServer.rootFolder)
  await until(() => main.document.getElementById('tabmail')?.currentTabInfo)
`

const SHOW = `${COMMON}
  const [text] = args
  root.QueryInterface(Ci.nsIMsgLocalMailFolder)
  if (!root.containsChildNamed('interop')) root.createLocalSubfolder('interop')
  const folder = root.getChildNamed('interop').QueryInterface(Ci.nsIMsgLocalMailFolder)
  const header = folder.addMessage(text)
  const tabmail = main.document.getElementById('tabmail')
  const tab = tabmail.openTab('mailMessageTab', { messageURI: folder.getUriForMsg(header) })
  const pane = await until(() => tab.chromeBrowser.contentWindow.msgLoaded && tab.chromeBrowser.contentWindow)
  const found = () => pane.gSignatureStatus !== -1 || pane.gEncryptionStatus !== -1
  const done = () => found() && pane.gReceivedSignatureCount === pane.gExpectedSignatureCount
  await until(done, 60).catch(() => undefined) // of what it does not know it says nothing
  await pause(200) // a mail that cannot be opened is replaced by a page that says so
  const { body } = pane.getMessagePaneBrowser().contentDocument
  const shown = {
    subject: pane.document.getElementById('expandedsubjectBox').textContent.replace(/^Subject:/, ''),
    body: body.textContent,
    signature: pane.gSignatureStatus,
    encryption: pane.gEncryptionStatus,
  }
  tabmail.closeTab(tab)
  return shown
`

const COMPOSE = `${COMMON}
  const [from, name, to, subject, body, sign, encrypt] = args
  const database = Cc['@mozilla.org/security/x509certdb;1'].getService(Ci.nsIX509CertDB)
  const own = database.getCerts().find((each) => each.commonName === name)
  const [identity] = MailServices.accounts.allIdentities
  identity.email = from
  for (const use of ['signing', 'encryption']) {
    identity.setUnicharAttribute(use + '_cert_name', own.displayName)
    identity.setCharAttribute(use + '_cert_dbkey', own.dbKey)
  }
  const secure = Cc['@mozilla.org/messengercompose/composesecure;1'].createInstance(Ci.nsIMsgComposeSecure)
  Object.assign(secure, { signMessage: sign, requireEncryptMessage: encrypt })
  for (const address of encrypt ? [to, from] : [])
    await new Promise((resolve) => secure.asyncFindCertByEmailAddr(address, { findCertDone(email, certificate) {
      if (certificate) secure.cacheValidCertForEmail(email, certificate.dbKey)
      resolve()
    } }))
  const composeFields = Cc['@mozilla.org/messengercompose/composefields;1'].createInstance(Ci.nsIMsgCompFields)
  Object.assign(composeFields, { from, to, subject, body, forcePlainText: true, composeSecure: secure })
  const params = Cc['@mozilla.org/messengercompose/composeparams;1'].createInstance(Ci.nsIMsgComposeParams)
  Object.assign(params, { composeFields, identity, format: Ci.nsIMsgCompFormat.PlainText, type: Ci.nsIMsgCompType.New })
  const composing = MailServices.compose.initCompose(params)
  const progress = Cc['@mozilla.org/messenger/progress;1'].createInstance(Ci.nsIMsgProgress)
  const outbox = root.getFolderWithFlags(Ci.nsMsgFolderFlags.Queue)
  const before = new Set([...outbox.messages].map((each) => each.messageKey))
  await composing.sendMsg(Ci.nsIMsgSend.nsMsgQueueForLater, identity, MailServices.accounts.defaultAccount.key, null, progress)
  const header = await until(() => [...outbox.messages].find((each) => !before.has(each.messageKey)))
  const stream = Cc['@mozilla.org/binaryinputstream;1'].createInstance(Ci.nsIBinaryInputStream)
  stream.setInputStream(outbox.getMsgInputStream(header, {}))
  return stream.readBytes(header.messageSize)
`
