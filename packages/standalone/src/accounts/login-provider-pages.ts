import { accountOf } from '../browser/browser-sessions.ts'
import { html } from '../web/html.ts'
import { button, form, type PageOptions } from '../web/layout.ts'
import type { ChangePage } from './security-pages.ts'

/** `/account/provider`: links the account to one at the operator's provider, or unlinks it. */
export function providerPage(page: ChangePage, providerName: string, isLinked: boolean): PageOptions {
  const { site, loggedIn, confirmation, ending, notice } = page
  const action = `/account/provider/${isLinked ? 'unlink' : 'link'}`
  const about = isLinked
    ? html`<p>You can log in with your account at ${providerName}.</p>`
    : html`<p>You will be able to log in with your account at ${providerName}, without the password here.</p>`
  const fields = isLinked
    ? [about, confirmation, ending, button('Unlink it', 'bad')]
    : [about, confirmation, button('Link it')]
  const main = html`<div class="card">${form({ site, action, token: loggedIn.formToken, fields })}</div>
<p class="small"><a href="${site.base}/account">Back</a></p>`
  return { site, title: providerName, main, account: accountOf(loggedIn), narrow: true, notice }
}
