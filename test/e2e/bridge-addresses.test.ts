import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { configFile, fixture, published } from '../support/agent-program.ts'
import {
  bridgekeeper,
  eventIn,
  login,
  type RunningBridge,
  serve,
  startBridgekeeper,
} from '../support/installation.ts'
import { scratch } from '../support/scratch.ts'

/** Each address that people have at hand for a bridge on a port of this machine. */
const SPELLINGS: readonly ((port: number) => string)[] = [
  (port) => `http://127.0.0.1:${port}`,
  (port) => `http://127.0.0.1:${port}/mcp`,
  (port) => `http://localhost:${port}/mcp/everything/`,
  (port) => `localhost:${port}`,
  (port) => `127.0.0.1:${port}/mcp`,
  (port) => `ws://localhost:${port}/api/mcp-ws`,
]
const timeout = 60_000

let bridge: RunningBridge
let token: string
beforeAll(async () => {
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
})

describe.each(SPELLINGS.map((spell) => [spell(1).replace(':1', ':PORT'), spell] as const))(
  '%s',
  (_, spell) => {
    test('[LINK.34] [ORIGIN.5] connect, tools and call reach the bridge there', { timeout }, async () => {
      const url = spell(bridge.port)
      const config = configFile({ everything: published('everything') })
      const agent = startBridgekeeper(['connect', url, '--config', config, '--json'], {
        BRIDGEKEEPER_TOKEN: token,
      })
      await agent.printed((stdout) => eventIn(stdout, 'type', 'server-ready'))
      const env = { BRIDGEKEEPER_URL: url, BRIDGEKEEPER_TOKEN: token }
      const tools = await bridgekeeper(['tools'], env)
      expect(tools.stdout, tools.stderr).toMatch(/^everything +echo /m)
      const call = ['call', 'everything', 'echo', '{"message":"hello"}', '--url', url]
      expect(await bridgekeeper(call, { BRIDGEKEEPER_TOKEN: token })).toMatchObject({
        ...{ code: 0, stdout: 'Echo: hello\n' },
      })
    })

    test('[ORIGIN.5] names this very address as its authorization server’s issuer', async () => {
      const url = spell(bridge.port)
      const home = join(scratch(), 'home')
      const agent = startBridgekeeper(
        ['connect', url, '--config', configFile({ unruly: fixture('unruly') }), '--json'],
        { BRIDGEKEEPER_HOME: home, BRIDGEKEEPER_KEY_STORE: 'file' },
      )
      const waiting = await agent.printed((stdout) =>
        eventIn<{ verificationUri: string }>(stdout, 'type', 'enrolment-waiting'),
      )
      const host = url.includes('localhost') ? 'localhost' : '127.0.0.1'
      expect(waiting.verificationUri).toBe(`http://${host}:${bridge.port}/device`)
    })
  },
)

describe('connect without an address', () => {
  test('[CLI.25] exits with 2 and says where to get one, which files are here, and what to type', async () => {
    const home = scratch()
    const file = join(home, '.cursor/mcp.json')
    mkdirSync(join(home, '.cursor'))
    writeFileSync(file, '{"mcpServers":{}}')
    const { code, stdout, stderr } = await bridgekeeper(['connect'], { HOME: home })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: .*bridgekeeper serve prints it.*\ncode: {2}url_missing\nnext: {2}.*\n$/)
    expect(stderr).toContain(file)
    expect(stderr).toContain('bridgekeeper.mjs connect https://bridge.example.com --config ')
    const json = await bridgekeeper(['connect', '--json'], { HOME: home })
    expect([json.code, JSON.parse(json.stdout).error.code]).toEqual([2, 'url_missing'])
  })

  test('[CLI.25] connects to BRIDGEKEEPER_URL if that is set', async () => {
    const config = configFile({ unruly: fixture('unruly') })
    const env = { BRIDGEKEEPER_URL: bridge.url, BRIDGEKEEPER_TOKEN: token }
    const agent = startBridgekeeper(['connect', '--config', config, '--json'], env)
    await agent.printed((stdout) => eventIn(stdout, 'type', 'verified'))
  })
})
