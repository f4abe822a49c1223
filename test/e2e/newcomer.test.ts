import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  Client,
  type OAuthClientInformationMixed,
  type OAuthClientProvider,
  type OAuthTokens,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import type { Page } from 'playwright-core'
import { expect, test, vi } from 'vitest'
import { configFile, published } from '../support/agent-program.ts'
import { atEnd } from '../support/at-end.ts'
import { openPage } from '../support/browser.ts'
import {
  bridgekeeper,
  eventIn,
  type RunningBridge,
  serve,
  startBridgekeeper,
} from '../support/installation.ts'
import type { Program } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const EMAIL = 'ann@example.com'
const PASSWORD = 'a horse that reads maps'
const DEVICE = "Ann's laptop"

test('[NEWCOMER.1] a newcomer logs in, approves a machine, connects an MCP client by OAuth and calls; revoking the machine fails its calls', async () => {
  const bridge = await serve()
  const added = await bridgekeeper(
    ['user', 'add', EMAIL, '--password-stdin', '--data', bridge.data],
    {},
    PASSWORD,
  )
  expect(added.code, added.stderr).toBe(0)
  const agent = enrol(bridge)
  const page = await openPage({ phone: true })
  await approve(page, agent)
  await agent.printed((stdout) => eventIn(stdout, 'type', 'verified'))

  const client = await connectByOAuth(bridge, page)
  await agent.printed((stdout) => eventIn(stdout, 'type', 'server-ready'))
  await vi.waitFor(async () => {
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toContain('everything__echo')
  })
  const result = await client.callTool({ name: 'everything__echo', arguments: { message: 'hello' } })
  expect(result.content).toEqual([{ type: 'text', text: 'Echo: hello' }])

  await page.goto(`${bridge.url}/account`)
  await page.getByRole('button', { name: `Revoke ${DEVICE}` }).click()
  await vi.waitFor(
    async () => {
      const call = await client.callTool({ name: 'everything__echo', arguments: { message: 'still there?' } })
      expect(call).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/agent/i) }] })
    },
    { interval: 20 },
  )
  const { code, stdout, stderr } = await agent.ended
  expect(code, stdout).toBe(1)
  expect(stdout + stderr).toContain('login_revoked')
}, 60_000)

function enrol({ url }: RunningBridge): Program {
  const config = configFile({ everything: published('everything') })
  return startBridgekeeper(['connect', url, '--config', config, '--device-name', DEVICE, '--json'], {
    BRIDGEKEEPER_HOME: join(scratch(), 'home'),
  })
}

interface Waiting extends Readonly<Record<string, unknown>> {
  readonly verificationUriComplete: string
  readonly userCode: string
  readonly keyWords: string
}

/** Approves in the browser; the page must show the agent's code and words. */
async function approve(page: Page, agent: Program): Promise<void> {
  const waiting = await agent.printed((stdout) => eventIn<Waiting>(stdout, 'type', 'enrolment-waiting'))
  await page.goto(waiting.verificationUriComplete)
  await page.getByLabel('Email').fill(EMAIL)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.getByRole('button', { name: 'Continue' }).click()
  const text = await page.locator('main').textContent()
  expect(text).toContain(waiting.userCode)
  expect(text).toContain(waiting.keyWords)
  expect(text).toContain(DEVICE)
  await page.getByRole('button', { name: 'Approve' }).click()
  await page.getByText('The machine was approved.').waitFor()
}

/** The official client, which knows only the bridge's URL. */
async function connectByOAuth({ url }: RunningBridge, page: Page): Promise<Client> {
  const provider = await browserProvider(page)
  const mcpUrl = new URL('/mcp', url)
  const transport = (): StreamableHTTPClientTransport =>
    new StreamableHTTPClientTransport(mcpUrl, { authProvider: provider })
  const client = new Client({ name: 'newcomer', version: '1.0.0' })
  const first = transport()
  await expect(client.connect(first)).rejects.toThrow()
  await first.finishAuth(await provider.answer)
  await client.connect(transport())
  atEnd(() => client.close())
  return client
}

interface BrowserProvider extends OAuthClientProvider {
  /** Parameters with which the browser returned. */
  readonly answer: Promise<URLSearchParams>
}

/** Sends the user to the browser and waits there for the code, as a desktop client does. */
async function browserProvider(page: Page): Promise<BrowserProvider> {
  let came: (query: URLSearchParams) => void = () => {}
  const answer = new Promise<URLSearchParams>((resolve) => {
    came = resolve
  })
  const callback = createServer((request, response) => {
    came(new URL(request.url ?? '', 'http://127.0.0.1').searchParams)
    response.end('You may close this page.')
  })
  await new Promise<void>((resolve) => callback.listen(0, '127.0.0.1', resolve))
  atEnd(() => new Promise<void>((resolve) => void callback.close(() => resolve())))
  const redirectUrl = `http://127.0.0.1:${(callback.address() as AddressInfo).port}/callback`
  let information: OAuthClientInformationMixed | undefined
  let tokens: OAuthTokens | undefined
  let verifier = ''
  return {
    redirectUrl,
    clientMetadata: {
      client_name: 'Newcomer',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => information,
    saveClientInformation: (saved) => {
      information = saved
    },
    tokens: () => tokens,
    saveTokens: (saved) => {
      tokens = saved
    },
    saveCodeVerifier: (saved) => {
      verifier = saved
    },
    codeVerifier: () => verifier,
    redirectToAuthorization: async (address) => {
      await page.goto(address.href)
      await page.getByRole('button', { name: 'Allow' }).click()
    },
    answer,
  }
}
