import { cleanText, readScope } from '@bridgekeeper/protocol'
import { accountOf, type LoggedIn } from '../browser/browser-sessions.ts'
import { type Html, html } from '../web/html.ts'
import { button, form, type PageOptions } from '../web/layout.ts'
import type { Site } from '../web/site.ts'

export interface ConsentView {
  readonly site: Site
  readonly loggedIn: LoggedIn
  /** Id of the interaction. */
  readonly uid: string
  readonly clientName: string | undefined
  readonly clientId: string
  /** The address that receives the code. */
  readonly redirectUri: string
  /** The address that the tokens are for. */
  readonly resource: string
  /** The server that the client requests; `undefined` for all. */
  readonly serverName: string | undefined
  readonly scopes: readonly string[]
  readonly staysConnected: boolean
}

/** [OAUTH.14] Shows which client requests which access, and where the answer goes, in plain words. */
export function consentPage(view: ConsentView): PageOptions {
  const { site, loggedIn, uid, redirectUri, staysConnected, scopes } = view
  const name = nameOf(view)
  const action = `/interaction/${uid}`
  const answer = (value: string, label: string, kind: 'main' | 'bad'): Html =>
    form({ site, action, token: loggedIn.formToken, hidden: { answer: value }, fields: button(label, kind) })
  const main = html`<div class="card">
<p><strong>${name}</strong> asks to use MCP servers on your machines, as <strong>${loggedIn.user.email}</strong>.</p>
<dl>${whoRows(view)}<dt>Goes to</dt><dd>${destination(redirectUri)}</dd><dt>Servers</dt><dd>${serversOf(view)}</dd></dl>
<p>It may:</p><ul>${scopes.map((scope) => html`<li>${inWords(scope, view.serverName)}</li>`)}</ul>
<p class="soft small">${staysConnected ? 'It stays connected for up to 90 days, or until you disconnect it on your account page.' : 'It is connected for 15 minutes.'}</p>
<p>Allow it only if you started this yourself a moment ago.</p>
<div class="acts">${answer('allow', 'Allow', 'main')}${answer('deny', 'Refuse', 'bad')}</div></div>`
  return { site, title: 'Connect an app?', main, account: accountOf(loggedIn), narrow: true }
}

/** Returns the client's name, which is only its own claim; only its address proves an owner. */
function nameOf({ clientName, clientId }: ConsentView): string {
  const name = cleanText(clientName ?? '').trim()
  return name === '' ? 'An app without a name' : name === clientId ? 'An app' : name
}

function whoRows({ clientId }: ConsentView): Html {
  if (!URL.canParse(clientId))
    return html`<dt>Comes from</dt><dd>unknown: it registered itself under a name that nobody checked</dd>`
  return html`<dt>Comes from</dt><dd>${new URL(clientId).host}</dd>`
}

function destination(redirectUri: string): string {
  const { protocol, hostname, host } = new URL(redirectUri)
  if (protocol === 'http:') return `a program on this machine (${hostname})`
  return protocol === 'https:' ? host : `an app on this machine (${cleanText(protocol)}//)`
}

function serversOf({ serverName, resource }: ConsentView): string {
  const which = serverName === undefined ? 'all of yours' : `${cleanText(serverName)} only`
  return `${which}, at ${cleanText(resource)}`
}

/**
 * Describes a scope in words for the user.
 * @param scope canonical
 * @param only name of the server that the token is for; `undefined` for all
 */
export function inWords(scope: string, only?: string): string {
  const { permits = scope, item = '', target } = readScope(scope) ?? {}
  if (target === undefined) return permits
  const [named = '', name = ''] = target.split('/').map(shown)
  const server = named === '*' && only !== undefined ? cleanText(only) : named
  if (name === '*') return `${permits} every ${item} of ${server === '*' ? 'your servers' : server}`
  return `${permits} the ${item} ${name} of ${server === '*' ? 'any server' : server}`
}

function shown(encoded: string): string {
  try {
    return cleanText(decodeURIComponent(encoded))
  } catch {
    return encoded
  }
}
