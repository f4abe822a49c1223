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
import { COMPILE_CACHE } from '../support/compile-cache.ts'
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

/** A bridge, and an agent with local servers. */
export interface Bridged {
  readonly url: string
  readonly token: string
  close(): Promise<void>
}

/**
 * Serves a form of the fixture through a bridge and an agent that runs it over stdio. The suite cannot send a token,
 * so a proxy in front of the bridge adds it.
 */
export async function serveThroughBridge(form: Form): Promise<Served> {
  const entry = { command: process.execPath, args: [FIXTURE, form], env: COMPILE_CACHE, clientRoots: true }
  let proxy: Server | undefined
  const bridged = await startBridged(
    { [SERVER_NAME]: entry },
    {
      async publicUrlOf(port, token) {
        proxy = addingHeaders(port, { authorization: `Bearer ${token}` })
        return `http://127.0.0.1:${await listen(proxy)}`
      },
    },
  )
  return {
    url: `${bridged.url}/mcp/${SERVER_NAME}`,
    async close() {
      if (proxy !== undefined) await close(proxy)
      await bridged.close()
    },
  }
}

interface BridgedOptions {
  /** Starts what stands before the bridge's port, and returns its address. Default: nothing does. */
  publicUrlOf?(port: number, token: string): Promise<string>
  readonly callTimeoutMs?: number
}

/**
 * Starts a bridge, and an agent with these local servers; resolves when each is shown by the bridge, or has failed.
 * @param mcpServers entries of a config file
 */
export async function startBridged(
  mcpServers: Readonly<Record<string, object>>,
  options: BridgedOptions = {},
): Promise<Bridged> {
  const system = realSystem()
  const tokens = createTokens(randomBytes(SECRET_BYTES), memoryUsers([USER]), system)
  const issued = await tokens.issue(USER, TOKEN_LIFETIME_MS)
  const http = createServer()
  const port = await listen(http)
  const { callTimeoutMs, publicUrlOf } = options
  const url = (await publicUrlOf?.(port, issued.accessToken)) ?? `http://127.0.0.1:${port}`
  const bridge = createBridge({
    authenticator: tokens,
    publicUrls: [url],
    ...(callTimeoutMs !== undefined && { callTimeoutMs }),
    securityLog: callbackLog(() => {}),
    // The suite sends more requests than one user may.
    rateLimits: { user: { maxCalls: 100_000, windowMs: 1_000, blockMs: 0 } },
    system,
  })
  bridge.attach(http)
  const agent = await startAgent(mcpServers, bridge, `http://127.0.0.1:${port}`, issued)
  return {
    url,
    token: issued.accessToken,
    async close() {
      await agent.stop()
      await bridge.close(0)
      await close(http)
    },
  }
}

async function startAgent(
  mcpServers: Readonly<Record<string, object>>,
  bridge: Bridge,
  url: string,
  { accessToken, userId, sessionId }: IssuedToken,
): Promise<{ stop(): Promise<void> }> {
  const stop = new AbortController()
  const starting = new Set(Object.keys(mcpServers))
  const servers = parseConfig(JSON.stringify({ mcpServers }), process.env, import.meta.dirname)
  const agent = createAgent({
    url,
    token: () => accessToken,
    ...{ userId, sessionId, servers },
    onEvent(event) {
      if (event.type !== 'server-ready' && event.type !== 'server-failed') return
      starting.delete(event.name)
    },
  })
  const ended = agent.run(stop.signal)
  const isShown = (): boolean => starting.size === 0 && bridge.listTools(userId).length > 0
  while (!isShown()) await delay(SHOWN_CHECK_MS)
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
