import { expect, test } from 'vitest'
import { accountPage, noticeOf } from '../../src/accounts/account-pages.ts'
import { outlineOf } from './outline.ts'
import { HOUR_MS, loggedIn, NOW_MS, passkey, session, site } from './samples.ts'

const account = {
  site,
  loggedIn,
  nowMs: NOW_MS,
  sessions: [session],
  devices: [],
  passkeys: [],
  upstreams: [],
  providerName: undefined,
  hasPassword: false,
  hasTotp: false,
}

test('[ACCT.6] shows a new user how to add a machine and ways to log in', () => {
  expect(outlineOf(accountPage(account))).toMatchInlineSnapshot(`
    "Your account · Bridgekeeper
    no script
    <main>
    <h1>
    Your account
    <div aria-live="polite" id="notice">
    <h2>
    My machines
    None yet. On the machine with your MCP servers:
    <code>
    npx bridgekeeper connect https://bridge.example.com/base
    <h2>
    Where you are logged in
    Firefox on Linux
    this browser
    <h2>
    How you log in
    Password
    None
    <a class="button plain" href="/base/account/password" aria-label="Change the password">
    Set
    Codes from an app
    Off
    <a class="button plain" href="/base/account/codes" aria-label="Change whether codes are asked for">
    Switch on
    Passkeys
    None
    <a class="button plain" href="/base/account/passkeys" aria-label="Manage passkeys">
    Manage
    <a href="/base/account/delete">
    Delete my account"
  `)
})

test('[ACCT.6] shows machines, apps and logins, with a button that ends each, and every way to log in', () => {
  const page = accountPage({
    ...account,
    hasPassword: true,
    hasTotp: true,
    passkeys: [passkey],
    providerName: 'Example & Sons',
    upstreams: [{ issuer: 'https://idp.example', subject: 's' }],
    devices: [
      {
        deviceId: 'device',
        userId: 'user_ann',
        sessionId: 's',
        name: 'lap\u202etop',
        keys: [
          {
            keyId: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
            algorithm: 'Ed25519',
            generation: 1,
            jwk: '{}',
          },
        ],
        createdAtMs: NOW_MS,
        usedAtMs: NOW_MS - HOUR_MS,
      },
      {
        deviceId: 'bare',
        userId: 'user_ann',
        sessionId: 's',
        name: 'without key',
        keys: [],
        createdAtMs: NOW_MS,
        usedAtMs: NOW_MS,
      },
    ],
    sessions: [
      { ...session, sessionId: 'other' },
      session,
      { ...session, sessionId: 'token', kind: 'token', label: 'x', scopes: [] },
      { ...session, sessionId: 'app', kind: 'client', label: 'some\u202eapp' },
      { ...session, sessionId: 'machine', kind: 'device', label: 'never shown' },
    ],
  })
  expect(outlineOf(page)).toMatchInlineSnapshot(`
    "Your account · Bridgekeeper
    no script
    <main>
    <h1>
    Your account
    <div aria-live="polite" id="notice">
    <h2>
    My machines
    The words are those of the machine's key; the machine showed the same when it was enrolled. A revoked machine must be enrolled again.
    lap top
    calamari-eats-lemon-daringly-womankind-tradition-agreement-shifty
    Last used
    1 hour ago
    <form method="post" action="/base/account/devices/end">
    <input type="hidden" name="deviceId" value="device">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="bad" aria-label="Revoke lap top">
    Revoke
    without key
    Last used
    just now
    <form method="post" action="/base/account/devices/end">
    <input type="hidden" name="deviceId" value="bare">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="bad" aria-label="Revoke without key">
    Revoke
    <h2>
    Connected apps
    some app
    Since
    2 hours ago
    , last used
    1 hour ago
    <form method="post" action="/base/account/sessions/end">
    <input type="hidden" name="sessionId" value="app">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="bad" aria-label="Disconnect some app">
    Disconnect
    <h2>
    Where you are logged in
    Firefox on Linux
    this browser
    Firefox on Linux
    Since
    2 hours ago
    , last used
    1 hour ago
    <form method="post" action="/base/account/sessions/end">
    <input type="hidden" name="sessionId" value="other">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="bad" aria-label="End Firefox on Linux">
    End
    Token from the command line
    Since
    2 hours ago
    , last used
    1 hour ago
    <form method="post" action="/base/account/sessions/end">
    <input type="hidden" name="sessionId" value="token">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="bad" aria-label="End Token from the command line">
    End
    <form method="post" action="/base/account/sessions/end-others">
    <input type="hidden" name="formToken" value="TOKEN">
    <button class="plain">
    End all others
    <h2>
    How you log in
    Password
    Set
    <a class="button plain" href="/base/account/password" aria-label="Change the password">
    Change
    Codes from an app
    Asked for after the password
    <a class="button plain" href="/base/account/codes" aria-label="Change whether codes are asked for">
    Switch off
    Passkeys
    1
    <a class="button plain" href="/base/account/passkeys" aria-label="Manage passkeys">
    Manage
    Example &amp; Sons
    Linked
    <a class="button plain" href="/base/account/provider" aria-label="Logging in with Example &amp; Sons">
    Unlink
    <a href="/base/account/delete">
    Delete my account"
  `)
})

test('[ACCT.6] shows whether the provider is linked', () => {
  const outline = outlineOf(accountPage({ ...account, providerName: 'Example' }))
  expect(outline.slice(outline.indexOf('Passkeys'))).toMatchInlineSnapshot(`
    "Passkeys
    None
    <a class="button plain" href="/base/account/passkeys" aria-label="Manage passkeys">
    Manage
    Example
    Not linked
    <a class="button plain" href="/base/account/provider" aria-label="Logging in with Example">
    Link
    <a href="/base/account/delete">
    Delete my account"
  `)
})

test.each([
  ['password', 'Your password was changed.'],
  ['codes-on', 'From now on a code is asked for after your password.'],
  ['codes-off', 'Codes are switched off.'],
  [
    'passkey',
    'Your passkeys were changed. If somebody else may have used your account, end all other logins below.',
  ],
  ['ended', 'Its access was ended.'],
  ['others-ended', 'All other logins were ended.'],
  ['linked', 'Your account there is linked.'],
  ['unlinked', 'Your account there is no longer linked.'],
])('[PAGE.3] announces on the account page that %s is done', (name, text) => {
  expect(noticeOf(name)).toEqual({ kind: 'good', text })
})

test('[PAGE.1] announces nothing for an unknown name in the address of the account page', () => {
  for (const name of [null, '', 'passwords', 'constructor']) expect(noticeOf(name)).toBeUndefined()
})
