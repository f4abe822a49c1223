import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createAgent, parseConfig } from '@bridgekeeper/agent'
import {
  type Bridge,
  callbackLog,
  createBridge,
  createTokens,
  type IssuedToken,
  memoryUsers,
  realSystem,
  type User,
} from '@bridgekeeper/bridge'
import { addingHeaders } from './adding-headers.ts'
import type { Form, Served } from './fixtures/sdk/http.ts'

const SECRET_BYTES = 32
const TOKEN_LIFETIME_MS = 3_600_000
const SHOWN_CHECK_MS = 20
const SERVER_NAME = 'fixture'
const FIXTURE = fileURLToPath(new URL('fixtures/stdio.ts', import.meta.url))
const USER: User = {
  userId: 'user_ann',
  email: 'ann@example.com',
  tokenVersion: 0,
  createdAtMs: 0,
  state: 'active',
}

/**
 * Serves a form of the fixture through a bridge and an agent that runs it over stdio. The suite cannot send a token,
 * so a proxy in front of the bridge adds it.
 */
export async function serveThroughBridge(form: Form): Promise<Served> {
  const system = realSystem()
  const tokens = createTokens(randomBytes(SECRET_BYTES), memoryUsers([USER]), system)
  const issued = await tokens.issue(USER, TOKEN_LIFETIME_MS)
  const http = createServer()
  const port = await listen(http)
  const proxy = addingHeaders(port, { authorization: `Bearer ${issued.accessToken}` })
  const url = `http://127.0.0.1:${await listen(proxy)}`
  const bridge = createBridge({
    authenticator: tokens,
    publicUrls: [url],
    securityLog: callbackLog(() => {}),
    // The suite sends more requests than one user may.
    rateLimits: { user: { maxCalls: 100_000, windowMs: 1_000, blockMs: 0 } },
    system,
  })
  bridge.attach(http)
  const agent = await startAgent(form, bridge, `http://127.0.0.1:${port}`, issued)
  return {
    url: `${url}/mcp/${SERVER_NAME}`,
    async close() {
      await close(proxy)
      await agent.stop()
      await bridge.close(0)
      await close(http)
    },
  }
}

/** Starts an agent and resolves when its server is shown by the bridge, or has failed. */
async function startAgent(
  form: Form,
  bridge: Bridge,
  url: string,
  { accessToken, userId, sessionId }: IssuedToken,
): Promise<{ stop(): Promise<void> }> {
  const config = {
    mcpServers: { [SERVER_NAME]: { command: process.execPath, args: [FIXTURE, form], clientRoots: true } },
  }
  const stop = new AbortController()
  let hasFailed = false
  const agent = createAgent({
    url,
    token: () => accessToken,
    ...{ userId, sessionId, servers: parseConfig(JSON.stringify(config), process.env, import.meta.dirname) },
    onEvent(event) {
      if (event.type === 'server-failed') hasFailed = true
    },
  })
  const ended = agent.run(stop.signal)
  while (!hasFailed && bridge.listTools(userId).length === 0) await delay(SHOWN_CHECK_MS)
  return {
    async stop() {
      stop.abort()
      await ended
    },
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
