import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { openPage } from '../support/browser.ts'
import { hiddenFields, Surfer } from '../support/surfer.ts'

/** Serves the bridge under a host name, which passkeys require. */
async function named(): Promise<TestAccounts & { readonly site: string }> {
  const accounts = await startAccounts({ host: 'localhost' })
  return { ...accounts, site: accounts.url }
}

/** A Chromium with a virtual authenticator, whose user always consents. */
async function browserWithPasskeys(): Promise<Page> {
  const page = await openPage()
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return page
}

async function logIn(page: Page, site: string): Promise<void> {
  await page.goto(`${site}/login`)
  await page.fill('#email', 'ann@example.com')
  await page.fill('#password', PASSWORD)
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.waitForURL('**/account')
}

async function addPasskey(page: Page, site: string): Promise<void> {
  await page.goto(`${site}/account/passkeys`)
  await page.fill('#currentPassword', PASSWORD)
  await page.fill('#name', "Ann's <i>phone</i>")
  await page.click('#passkey-create')
  await page.waitForURL('**/account?done=passkey')
}

test('[PASSKEY.1] [PASSKEY.2] adds a passkey in Chromium, logs in with it without a password, and removes it', async () => {
  const { site, recorded, user, stores } = await named()
  const { userId } = await user('ann')
  const page = await browserWithPasskeys()
  await logIn(page, site)
  await addPasskey(page, site)
  expect(await stores.credentials.passkeysOf(userId)).toMatchObject([{ userId, name: "Ann's <i>phone</i>" }])

  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForSelector('text=You are logged out')
  await page.goto(`${site}/login?returnTo=/account/passkeys`)
  await page.click('#passkey-login')
  await page.waitForURL(`${site}/account/passkeys`)
  expect(await page.textContent('main')).toContain("Ann's <i>phone</i>")
  expect(recorded.named('login_succeeded').at(-1)).toMatchObject({ method: 'passkey', userId })

  // A fresh login by passkey needs no password.
  await page.getByRole('link', { name: 'Remove' }).click()
  await page.getByRole('button', { name: 'Remove it' }).click()
  await page.waitForURL('**/account?done=passkey')
  expect(await stores.credentials.passkeysOf(userId)).toEqual([])
  expect(recorded.named('passkey_removed')).toMatchObject([{ userId }])
}, 120_000)

test('[PASSKEY.1] refuses to add a passkey with a wrong password, and refuses a removed passkey', async () => {
  const { site, user, stores, recorded } = await named()
  const { userId } = await user('ann')
  const page = await browserWithPasskeys()
  await logIn(page, site)
  await page.goto(`${site}/account/passkeys`)
  await page.fill('#currentPassword', 'not the password')
  await page.click('#passkey-create')
  await page.waitForSelector('text=The password is wrong.')
  expect(await stores.credentials.passkeysOf(userId)).toEqual([])

  await addPasskey(page, site)
  const [passkey] = await stores.credentials.passkeysOf(userId)
  await stores.credentials.removePasskey(userId, passkey?.credentialId ?? '')
  await page.context().clearCookies()
  await page.goto(`${site}/login`)
  await page.click('#passkey-login')
  await page.waitForSelector('text=The passkey was not accepted.')
  expect(recorded.named('login_failed')).toContainEqual(expect.objectContaining({ reason: 'passkey_wrong' }))
}, 120_000)

test('[PASSKEY.2] refuses a recorded answer again, in another browser or changed', async () => {
  const { site, user, recorded } = await named()
  await user('ann')
  const page = await browserWithPasskeys()
  await logIn(page, site)
  await addPasskey(page, site)
  await page.context().clearCookies()
  let answer = ''
  let headers: Record<string, string> = {}
  await page.route('**/login/passkey', async (route) => {
    answer = route.request().postData() ?? ''
    headers = await route.request().allHeaders()
    // Tampers with the signature on the way.
    const { credential, ...rest } = JSON.parse(answer)
    const signature = Buffer.from(credential.response.signature, 'base64url')
    signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1
    const response = { ...credential.response, signature: signature.toString('base64url') }
    await route.continue({ postData: JSON.stringify({ ...rest, credential: { ...credential, response } }) })
  })
  await page.goto(`${site}/login`)
  await page.click('#passkey-login')
  await page.getByText('The passkey was not accepted.').waitFor()

  // The challenge is used up, though the recorded answer would have matched.
  const same = new Surfer(site)
  const { cookie = '', 'x-form-token': token = '' } = headers
  same.cookies.set('visit', /visit=([\w-]+)/.exec(cookie)?.[1] ?? '')
  const json = { 'content-type': 'application/json', origin: site }
  const again = await same.send('POST', '/login/passkey', answer, { ...json, 'x-form-token': token })
  expect([again.status, again.text.includes('passkey_refused')]).toEqual([403, true])

  const other = new Surfer(site)
  const fields = hiddenFields((await other.get('/login')).text, '/login')
  const elsewhere = await other.send('POST', '/login/passkey', answer, {
    ...json,
    'x-form-token': fields.formToken ?? '',
  })
  expect([elsewhere.status, elsewhere.text.includes('passkey_refused')]).toEqual([403, true])
  expect(recorded.named('login_succeeded')).toHaveLength(1)
}, 120_000)
