import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, fixture, startAgent } from '../support/agent-program.ts'
import { startBridge } from '../support/bridge.ts'
import { bridgekeeper, login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import type { Env } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const env = { JWT_SECRET: 'shared by two installations, for the token of a stranger' }

let bridge: RunningBridge
let token: string
let config: string

beforeAll(async () => {
  bridge = await serve({ env })
  token = (await login(bridge.data, 'ann@example.com', undefined, env)).accessToken
  config = join(scratch(), 'mcp.json')
  writeFileSync(config, JSON.stringify({ mcpServers: { unruly: fixture('unruly') } }))
})

/** Runs `bridgekeeper connect` until it gives up. */
const connectOnce = (url: string, args: string[], env: Env) =>
  bridgekeeper(['connect', url, '--config', config, ...args], env)

interface Given {
  readonly url?: string
  readonly env?: Env
}

/** The agent prints why it gives up, and the next step. */
async function expectGivenUp(code: string, { url = bridge.url, env = {} }: Given): Promise<void> {
  const { code: exitCode, stdout, stderr } = await connectOnce(url, ['--json'], env)
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' })
  const last: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  expect(last).toEqual({ error: { code, message: expect.any(String), next: expect.any(String) } })
}

const withToken = (accessToken: string) => ({ env: { BRIDGEKEEPER_TOKEN: accessToken } })

describe('a refused agent exits with 1 and the code', () => {
  test('[LIFE.3] enrolment_unavailable without a token, at a bridge without a page to approve machines', async () => {
    const { url } = await startBridge()
    await expectGivenUp('enrolment_unavailable', { url, env: { BRIDGEKEEPER_HOME: join(scratch(), 'home') } })
  })

  test('[LIFE.3] usage if TLS verification is off', async () => {
    await expectGivenUp('usage', { env: { NODE_TLS_REJECT_UNAUTHORIZED: '0', BRIDGEKEEPER_TOKEN: token } })
  })

  test('[LIFE.3] token_invalid with a token of another secret', async () => {
    const other = await login(scratch(), 'ann@example.com')
    await expectGivenUp('token_invalid', withToken(other.accessToken))
  })

  test('[LIFE.3] user_unknown with the token of a stranger', async () => {
    const stranger = await login(scratch(), 'ann@example.com', undefined, env)
    await expectGivenUp('user_unknown', withToken(stranger.accessToken))
  })

  test('[LIFE.3] token_unreadable with an invalid token', async () => {
    await expectGivenUp('token_unreadable', withToken('not.a.token'))
  })

  test('[LIFE.3] url_credentials with the token in the URL', async () => {
    await expectGivenUp('url_credentials', { url: `${bridge.url}/?token=${token}` })
  })

  test('[LIFE.3] bridge_not_found where something else answers', async () => {
    await expectGivenUp('bridge_not_found', { url: `${bridge.url}/elsewhere`, ...withToken(token) })
  })

  test('[LIFE.3] on standard error in words, without --json', async () => {
    const { code, stderr } = await connectOnce(bridge.url, [], { BRIDGEKEEPER_TOKEN: `${token}x` })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: .+\ncode: {2}token_invalid\nnext: {2}.+\n$/)
  })
})

test('[LIFE.3] ends an agent with token_expired, and keeps the user’s other agents', async () => {
  await connect(bridge, { token, servers: { staying: fixture('unruly') } })
  const short = await login(bridge.data, 'ann@example.com', 10_000, env)
  const agent = startAgent(bridge, { token: short.accessToken, servers: { leaving: fixture('unruly') } })
  await agent.event('verified')
  const { code, stdout } = await agent.program.ended
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(short.expiresAt))
  expect(code).toBe(1)
  expect(stdout).toContain('{"error":{"code":"token_expired"')
  await vi.waitFor(() => expect(agent.program.processes()).toEqual([]))
  const { json } = await post(bridge, '/mcp/staying', toolCall('pid'), bearer(token))
  expect(json.result.content[0].text).toMatch(/^\d+$/)
})
