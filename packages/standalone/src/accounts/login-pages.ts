import type { Visitor } from '../browser/guarded-forms.ts'
import { type Html, html } from '../web/html.ts'
import { button, field, form, type Notice, type PageOptions } from '../web/layout.ts'
import type { Site } from '../web/site.ts'

export interface LoginPage {
  readonly site: Site
  readonly visitor: Visitor
  readonly returnTo: string
  readonly email?: string | undefined
  /** Name of the provider behind `/login/sso`; `undefined` without one. */
  readonly providerName: string | undefined
  readonly notice?: Notice | undefined
}

/** Form for email and password, with a passkey if the browser supports it, and the provider if there is one. */
export function loginPage(options: LoginPage): PageOptions {
  const { site, visitor, returnTo, email, providerName, notice } = options
  const token = visitor.formToken
  const hidden = { returnTo }
  const fields = [
    field({
      name: 'email',
      label: 'Email',
      type: 'email',
      autocomplete: 'username',
      value: email,
      focus: email === undefined && notice === undefined,
    }),
    field({
      name: 'password',
      label: 'Password',
      type: 'password',
      autocomplete: 'current-password',
      maxLength: 1_024,
    }),
    button('Log in'),
  ]
  const main = html`<div class="card">
${form({ site, action: '/login', token, hidden, fields, wide: true })}
<div id="passkey" hidden data-base="${site.base}" data-token="${token}" data-return-to="${returnTo}">
<p class="or small">or</p><p class="wide"><button type="button" class="plain" id="passkey-login">Use a passkey</button></p></div>
${providerName !== undefined && providerPart(site, token, hidden, providerName)}
</div>
<p class="soft small">No account, or the password is lost? Ask the operator of this bridge.</p>`
  return { site, title: 'Log in', main, narrow: true, notice, script: 'passkeys.js' }
}

function providerPart(
  site: Site,
  token: string,
  hidden: Readonly<Record<string, string>>,
  providerName: string,
): Html {
  const fields = button(`Log in with ${providerName}`, 'plain')
  return html`<p class="or small">or</p>${form({ site, action: '/login/sso', token, hidden, fields, wide: true })}`
}

export interface CodePage {
  readonly site: Site
  readonly visitor: Visitor
  readonly step: string
  readonly notice?: Notice | undefined
}

/** Second step, after a correct password, if codes are switched on. */
export function codePage({ site, visitor, step, notice }: CodePage): PageOptions {
  const fields = [
    field({
      name: 'code',
      label: 'Code',
      autocomplete: 'one-time-code',
      hint: 'Six digits, from your authenticator app.',
      focus: notice === undefined,
      maxLength: 7,
      isCode: true,
    }),
    button('Continue'),
  ]
  const action = '/login/code'
  const main = html`<div class="card">
${form({ site, action, token: visitor.formToken, hidden: { step }, fields, wide: true })}</div>
<p class="small"><a href="${site.base}/login">Start again</a></p>`
  return { site, title: 'One more step', main, narrow: true, notice }
}

/** Logging out is a form's act, so that no link or picture of another site does it. */
export function logoutPage(site: Site, token: string): PageOptions {
  const main = html`<div class="card"><p>This ends your login in this browser.</p>
${form({ site, action: '/logout', token, fields: button('Log out'), wide: true })}</div>`
  return { site, title: 'Log out', main, narrow: true }
}

export function loggedOutPage(site: Site): PageOptions {
  const main = html`<p><a class="button" href="${site.base}/login">Log in again</a></p>`
  const notice = { kind: 'good', text: 'You are logged out.' } as const
  return { site, title: 'Goodbye', main, narrow: true, notice }
}
