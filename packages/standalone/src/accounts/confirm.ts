import type { Denied } from '@bridgekeeper/bridge'
import type { LoggedIn } from '../browser/browser-sessions.ts'
import { isConfirmed } from '../browser/recent-login.ts'
import type { Form } from '../web/form-body.ts'
import { type Html, html } from '../web/html.ts'
import { field } from '../web/layout.ts'
import type { Visit } from '../web/visit.ts'
import { checkPassword } from './login-checks.ts'
import type { Pages } from './parts.ts'

/** Name of the field. */
export const CURRENT_PASSWORD = 'currentPassword'

/** How a user confirms their identity before acts that a stolen login must not do. */
export type Confirmation = 'done' | 'password' | 'password_or_login' | 'login'

/** [ACCT.5] Nothing more after a login by passkey or provider just now; else the password, or such a login. */
export async function confirmationOf(pages: Pages, visit: Visit, loggedIn: LoggedIn): Promise<Confirmation> {
  if (isConfirmed(pages, visit, loggedIn)) return 'done'
  const { userId } = loggedIn.user
  if (!(await pages.passwords.has(userId))) return 'login'
  return (await pages.credentials.passkeysOf(userId)).length > 0 ? 'password_or_login' : 'password'
}

/** Form fields that ask for a confirmation. @param path of the form, to return to */
export function confirmationFields(
  { site }: Pages,
  confirmation: Confirmation,
  path: string,
): Html | undefined {
  if (confirmation === 'done') return undefined
  const again = `${site.base}/login?again=1&returnTo=${encodeURIComponent(path)}`
  if (confirmation === 'login')
    return html`<p>Confirm that it is you: <a href="${again}">log in once more</a>, then come back here.</p>`
  return html`${field({
    name: CURRENT_PASSWORD,
    label: 'Your password now',
    type: 'password',
    autocomplete: 'current-password',
    maxLength: 1_024,
  })}${confirmation === 'password_or_login' && html`<span class="hint">Or <a href="${again}">log in with a passkey</a> first.</span>`}`
}

/** @returns the problem, in words for the sender of the form; `undefined` if the identity is confirmed */
export async function confirmationProblem(
  pages: Pages,
  visit: Visit,
  loggedIn: LoggedIn,
  form: Form,
): Promise<{ readonly text: string; readonly denied?: Denied } | undefined> {
  if (isConfirmed(pages, visit, loggedIn)) return undefined
  const password = form.get(CURRENT_PASSWORD) ?? ''
  const { user, denied } = await checkPassword(pages, visit, loggedIn.user.email, password)
  if (denied !== undefined) return { text: 'Too many tries. Wait a while, then try again.', denied }
  return user?.userId === loggedIn.user.userId ? undefined : { text: 'The password is wrong.' }
}
