import { expect, test } from 'vitest'
import { startOAuth } from '../support/oauth.ts'
import { ask, connect, discover, register } from '../support/oauth-client.ts'
import { askDevice, enterCode } from '../support/oauth-device.ts'
import { type Page, Person, wordsOn } from '../support/person.ts'

/** Headers without which a page could be framed, scripted or kept. */
function expectHardened({ headers }: Page): void {
  const policy = headers.get('content-security-policy') ?? ''
  for (const part of [
    "default-src 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ])
    expect(policy).toContain(part)
  expect(policy).not.toContain('script-src')
  expect(headers.get('x-frame-options')).toBe('DENY')
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
}

test('[OAUTH.14] forbids framing, scripting and caching on every page that asks for a decision', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const device = await askDevice(node, await discover(node))
  const pages = [
    await person.visit((await ask(app)).url.href),
    await person.visit(`${node.url}/device`),
    await enterCode(person, node, device.user_code),
    await enterCode(person, node, 'BBBB-BBBB'),
    await person.visit((await ask(app, { redirect_uri: 'https://evil.example/' })).url.href),
    await person.visit(`${node.url}/interaction/nothing`),
  ]
  for (const page of pages) expectHardened(page)
})

test('[OAUTH.14] shows markup in a client’s name as text', async () => {
  const node = await startOAuth()
  const app = await register(node, { client_name: '<img src=x onerror=alert(1)>"\u202e' })
  const consent = await (await node.login('ann')).visit((await ask(app)).url.href)
  expect(consent.text).not.toContain('<img')
  expect(wordsOn(consent)).toContain('<img src=x onerror=alert(1)>"')
  expect(consent.text).not.toContain('\u202e')
})

test('[OAUTH.14] refuses a consent form from another site or without its token', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const consent = await person.visit((await ask(app)).url.href)
  const send = (body: string, origin: string) =>
    person.send('POST', consent.url, body, { origin, 'sec-fetch-site': 'cross-site' })
  const token = /name="formToken" value="([^"]*)"/.exec(consent.text)?.[1] ?? ''
  expect((await send(`answer=allow&formToken=${token}`, 'https://evil.example')).status).toBe(403)
  expect((await send(`answer=allow&formToken=${token}`, 'null')).status).toBe(403)
  for (const body of ['answer=allow', 'answer=allow&formToken=', `answer=allow&formToken=${token.slice(1)}`])
    expect((await send(body, node.url)).status).toBe(403)
  expect((await node.stores.sessions.ofUser('user_ann')).filter(({ kind }) => kind === 'client')).toEqual([])
})

test('[OAUTH.14] refuses the consent of another browser or another user', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const ann = await node.login('ann')
  const consent = await ann.visit((await ask(app)).url.href)
  const bob = await node.login('bob')
  // Without ann's cookies there is no interaction.
  expect((await bob.visit(consent.url)).status).toBeGreaterThanOrEqual(400)
  // Bob logs in where ann's page is open: her page's form is stale.
  ann.forget('accessToken')
  ann.forget('refreshToken')
  const login = await ann.visit(`${node.url}/login`)
  await ann.submit(
    login,
    { action: '/login' },
    { email: 'bob@example.com', password: 'a horse that reads maps' },
  )
  expect((await ann.submit(consent, { answer: 'allow' })).status).toBeGreaterThanOrEqual(400)
  const stopped = await ann.visit(consent.url)
  expect(stopped.left).toBeUndefined()
  expect(wordsOn(stopped)).toContain('another user has logged in since')
  for (const id of ['user_ann', 'user_bob'])
    expect((await node.stores.sessions.ofUser(id)).filter(({ kind }) => kind === 'client')).toEqual([])
})

test('[OAUTH.13] refuses to approve a machine from a form of another site or without a login', async () => {
  const node = await startOAuth()
  const device = await askDevice(node, await discover(node))
  const ann = await node.login('ann')
  const confirm = await enterCode(ann, node, device.user_code)
  const xsrf = /name="xsrf" value="([^"]*)"/.exec(confirm.text)?.[1] ?? ''
  const body = (secret: string) => `user_code=${device.user_code}&confirm=yes&xsrf=${secret}`
  const elsewhere = await ann.send('POST', `${node.url}/device`, body(xsrf), {
    origin: 'https://evil.example',
  })
  expect(elsewhere.status).toBe(403)
  const forged = await ann.send('POST', `${node.url}/device`, body('x'), { origin: node.url })
  expect(wordsOn(forged)).not.toContain('Approved')
  const nobody = await new Person(node.url).send('POST', `${node.url}/device`, body(xsrf), {
    origin: node.url,
  })
  expect(nobody.status).toBe(303)
  expect(nobody.headers.get('location')).toContain('/login')
  expect(node.recorded.names).not.toContain('device_approved')
})

test('[OAUTH.14] answers prompt=none with an error that requires interaction', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  await connect(person, app)
  const { left } = await person.visit((await ask(app, { prompt: 'none' })).url.href)
  expect(left?.searchParams.get('error')).toMatch(/^(login|consent|interaction)_required$/)
})

test('[OAUTH.9] refuses the 31st device request of one address with 429', async () => {
  const node = await startOAuth()
  const statuses: number[] = []
  for (let at = 0; at < 32; at++) {
    const response = await fetch(`${node.url}/oauth/device`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'x' }),
    })
    statuses.push(response.status)
  }
  expect(statuses.slice(0, 30)).not.toContain(429)
  expect(statuses.slice(30)).toEqual([429, 429])
})

test('[OAUTH.3] stores no authorization, device or user code and no client secret in the clear', async () => {
  const node = await startOAuth()
  const records: string[] = []
  const { oauth } = node.stores
  const watched = await startOAuth({
    parts: {
      store: {
        ...oauth,
        async put(record) {
          records.push(JSON.stringify(record))
          await oauth.put(record)
        },
      },
    },
  })
  const app = await register(watched, { token_endpoint_auth_method: 'client_secret_basic' })
  const device = await askDevice(watched, await discover(watched))
  const person = await watched.login('ann')
  const { left } = await person.submit(await person.visit((await ask(app)).url.href), { answer: 'allow' })
  const all = records.join('\n')
  const secrets = [
    left?.searchParams.get('code'),
    app.client.client_secret,
    device.device_code,
    device.user_code,
  ]
  for (const secret of secrets) {
    expect(typeof secret).toBe('string')
    expect(all).not.toContain(String(secret))
  }
  expect(all).not.toContain(device.user_code.replaceAll('-', ''))
  expect(records.length).toBeGreaterThan(3)
})
