import { expect, test } from 'vitest'
import { codePage, loggedOutPage, loginPage, logoutPage } from '../../src/accounts/login-pages.ts'
import { providerPage } from '../../src/accounts/login-provider-pages.ts'
import { passkeysPage, removePasskeyPage } from '../../src/accounts/passkey-pages.ts'
import {
  type ChangePage,
  codesOffPage,
  codesOnPage,
  deletePage,
  passwordPage,
} from '../../src/accounts/security-pages.ts'
import { html } from '../../src/web/html.ts'
import { outlineOf } from './outline.ts'
import { loggedIn, NOW_MS, passkey, site } from './samples.ts'

const visitor = { visitId: 'visit', formToken: 'TOKEN' }
const changePage: ChangePage = {
  site,
  loggedIn,
  confirmation: html`CONFIRMATION`,
  ending: html`ENDING`,
  notice: { kind: 'bad', text: 'NOTICE' },
}
test('[PAGE.3] asks for email and password on the login page, and offers a passkey', () => {
  expect(
    outlineOf(loginPage({ site, visitor, returnTo: '/x', providerName: undefined })),
  ).toMatchInlineSnapshot(`
    "Log in · Bridgekeeper
    <script src="/base/account/passkeys.js" defer>
    <main class="narrow">
    <h1>
    Log in
    <div aria-live="polite" id="notice">
    <form method="post" action="/base/login" class="wide">
    <input type="hidden" name="returnTo" value="/x">
    <input type="hidden" name="formToken" value="TOKEN">
    Email
    <input id="email" name="email" type="email" autocomplete="username" maxlength="254" required autofocus autocapitalize="none" spellcheck="false">
    Password
    <input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required>
    <button class="main">
    Log in
    <div id="passkey" hidden data-base="/base" data-token="TOKEN" data-return-to="/x">
    or
    <button type="button" class="plain" id="passkey-login">
    Use a passkey
    No account, or the password is lost? Ask the operator of this bridge."
  `)
})

test('[PAGE.3] offers the provider on the login page, and keeps the email after an error', () => {
  const notice = { kind: 'bad', text: 'Wrong.' } as const
  const options = { site, visitor, returnTo: '/x', providerName: 'Example & Sons', email: 'a@b.c', notice }
  expect(outlineOf(loginPage(options))).toMatchInlineSnapshot(`
    "Log in · Bridgekeeper
    <script src="/base/account/passkeys.js" defer>
    <main class="narrow">
    <h1>
    Log in
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    Wrong.
    <form method="post" action="/base/login" class="wide">
    <input type="hidden" name="returnTo" value="/x">
    <input type="hidden" name="formToken" value="TOKEN">
    Email
    <input id="email" name="email" type="email" autocomplete="username" maxlength="254" required value="a@b.c" autocapitalize="none" spellcheck="false">
    Password
    <input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required>
    <button class="main">
    Log in
    <div id="passkey" hidden data-base="/base" data-token="TOKEN" data-return-to="/x">
    or
    <button type="button" class="plain" id="passkey-login">
    Use a passkey
    or
    <form method="post" action="/base/login/sso" class="wide">
    <input type="hidden" name="returnTo" value="/x">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="plain">
    Log in with Example &amp; Sons
    No account, or the password is lost? Ask the operator of this bridge."
  `)
  expect(outlineOf(loginPage({ ...options, notice: undefined }))).not.toContain('autofocus')
  expect(outlineOf(loginPage({ ...options, email: undefined }))).not.toContain(
    'name="email" type="email" autocomplete="username" maxlength="254" required autofocus',
  )
})

test('[PAGE.3] asks for six digits after the password', () => {
  expect(outlineOf(codePage({ site, visitor, step: 'STEP' }))).toMatchInlineSnapshot(`
    "One more step · Bridgekeeper
    no script
    <main class="narrow">
    <h1>
    One more step
    <div aria-live="polite" id="notice">
    <form method="post" action="/base/login/code" class="wide">
    <input type="hidden" name="step" value="STEP">
    <input type="hidden" name="formToken" value="TOKEN">
    Code
    <input id="code" name="code" type="text" autocomplete="one-time-code" maxlength="7" required aria-describedby="code-hint" autofocus class="code" inputmode="numeric" pattern="[0-9 ]{6,7}">
    <span class="hint" id="code-hint">
    Six digits, from your authenticator app.
    <button class="main">
    Continue
    <a href="/base/login">
    Start again"
  `)
  const notice = { kind: 'bad', text: 'Wrong.' } as const
  expect(outlineOf(codePage({ site, visitor, step: 'STEP', notice }))).not.toContain('required autofocus')
})

test('[PAGE.3] asks before it logs out, and offers another login afterwards', () => {
  expect(outlineOf(logoutPage(site, 'TOKEN'))).toMatchInlineSnapshot(`
    "Log out · Bridgekeeper
    no script
    <main class="narrow">
    <h1>
    Log out
    <div aria-live="polite" id="notice">
    This ends your login in this browser.
    <form method="post" action="/base/logout" class="wide">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="main">
    Log out"
  `)
  expect(outlineOf(loggedOutPage(site))).toMatchInlineSnapshot(`
    "Goodbye · Bridgekeeper
    no script
    <main class="narrow">
    <h1>
    Goodbye
    <div aria-live="polite" id="notice">
    <p class="alert good" role="status" tabindex="-1" autofocus>
    You are logged out.
    <a class="button" href="/base/login">
    Log in again"
  `)
})

test('[PAGE.3] asks for a new password, and names its rule', () => {
  expect(outlineOf(passwordPage(changePage))).toMatchInlineSnapshot(`
    "Change your password · Bridgekeeper
    no script
    <main class="form">
    <h1>
    Change your password
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    <form method="post" action="/base/account/password">
    <input type="hidden" name="formToken" value="TOKEN">
    CONFIRMATION
    New password
    <input id="newPassword" name="newPassword" type="password" autocomplete="new-password" maxlength="256" required aria-describedby="newPassword-hint">
    <span class="hint" id="newPassword-hint">
    At least 12 characters, any of them. A few words in a row are easy to keep in mind.
    ENDING
    <button class="main">
    Save
    <a href="/base/account">
    Back"
  `)
})

test('[PAGE.3] explains codes, and asks for the first one', () => {
  expect(outlineOf(codesOffPage(changePage))).toMatchInlineSnapshot(`
    "Switch codes off · Bridgekeeper
    no script
    <main class="form">
    <h1>
    Switch codes off
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    <form method="post" action="/base/account/codes/off">
    <input type="hidden" name="formToken" value="TOKEN">
    Your password alone will be enough to log in then.
    CONFIRMATIONENDING
    <button class="bad">
    Switch codes off
    <a href="/base/account">
    Back"
  `)
  const totp = { text: 'ABCD EFGH', uri: 'otpauth://totp/x', sealed: 'SEALED' }
  expect(outlineOf(codesOnPage(changePage, totp))).toMatchInlineSnapshot(`
    "Codes from an app · Bridgekeeper
    no script
    <main class="form">
    <h1>
    Codes from an app
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    <form method="post" action="/base/account/codes/on">
    <input type="hidden" name="begun" value="SEALED">
    <input type="hidden" name="formToken" value="TOKEN">
    Add this key to an authenticator app, then type the code that the app shows.
    <code class="big">
    ABCD EFGH
    <a href="otpauth://totp/x">
    Open it in an app on this device
    CONFIRMATION
    Code
    <input id="code" name="code" type="text" autocomplete="one-time-code" maxlength="7" required aria-describedby="code-hint" class="code" inputmode="numeric" pattern="[0-9 ]{6,7}">
    <span class="hint" id="code-hint">
    Six digits. From then on a code is asked for after your password.
    ENDING
    <button class="main">
    Switch codes on
    <a href="/base/account">
    Back"
  `)
})

test('[PAGE.3] explains what deleting an account does, and asks for the email', () => {
  expect(outlineOf(deletePage({ ...changePage, confirmation: undefined }))).toMatchInlineSnapshot(`
    "Delete your account · Bridgekeeper
    no script
    <main class="form">
    <h1>
    Delete your account
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    <form method="post" action="/base/account/delete">
    <input type="hidden" name="formToken" value="TOKEN">
    Your machines, apps and logins are disconnected at once, and your account is erased; only the security log keeps a record. This cannot be undone.
    Type your email to confirm the deletion
    <input id="email" name="email" type="email" autocomplete="off" maxlength="254" required autocapitalize="none" spellcheck="false">
    <button class="bad">
    Delete my account
    <a href="/base/account">
    Back"
  `)
})

test('[PAGE.3] offers to link and unlink the provider', () => {
  expect(outlineOf(providerPage(changePage, 'Example & Sons', false))).toMatchInlineSnapshot(`
    "Example &amp; Sons · Bridgekeeper
    no script
    <main class="form">
    <h1>
    Example &amp; Sons
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    <form method="post" action="/base/account/provider/link">
    <input type="hidden" name="formToken" value="TOKEN">
    You will be able to log in with your account at Example &amp; Sons, without the password here.
    CONFIRMATION
    <button class="main">
    Link it
    <a href="/base/account">
    Back"
  `)
  expect(outlineOf(providerPage(changePage, 'Example & Sons', true))).toMatchInlineSnapshot(`
    "Example &amp; Sons · Bridgekeeper
    no script
    <main class="form">
    <h1>
    Example &amp; Sons
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    <form method="post" action="/base/account/provider/unlink">
    <input type="hidden" name="formToken" value="TOKEN">
    You can log in with your account at Example &amp; Sons.
    CONFIRMATIONENDING
    <button class="bad">
    Unlink it
    <a href="/base/account">
    Back"
  `)
})

test('[PAGE.3] lists passkeys, and offers to add and remove them', () => {
  expect(outlineOf(passkeysPage(changePage, [passkey], NOW_MS, true))).toMatchInlineSnapshot(`
    "Passkeys · Bridgekeeper
    <script src="/base/account/passkeys.js" defer>
    <main class="form">
    <h1>
    Passkeys
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    A passkey logs you in by your fingerprint, face or PIN instead of a password, and only to this site.
    <h2>
    Your passkeys
    my phone
    Added
    1 hour ago
    <a class="button plain" href="/base/account/passkeys/remove?id=id%26" aria-label="Remove my phone">
    Remove
    <h2>
    One more
    <p id="passkey-none">
    This browser has no passkeys, or runs no scripts.
    <div id="passkey-add" hidden data-base="/base" data-token="TOKEN">
    Name of the new one
    <input id="name" name="name" type="text" autocomplete="off" maxlength="60" required value="My passkey" aria-describedby="name-hint">
    <span class="hint" id="name-hint">
    Such as the device or password manager that keeps it.
    CONFIRMATION
    <button id="passkey-create" type="button" class="main">
    Add a passkey
    <a href="/base/account">
    Back"
  `)
  expect(outlineOf(passkeysPage(changePage, [], NOW_MS, false))).toMatchInlineSnapshot(`
    "Passkeys · Bridgekeeper
    <script src="/base/account/passkeys.js" defer>
    <main class="form">
    <h1>
    Passkeys
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    A passkey logs you in by your fingerprint, face or PIN instead of a password, and only to this site.
    <h2>
    One more
    Passkeys need a name, such as bridge.example.com; this bridge is reached by an address.
    <a href="/base/account">
    Back"
  `)
  expect(outlineOf(removePasskeyPage(changePage, passkey))).toMatchInlineSnapshot(`
    "Remove a passkey · Bridgekeeper
    no script
    <main class="form">
    <h1>
    Remove a passkey
    <div aria-live="polite" id="notice">
    <p class="alert bad" role="alert" tabindex="-1" autofocus>
    NOTICE
    <form method="post" action="/base/account/passkeys/remove">
    <input type="hidden" name="id" value="id&amp;">
    <input type="hidden" name="formToken" value="TOKEN">
    my phone
    can then no longer be used to log in.
    CONFIRMATIONENDING
    <button class="bad">
    Remove it
    <a href="/base/account/passkeys">
    Back"
  `)
})
