import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { hiddenFields, type Seen, type Surfer, textOf } from '../support/surfer.ts'

const OTHER = "This passkey's id needs an encoding: ?&"

interface World {
  readonly accounts: TestAccounts
  readonly ann: Surfer
  readonly names: (userId?: string) => Promise<readonly string[]>
}

/** Ann has two passkeys, Bob one. */
async function world(): Promise<World> {
  const accounts = await startAccounts({ host: 'localhost' })
  await accounts.user('ann')
  await accounts.user('bob')
  const { credentials } = accounts.stores
  const common = { publicKey: 'AAAA', counter: 0, transports: [], createdAtMs: accounts.system.nowMs() }
  await credentials.addPasskey({ ...common, credentialId: 'a', userId: 'user_ann', name: 'phone' })
  await credentials.addPasskey({ ...common, credentialId: OTHER, userId: 'user_ann', name: 'key\u202efob' })
  await credentials.addPasskey({ ...common, credentialId: 'b', userId: 'user_bob', name: "Bob's" })
  const names = async (userId = 'user_ann') =>
    (await credentials.passkeysOf(userId)).map(({ name }) => name).sort()
  return { accounts, ann: await accounts.login('ann'), names }
}

function remove(ann: Surfer, page: Seen, fields: Readonly<Record<string, string>>): Promise<Seen> {
  return ann.submit(page, '/account/passkeys/remove', fields)
}

function removePage(ann: Surfer, id: string): Promise<Seen> {
  return ann.get(`/account/passkeys/remove?id=${encodeURIComponent(id)}`)
}

test('[PASSKEY.1] lists the passkeys of the user, each with a link to its removal', async () => {
  const { ann } = await world()
  const page = await ann.get('/account/passkeys')
  const shown = textOf(page.text)
  expect(shown).toContain('phone Added just now')
  expect(shown).toContain('key fob Added just now')
  expect(shown).not.toContain('Bob')
  expect(shown).toContain('This browser has no passkeys, or runs no scripts.')
  expect(page.text).toContain(
    `href="/account/passkeys/remove?id=${encodeURIComponent(OTHER).replaceAll("'", '&#39;')}"`,
  )
  expect(textOf((await removePage(ann, OTHER)).text)).toContain(
    'key fob can then no longer be used to log in.',
  )
})

test('[PASSKEY.2] offers no passkeys at a bridge that is reached by an address', async () => {
  for (const [issuer, offers] of [
    ['http://127.0.0.1:8787', false],
    ['http://[::1]:8787', false],
    ['http://bridge.example.com', true],
  ] as const) {
    const accounts = await startAccounts({ issuer })
    await accounts.user('ann')
    const ann = await accounts.login('ann')
    const page = await ann.get('/account/passkeys')
    expect(textOf(page.text).includes('this bridge is reached by an address'), issuer).toBe(!offers)
    expect(page.text.includes('id="passkey-create"'), issuer).toBe(offers)
  }
})

test('[PASSKEY.1] [LOGIN.7] removes a passkey with the password, renews the login and ends what is ticked', async () => {
  const { accounts, ann, names } = await world()
  await accounts.login('ann')
  const before = await accounts.stores.sessions.ofUser('user_ann')
  const page = await removePage(ann, 'a')
  expect(page.status).toBe(200)
  const seen = await remove(ann, page, { currentPassword: PASSWORD, endOthers: 'yes' })
  expect(seen.path).toBe('/account?done=passkey')
  expect(textOf(seen.text)).toContain(
    'Your passkeys were changed. If somebody else may have used your account',
  )
  expect(await names()).toEqual(['key\u202efob'])
  expect(accounts.recorded.named('passkey_removed')).toMatchObject([
    { userId: 'user_ann', ip: '127.0.0.1', name: 'phone' },
  ])
  const after = await accounts.stores.sessions.ofUser('user_ann')
  expect(after).toHaveLength(1)
  expect(before.map(({ sessionId }) => sessionId)).not.toContain(after[0]?.sessionId)

  // The second time it is gone, and nothing is recorded.
  expect((await removePage(ann, 'a')).status).toBe(404)
  const token = hiddenFields((await ann.get('/account')).text, '/logout')
  const again = { ...token, id: 'a', currentPassword: PASSWORD }
  expect((await ann.post('/account/passkeys/remove', again)).headers.get('location')).toEqual([
    '/account?done=passkey',
  ])
  expect(accounts.recorded.named('passkey_removed')).toHaveLength(1)
})

test('[PASSKEY.1] keeps a passkey after a wrong password, and shows the form again', async () => {
  const { ann, names } = await world()
  const page = await removePage(ann, 'a')
  for (const currentPassword of ['', 'wrong']) {
    const seen = await remove(ann, page, { currentPassword })
    expect(seen.status).toBe(403)
    expect(textOf(seen.text)).toContain('The password is wrong.')
    expect(textOf(seen.text)).toContain('phone can then no longer be used to log in.')
  }
  expect(await names()).toHaveLength(2)
  // Without a passkey of that id there is only the list to go back to.
  const seen = await remove(ann, page, { currentPassword: 'wrong', id: 'none' })
  expect([seen.status, textOf(seen.text).includes('Passkeys need a name')]).toEqual([403, true])
  expect(textOf(seen.text)).not.toContain('Your passkeys')
})

test('[ACCT.6] neither shows nor removes the passkey of another user', async () => {
  const { accounts, ann, names } = await world()
  const seen = await removePage(ann, 'b')
  expect([seen.status, textOf(seen.text).includes('Bob')]).toEqual([404, false])
  expect((await ann.get('/account/passkeys/remove')).status).toBe(404)
  await remove(ann, await removePage(ann, 'a'), { currentPassword: PASSWORD, id: 'b' })
  expect(await names('user_bob')).toEqual(["Bob's"])
  expect(await names()).toHaveLength(2)
  expect(accounts.recorded.named('passkey_removed')).toEqual([])
})

test('[PASSKEY.1] sends a browser without a login to the login page, and then back', async () => {
  const { ann } = await world()
  for (const name of ['accessToken', 'refreshToken']) ann.cookies.delete(name)
  for (const path of ['/account/passkeys', '/account/passkeys/remove?id=a'])
    expect((await ann.send('GET', path)).headers.get('location')).toEqual([
      `/login?returnTo=${encodeURIComponent(path)}`,
    ])
})

test('[PAGE.2] serves the script for its own pages only, always checked for a newer one', async () => {
  const { ann } = await world()
  const { status, headers, text } = await ann.get('/account/passkeys.js')
  expect(status).toBe(200)
  expect(text).toContain("document.getElementById('passkey-create')")
  for (const [name, value] of [
    ['content-type', 'text/javascript; charset=utf-8'],
    ['content-length', String(Buffer.byteLength(text))],
    ['cache-control', 'no-cache'],
    ['x-content-type-options', 'nosniff'],
    ['cross-origin-resource-policy', 'same-origin'],
  ] as const)
    expect([name, headers.get(name)]).toEqual([name, [value]])
})
