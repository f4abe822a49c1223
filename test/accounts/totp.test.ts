import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, type Seen, Surfer, textOf } from '../support/surfer.ts'

interface WithCodes {
  readonly system: FakeSystem
  readonly accounts: TestAccounts
  readonly ann: Surfer
  readonly code: (steps?: number) => string
}

/** Ann with codes on, a minute after the code that switched them on. */
async function withCodes(): Promise<WithCodes> {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const page = await ann.get('/account/codes')
  const secret = (/<code class="big">([^<]*)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '')
  const code = (steps = 0): string =>
    TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: system.nowMs() + steps * 30_000 })
  expect(page.text).toContain(
    `otpauth://totp/Bridgekeeper:ann%40example.com?issuer=Bridgekeeper&amp;secret=${secret}`,
  )
  const wrong = await ann.submit(page, '/account/codes/on', { currentPassword: PASSWORD, code: '000000' })
  expect([wrong.status, wrong.text.includes(secret.slice(0, 4))]).toEqual([403, true])
  expect((await accounts.stores.credentials.find('user_ann'))?.totpSecret).toBeUndefined()
  await ann.submit(page, '/account/codes/on', { currentPassword: PASSWORD, code: code() })
  const kept = (await accounts.stores.credentials.find('user_ann'))?.totpSecret ?? ''
  expect(kept).not.toBe('')
  expect(kept).not.toContain(secret)
  system.advance(60_000)
  return { system, accounts, ann, code }
}

async function passwordStep(surfer: Surfer): Promise<Seen> {
  const page = await surfer.get('/login')
  return surfer.submit(page, '/login', { email: 'ann@example.com', password: PASSWORD })
}

test('[TOTP.1] switches codes on by a right code, keeps them sealed, and switches them off by the password', async () => {
  const { accounts, ann } = await withCodes()
  expect(accounts.recorded.named('second_factor_added')).toMatchObject([{ userId: 'user_ann' }])
  await ann.submit(await ann.get('/account/codes'), '/account/codes/off', { currentPassword: PASSWORD })
  expect((await accounts.stores.credentials.find('user_ann'))?.totpSecret).toBeUndefined()
  expect(accounts.recorded.named('second_factor_removed')).toMatchObject([{ userId: 'user_ann' }])
})

test('[TOTP.2] requires the code after the password, and accepts it with a space', async () => {
  const { accounts, code } = await withCodes()
  const surfer = new Surfer(accounts.url)
  const step = await passwordStep(surfer)
  expect(textOf(step.text)).toContain('One more step')
  expect([...surfer.cookies.keys()]).toEqual(['visit'])
  expect((await surfer.get('/account')).path).toMatch(/^\/login/)
  const spaced = code().replace(/^\d{3}/, '$& ')
  const seen = await surfer.submit(step, '/login/code', { code: spaced })
  expect(textOf(seen.text)).toContain('Your account')
  expect(accounts.recorded.named('login_succeeded').at(-1)).toMatchObject({ method: 'password_and_code' })
})

test('[TOTP.2] accepts a code once, also under concurrent use, including the one that switched codes on', async () => {
  const { system, accounts, code } = await withCodes()
  const used = code(-2)
  const one = new Surfer(accounts.url)
  const other = new Surfer(accounts.url)
  const steps = [await passwordStep(one), await passwordStep(other)] as const
  expect((await one.submit(steps[0], '/login/code', { code: used })).status).toBe(403)
  const answers = await Promise.all([
    one.post('/login/code', { ...hiddenFields(steps[0].text, '/login/code'), code: code() }),
    other.post('/login/code', { ...hiddenFields(steps[1].text, '/login/code'), code: code() }),
  ])
  expect(answers.map(({ status }) => status).sort()).toEqual([303, 403])
  // Using a code also uses up earlier ones.
  system.advance(1_000)
  const third = new Surfer(accounts.url)
  const step = await passwordStep(third)
  expect((await third.submit(step, '/login/code', { code: code(-1) })).status).toBe(403)
})

test('[TOTP.2] binds the step between password and code to the browser, for ten minutes', async () => {
  const { system, accounts, code } = await withCodes()
  const surfer = new Surfer(accounts.url)
  const step = await passwordStep(surfer)
  const thief = new Surfer(accounts.url)
  await thief.get('/login')
  const thiefs = hiddenFields((await thief.get('/login')).text, '/login')
  const stolen = {
    step: hiddenFields(step.text, '/login/code').step ?? '',
    formToken: thiefs.formToken ?? '',
  }
  const seen = await thief.post('/login/code', { ...stolen, code: code() })
  expect([seen.status, seen.headers.get('location')]).toEqual([303, ['/login']])
  system.advance(601_000)
  const late = await surfer.post('/login/code', { ...hiddenFields(step.text, '/login/code'), code: code() })
  expect([late.status, late.headers.get('location')]).toEqual([303, ['/login']])
})

test('[TOTP.2] refuses codes of a secret that another installation sealed', async () => {
  const { accounts, code } = await withCodes()
  await accounts.stores.credentials.setTotp('user_ann', 'v1.AAAA')
  const surfer = new Surfer(accounts.url)
  const step = await passwordStep(surfer)
  expect((await surfer.submit(step, '/login/code', { code: code() })).status).toBe(403)
})
