import type { Device } from '@bridgekeeper/bridge'
import type { Session } from '@bridgekeeper/bridge/parts'
import { cleanText, keyWords, unreachable } from '@bridgekeeper/protocol'
import { accountOf, type LoggedIn } from '../browser/browser-sessions.ts'
import type { LinkedIdentity, Passkey } from '../ports.ts'
import { type Html, type HtmlValue, html } from '../web/html.ts'
import { button, card, form, type Notice, type PageOptions } from '../web/layout.ts'
import { moment } from '../web/moments.ts'
import type { Site } from '../web/site.ts'

/** The data of a user that the account page shows. */
export interface AccountView {
  readonly site: Site
  readonly loggedIn: LoggedIn
  readonly nowMs: number
  readonly sessions: readonly Session[]
  readonly devices: readonly Device[]
  readonly passkeys: readonly Passkey[]
  readonly upstreams: readonly LinkedIdentity[]
  readonly providerName: string | undefined
  readonly hasPassword: boolean
  readonly hasTotp: boolean
  readonly notice?: Notice | undefined
}

/** `/account`: connected apps and machines, logins, and ways to log in. */
export function accountPage(view: AccountView): PageOptions {
  const { site, loggedIn, notice } = view
  const main = html`${machines(view)}${apps(view)}${logins(view)}${waysIn(view)}
<p class="small"><a href="${site.base}/account/delete">Delete my account</a></p>`
  return { site, title: 'Your account', main, account: accountOf(loggedIn), notice }
}

function machines({ site, loggedIn, devices, nowMs }: AccountView): Html {
  const rows = devices.map(({ deviceId, name, keys, usedAtMs }) => {
    const words = keys[0] && keyWords(keys[0].keyId)
    const about = html`${words !== undefined && html`<span class="mono small">${words}</span><br>`}<span class="soft small">Last used ${moment(usedAtMs, nowMs)}</span>`
    return row(
      cleanText(name),
      about,
      endForm(site, loggedIn, 'devices', { deviceId }, 'Revoke', cleanText(name)),
    )
  })
  const empty = html`<p class="soft">None yet. On the machine with your MCP servers: <code>npx bridgekeeper connect ${site.origin}${site.base}</code></p>`
  const hint = html`<p class="soft small">The words are those of the machine's key; the machine showed the same when it was enrolled. A revoked machine must be enrolled again.</p>`
  return card('My machines', rows.length === 0 ? empty : [hint, list(rows)])
}

function apps({ site, loggedIn, sessions, nowMs }: AccountView): Html | false {
  const rows = sessions
    .filter(({ kind }) => kind === 'client')
    .map((session) => sessionRow(site, loggedIn, session, nowMs, 'Disconnect'))
  return rows.length > 0 && card('Connected apps', list(rows))
}

function logins({ site, loggedIn, sessions, nowMs }: AccountView): Html {
  const own = sessions.filter(({ kind }) => kind === 'browser' || kind === 'token')
  const [current, others] = [
    own.filter(({ sessionId }) => sessionId === loggedIn.session.sessionId),
    own.filter(({ sessionId }) => sessionId !== loggedIn.session.sessionId),
  ]
  const rows = [
    ...current.map(({ label }) =>
      row(html`${cleanText(label)} <span class="tag">this browser</span>`, '', ''),
    ),
    ...others.map((session) => sessionRow(site, loggedIn, session, nowMs, 'End')),
  ]
  const action = '/account/sessions/end-others'
  const fields = button('End all others', 'plain')
  const endOthers = html`<div class="acts">${form({ site, action, token: loggedIn.formToken, fields })}</div>`
  return card('Where you are logged in', [list(rows), others.length > 0 && html`<br>${endOthers}`])
}

function sessionRow(
  site: Site,
  loggedIn: LoggedIn,
  { sessionId, kind, label, createdAtMs, seenAtMs }: Session,
  nowMs: number,
  verb: string,
): Html {
  const name = kind === 'token' ? 'Token from the command line' : cleanText(label)
  const about = html`<span class="soft small">Since ${moment(createdAtMs, nowMs)}, last used ${moment(seenAtMs, nowMs)}</span>`
  return row(name, about, endForm(site, loggedIn, 'sessions', { sessionId }, verb, name))
}

function waysIn(view: AccountView): Html {
  const { site, hasPassword, hasTotp, passkeys, providerName, upstreams } = view
  const link = (path: string, text: string, label: string): Html =>
    html`<a class="button plain" href="${site.base}/account/${path}" aria-label="${label}">${text}</a>`
  const rows = [
    row(
      'Password',
      soft(hasPassword ? 'Set' : 'None'),
      link('password', hasPassword ? 'Change' : 'Set', 'Change the password'),
    ),
    row(
      'Codes from an app',
      soft(hasTotp ? 'Asked for after the password' : 'Off'),
      link('codes', hasTotp ? 'Switch off' : 'Switch on', 'Change whether codes are asked for'),
    ),
    row(
      'Passkeys',
      soft(passkeys.length === 0 ? 'None' : String(passkeys.length)),
      link('passkeys', 'Manage', 'Manage passkeys'),
    ),
    providerName !== undefined &&
      row(
        providerName,
        soft(upstreams.length > 0 ? 'Linked' : 'Not linked'),
        link('provider', upstreams.length > 0 ? 'Unlink' : 'Link', `Logging in with ${providerName}`),
      ),
  ]
  return card('How you log in', list(rows))
}

function endForm(
  site: Site,
  loggedIn: LoggedIn,
  what: 'devices' | 'sessions',
  hidden: Readonly<Record<string, string>>,
  verb: string,
  name: string,
): Html {
  const fields = button(verb, 'bad', `${verb} ${name}`)
  return form({ site, action: `/account/${what}/end`, token: loggedIn.formToken, hidden, fields })
}

/** A line of a list: name, description and buttons. */
export function row(name: HtmlValue, about: HtmlValue, acts: HtmlValue): Html {
  return html`<li><div class="what"><strong>${name}</strong>${about}</div><div class="acts">${acts}</div></li>`
}

export function list(rows: readonly HtmlValue[]): Html {
  return html`<ul class="rows">${rows}</ul>`
}

function soft(text: string): Html {
  return html`<span class="soft small">${text}</span>`
}

const NOTICES = [
  'password',
  'codes-on',
  'codes-off',
  'passkey',
  'ended',
  'others-ended',
  'linked',
  'unlinked',
] as const
export type NoticeName = (typeof NOTICES)[number]

/** Returns the notice that the address of the account page names. */
export function noticeOf(name: string | null): Notice | undefined {
  const known = NOTICES.find((one) => one === name)
  return known && { kind: 'good', text: noticeText(known) }
}

function noticeText(name: NoticeName): string {
  switch (name) {
    case 'password':
      return 'Your password was changed.'
    case 'codes-on':
      return 'From now on a code is asked for after your password.'
    case 'codes-off':
      return 'Codes are switched off.'
    case 'passkey':
      return 'Your passkeys were changed. If somebody else may have used your account, end all other logins below.'
    case 'ended':
      return 'Its access was ended.'
    case 'others-ended':
      return 'All other logins were ended.'
    case 'linked':
      return 'Your account there is linked.'
    case 'unlinked':
      return 'Your account there is no longer linked.'
    default:
      return unreachable(name)
  }
}
