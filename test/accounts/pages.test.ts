import { html, localPath } from '@bridgekeeper/standalone/testing'
import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts } from '../support/accounts.ts'
import { openPage } from '../support/browser.ts'
import { Surfer } from '../support/surfer.ts'

const NASTY = `"><script>alert(1)</script><img src=x onerror='alert(1)'>&amp;`

test('[PAGE.1] escapes values in elements and quoted attributes, and keeps lists and nested templates as HTML', () => {
  expect(html`<p title="${NASTY}">${NASTY}</p>`.toString()).not.toMatch(/<script|<img|onerror='/)
  expect(html`${[html`<b>${'<'}</b>`, undefined, false, 3]}`.toString()).toBe('<b>&lt;</b>3')
})

test('[PAGE.4] redirects only to paths of the bridge', () => {
  for (const path of [
    '/account',
    '/interaction/abc',
    '/device?user_code=ABCD-EFGH',
    '/account/users?after=a%40b',
  ])
    expect(localPath(path)).toBe(path)
  for (const path of [
    undefined,
    '',
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '\\/evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    'javascript:alert(1)',
    '/..//evil.example',
    '/.//evil.example',
    '/%0d%0aset-cookie:a=b\r\n',
    '/ä',
    `/${'a'.repeat(3_000)}`,
    'account',
  ])
    expect(localPath(path), JSON.stringify(path)).toBe('/account')
})

test('[PAGE.2] forbids frames, caches and scripts on every page, and lets another page load only the script', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann', { role: 'admin' })
  const ann = await accounts.login('ann')
  for (const path of [
    '/login?again=1',
    '/account',
    '/account/users',
    '/account/codes',
    '/account/nothing',
    '/logout',
  ]) {
    const { headers } = await ann.get(path)
    const policy = headers.get('content-security-policy')?.[0] ?? ''
    expect(policy, path).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; /)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).toContain("form-action 'self'")
    expect(policy).not.toContain('unsafe')
    expect(policy.includes('script-src')).toBe(path.startsWith('/login'))
    expect(headers.get('cache-control')).toEqual(['no-store'])
    expect(headers.get('x-frame-options')).toEqual(['DENY'])
    expect(headers.get('referrer-policy')).toEqual(['same-origin'])
    expect(headers.get('x-content-type-options')).toEqual(['nosniff'])
  }
  const script = await ann.get('/account/passkeys.js')
  expect(script.headers.get('content-type')).toEqual(['text/javascript; charset=utf-8'])
  expect((await ann.send('POST', '/account/passkeys.js')).status).toBe(405)
  expect((await ann.get('/login/constructor')).status).toBe(404)
})

test('[PAGE.3] Chromium without scripts logs in, changes the password and logs out on a phone, by keyboard alone', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const page = await openPage({ phone: true, scripts: false })
  await page.goto(`${accounts.url}/account/password`)
  // Chromium moves the focus only when it first draws the page, which may be after it was loaded.
  await page.locator('#email:focus').waitFor()
  await page.keyboard.type('ann@example.com')
  await page.keyboard.press('Tab')
  await page.keyboard.type(PASSWORD)
  await page.keyboard.press('Enter')
  await page.waitForURL(`${accounts.url}/account/password`)
  await tabTo(page, page.getByLabel('Your password now'))
  await page.keyboard.type(PASSWORD)
  await tabTo(page, page.getByLabel('New password'))
  await page.keyboard.type('four new words here')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/account?done=password')
  expect(await page.getByRole('status').textContent()).toBe('Your password was changed.')
  await page.locator('[role=status]:focus').waitFor()
  await tabTo(page, page.getByRole('button', { name: 'Log out' }))
  await page.keyboard.press('Enter')
  await page.getByText('You are logged out.').waitFor()
  await accounts.login('ann', 'four new words here')
}, 120_000)

test('[PAGE.3] gives each page a language, one main heading and labelled fields, and fits it to a phone', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann', { role: 'admin' })
  const page = await openPage({ phone: true })
  await page.goto(`${accounts.url}/login`)
  const failures: string[] = []
  const look = async (): Promise<void> => {
    failures.push(...(await page.evaluate(problemsOfPage)).map((problem) => `${page.url()}: ${problem}`))
  }
  await look()
  await page.getByLabel('Email').fill('ann@example.com')
  await page.getByLabel('Password').fill('wrong')
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.getByRole('alert').waitFor()
  await page.waitForLoadState()
  await look()
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.waitForURL('**/account')
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const path of ['', '/password', '/codes', '/passkeys', '/delete', '/users']) {
      await page.goto(`${accounts.url}/account${path}`)
      await look()
    }
  }
  expect(failures).toEqual([])
}, 120_000)

test('[PAGE.5] reveals nothing of a store that is down on a page, and logs the fault', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  await accounts.stores.close()
  const seen = await ann.get('/account')
  expect(seen.status).toBe(500)
  expect(seen.text).not.toMatch(/sql|driver|database|destroy/i)
  expect(accounts.recorded.named('page_failed')).toHaveLength(1)
  const login = await new Surfer(accounts.url).get('/login')
  const answer = await new Surfer(accounts.url).submit(login, '/login', {
    email: 'ann@example.com',
    password: PASSWORD,
  })
  expect(answer.headers.get('set-cookie')).toBeUndefined()
})

test('[PAGE.10] redirects the root to the login page, or a logged-in browser to its account', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  expect((await new Surfer(accounts.url).get('/')).text).toContain('name="password"')
  const ann = await accounts.login('ann')
  expect((await ann.get('/')).text).toContain('Your account')
})

/** Presses Tab until this has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let presses = 0; presses < 30; presses++) {
    if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return
    await page.keyboard.press('Tab')
  }
  throw new Error('30 presses of Tab did not reach it.')
}

/** Runs in the page. */
function problemsOfPage(): string[] {
  const page = globalThis as unknown as {
    readonly document: PageDocument
    getComputedStyle(element: PageElement): PageStyle
    readonly innerWidth: number
  }
  const { document } = page
  const problems: string[] = []
  if (document.documentElement.lang !== 'en') problems.push('no language')
  if (document.querySelectorAll('h1').length !== 1) problems.push('not one main heading')
  if (document.documentElement.scrollWidth > page.innerWidth) problems.push('wider than the screen')
  for (const input of document.querySelectorAll('input:not([type=hidden])'))
    if (input.labels.length !== 1) problems.push(`a field without a label: ${input.id}`)
  const channel = (value: number): number =>
    value <= 10 ? value / 3_294 : ((value / 255 + 0.055) / 1.055) ** 2.4
  const luminance = (color: string): number => {
    const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map(Number)
    return 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue)
  }
  const backgroundOf = (element: PageElement): string => {
    for (let at: PageElement | null = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = page.getComputedStyle(at)
      if (backgroundColor !== 'rgba(0, 0, 0, 0)') return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }
  for (const element of document.querySelectorAll('main *, header *')) {
    if (element.children.length > 0 || element.textContent.trim() === '') continue
    const lights = [luminance(page.getComputedStyle(element).color), luminance(backgroundOf(element))]
    const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05)
    if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${element.textContent.slice(0, 40)}`)
  }
  return problems
}

interface PageStyle {
  readonly color: string
  readonly backgroundColor: string
}
interface PageElement {
  readonly id: string
  readonly labels: { readonly length: number }
  readonly children: { readonly length: number }
  readonly textContent: string
  readonly parentElement: PageElement | null
}
interface PageDocument {
  readonly documentElement: { readonly lang: string; readonly scrollWidth: number }
  querySelectorAll(selector: string): Iterable<PageElement> & { readonly length: number }
}
