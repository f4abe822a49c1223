import { cleanText } from '@bridgekeeper/protocol'
import { accountOf } from '../browser/browser-sessions.ts'
import type { Passkey } from '../ports.ts'
import { html } from '../web/html.ts'
import { button, card, field, form, type PageOptions } from '../web/layout.ts'
import { moment } from '../web/moments.ts'
import { list, row } from './account-pages.ts'
import type { ChangePage } from './security-pages.ts'

/** `/account/passkeys`: those there are, and one more where the browser can. @param isAvailable whether this bridge has a name */
export function passkeysPage(
  page: ChangePage,
  passkeys: readonly Passkey[],
  nowMs: number,
  isAvailable: boolean,
): PageOptions {
  const { site, loggedIn, confirmation, notice } = page
  const rows = passkeys.map(({ credentialId, name, createdAtMs }) => {
    const shown = cleanText(name)
    const href = `${site.base}/account/passkeys/remove?id=${encodeURIComponent(credentialId)}`
    const about = html`<span class="soft small">Added ${moment(createdAtMs, nowMs)}</span>`
    return row(
      shown,
      about,
      html`<a class="button plain" href="${href}" aria-label="Remove ${shown}">Remove</a>`,
    )
  })
  const nameField = field({
    name: 'name',
    label: 'Name of the new one',
    autocomplete: 'off',
    value: 'My passkey',
    hint: 'Such as the device or password manager that keeps it.',
    maxLength: 60,
  })
  const adding = isAvailable
    ? html`<p id="passkey-none">This browser has no passkeys, or runs no scripts.</p>
<div id="passkey-add" hidden data-base="${site.base}" data-token="${loggedIn.formToken}">${nameField}${confirmation}
<button id="passkey-create" type="button" class="main">Add a passkey</button></div>`
    : html`<p>Passkeys need a name, such as bridge.example.com; this bridge is reached by an address.</p>`
  const main = html`<p>A passkey logs you in by your fingerprint, face or PIN instead of a password, and only to this site.</p>
${rows.length > 0 && card('Your passkeys', list(rows))}${card('One more', adding)}
<p class="small"><a href="${site.base}/account">Back</a></p>`
  return {
    site,
    title: 'Passkeys',
    main,
    account: accountOf(loggedIn),
    narrow: true,
    notice,
    script: 'passkeys.js',
  }
}

export function removePasskeyPage(page: ChangePage, { credentialId, name }: Passkey): PageOptions {
  const { site, loggedIn, confirmation, ending, notice } = page
  const fields = [
    html`<p><strong>${cleanText(name)}</strong> can then no longer be used to log in.</p>`,
    confirmation,
    ending,
    button('Remove it', 'bad'),
  ]
  const action = '/account/passkeys/remove'
  const main = html`<div class="card">${form({ site, action, token: loggedIn.formToken, hidden: { id: credentialId }, fields })}</div>
<p class="small"><a href="${site.base}/account/passkeys">Back</a></p>`
  return { site, title: 'Remove a passkey', main, account: accountOf(loggedIn), narrow: true, notice }
}
