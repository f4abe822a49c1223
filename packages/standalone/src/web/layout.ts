import { FORM_TOKEN } from './csrf.ts'
import { Html, type HtmlValue, html } from './html.ts'
import type { Site } from './site.ts'
import { STYLE } from './style.ts'

export interface PageOptions {
  readonly site: Site
  readonly title: string
  readonly main: Html
  /** The logged-in user, for links to the account and the logout button. */
  readonly account?: { readonly email: string; readonly isAdmin: boolean; readonly formToken: string }
  readonly notice?: Notice | undefined
  /** Whether the page is one narrow column, for a form. */
  readonly narrow?: boolean
  /** Name of a script, such as `passkeys.js`; the page must be usable without it. */
  readonly script?: string | undefined
  /** Address to which the browser continues automatically. */
  readonly continueTo?: string
}

/** A message about an action, which screen readers announce when the page opens. */
export interface Notice {
  readonly kind: 'bad' | 'good'
  readonly text: string
}

const STYLE_ELEMENT = Html.trusted(`<style>${STYLE}</style>`)

/** Renders a page in the common layout. */
export function page(options: PageOptions): Html {
  const { site, title, main, account, notice, narrow, script, continueTo } = options
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Bridgekeeper</title>
${STYLE_ELEMENT}
${continueTo !== undefined && html`<meta http-equiv="refresh" content="0;url=${continueTo}">`}
${script !== undefined && html`<script src="${site.base}/account/${script}" defer></script>`}
</head>
<body>
<header${narrow && account === undefined && html` class="narrow"`}><strong>Bridgekeeper</strong>${account && navigation(site, account)}</header>
<main${narrow && html` class="${account === undefined ? 'narrow' : 'form'}"`}>
<h1>${title}</h1>
<div aria-live="polite" id="notice">${notice && alert(notice)}</div>
${main}
</main>
</body>
</html>`
}

function navigation(site: Site, account: NonNullable<PageOptions['account']>): Html {
  return html`<nav aria-label="Account">
<span class="soft small">${account.email}</span>
<a href="${site.base}/account">Account</a>
${account.isAdmin && html`<a href="${site.base}/account/users">Users</a>`}
${form({ site, action: '/logout', token: account.formToken, fields: button('Log out', 'link') })}
</nav>`
}

function alert({ kind, text }: Notice): Html {
  return html`<p class="alert ${kind}" role="${kind === 'bad' ? 'alert' : 'status'}" tabindex="-1" autofocus>${text}</p>`
}

export interface FormOptions {
  readonly site: Site
  /** A path of this site. */
  readonly action: string
  /** CSRF token of the visitor; see `formToken`. */
  readonly token: string
  readonly fields: HtmlValue
  /** Hidden fields. */
  readonly hidden?: Readonly<Record<string, string>>
  readonly wide?: boolean
}

/** [CSRF.2] Renders a form with its CSRF token. */
export function form({ site, action, token, fields, hidden = {}, wide }: FormOptions): Html {
  const values = Object.entries({ ...hidden, [FORM_TOKEN]: token }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  return html`<form method="post" action="${site.base}${action}"${wide && html` class="wide"`}>${values}${fields}</form>`
}

export interface FieldOptions {
  readonly name: string
  readonly label: string
  readonly type?: 'text' | 'email' | 'password'
  /** Hint for browsers and password managers (HTML section 4.10.18.7). */
  readonly autocomplete: string
  readonly value?: string | undefined
  readonly hint?: string
  readonly focus?: boolean
  readonly maxLength?: number
  /** Whether the field takes a six-digit code; phones then show digits. */
  readonly isCode?: boolean
}

/** Renders a labelled, required field. */
export function field(options: FieldOptions): Html {
  const { name, label, type = 'text', autocomplete, value, hint, focus, maxLength = 254, isCode } = options
  return html`<label for="${name}">${label}</label>
<input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" maxlength="${maxLength}" required${[
    value !== undefined && html` value="${value}"`,
    hint !== undefined && html` aria-describedby="${name}-hint"`,
    focus && html` autofocus`,
    isCode && html` class="code" inputmode="numeric" pattern="[0-9 ]{6,7}"`,
    type === 'email' && html` autocapitalize="none" spellcheck="false"`,
  ]}>${hint !== undefined && html`<span class="hint" id="${name}-hint">${hint}</span>`}`
}

/** @param label for screen readers, if the text alone is not clear */
export function button(text: string, kind: 'main' | 'plain' | 'bad' | 'link' = 'main', label?: string): Html {
  return html`<button class="${kind}"${label !== undefined && html` aria-label="${label}"`}>${text}</button>`
}

/** Renders a section with a heading. */
export function card(heading: string, content: HtmlValue): Html {
  return html`<section class="card"><h2>${heading}</h2>${content}</section>`
}
