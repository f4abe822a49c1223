import { accountOf, type LoggedIn } from '../browser/browser-sessions.ts'
import { type Html, html } from '../web/html.ts'
import { button, field, form, type Notice, type PageOptions } from '../web/layout.ts'
import type { Site } from '../web/site.ts'
import type { NewTotp } from './totp.ts'

/** Common part of these pages: the user, the confirmation fields, and the problem to show. */
export interface ChangePage {
  readonly site: Site
  readonly loggedIn: LoggedIn
  /** Fields that confirm the user's identity; `undefined` if none are needed. */
  readonly confirmation: Html | undefined
  /** Checkboxes for the logins, apps and machines that end with the change. */
  readonly ending: Html
  readonly notice?: Notice | undefined
}

export function passwordPage(page: ChangePage): PageOptions {
  const fields = [
    page.confirmation,
    field({
      name: 'newPassword',
      label: 'New password',
      type: 'password',
      autocomplete: 'new-password',
      maxLength: 256,
      hint: 'At least 12 characters, any of them. A few words in a row are easy to keep in mind.',
    }),
    page.ending,
    button('Save'),
  ]
  return changePage(page, 'Change your password', '/account/password', fields)
}

export function codesOffPage(page: ChangePage): PageOptions {
  const fields = [
    html`<p>Your password alone will be enough to log in then.</p>`,
    page.confirmation,
    page.ending,
    button('Switch codes off', 'bad'),
  ]
  return changePage(page, 'Switch codes off', '/account/codes/off', fields)
}

export function codesOnPage(page: ChangePage, totp: NewTotp): PageOptions {
  const fields = [
    html`<p>Add this key to an authenticator app, then type the code that the app shows.</p>
<p><code class="big">${totp.text}</code></p>
<p class="small"><a href="${totp.uri}">Open it in an app on this device</a></p>`,
    page.confirmation,
    field({
      name: 'code',
      label: 'Code',
      autocomplete: 'one-time-code',
      hint: 'Six digits. From then on a code is asked for after your password.',
      maxLength: 7,
      isCode: true,
    }),
    page.ending,
    button('Switch codes on'),
  ]
  return changePage(page, 'Codes from an app', '/account/codes/on', fields, { begun: totp.sealed })
}

export function deletePage(page: ChangePage): PageOptions {
  const fields = [
    html`<p>Your machines, apps and logins are disconnected at once, and your account is erased; only the security log keeps a record. This cannot be undone.</p>`,
    page.confirmation,
    field({
      name: 'email',
      label: 'Type your email to confirm the deletion',
      type: 'email',
      autocomplete: 'off',
    }),
    button('Delete my account', 'bad'),
  ]
  return changePage(page, 'Delete your account', '/account/delete', fields)
}

function changePage(
  { site, loggedIn, notice }: ChangePage,
  title: string,
  action: string,
  fields: readonly (Html | undefined)[],
  hidden: Readonly<Record<string, string>> = {},
): PageOptions {
  const main = html`<div class="card">${form({ site, action, token: loggedIn.formToken, hidden, fields })}</div>
<p class="small"><a href="${site.base}/account">Back</a></p>`
  return { site, title, main, account: accountOf(loggedIn), narrow: true, notice }
}
