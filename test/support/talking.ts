import { readFileSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { createAgent, parseConfig } from '@bridgekeeper/agent'
import type { BridgeOptions } from '@bridgekeeper/bridge'
import { expect, vi } from 'vitest'
import { fixture, type ServerEntry } from './agent-program.ts'
import { atEnd } from './at-end.ts'
import { startBridge, type TestBridge } from './bridge.ts'
import { bearer } from './mcp.ts'
import { scratch } from './scratch.ts'
import { SessionClient } from './session-client.ts'

export const PATH = '/mcp/talkative'
const LOGIN_MS = 3_600_000

/** Everything that a client can declare. */
export const ALL = { sampling: {}, elicitation: { form: {}, url: {} }, roots: {}, tasks: {} }

/** Lines that the local server `talkative` has read. */
export class ServerRecord {
  readonly path = join(scratch(), 'lines')

  constructor() {
    writeFileSync(this.path, '')
  }

  get entry(): ServerEntry {
    return fixture('talkative', this.path)
  }

  /** Each line that a process has read, without the id of the process. */
  get lines(): readonly string[] {
    return this.#all.map((line) => line.slice(line.indexOf(' ') + 1))
  }

  get pids(): ReadonlySet<string> {
    return new Set(this.#all.map((line) => line.slice(0, line.indexOf(' '))))
  }

  /** Resolves with the first line that contains all of these texts. */
  async has(...texts: readonly string[]): Promise<string> {
    const isIt = (line: string): boolean => texts.every((text) => line.includes(text))
    await vi.waitFor(() => expect(this.lines.some(isIt), texts.join(' … ')).toBe(true), { interval: 5 })
    return this.lines.find(isIt) ?? ''
  }

  /** The process that has read the first line with all of these texts. */
  async pidOf(...texts: readonly string[]): Promise<number> {
    const line = await this.has(...texts)
    return Number(this.#all.find((each) => each.endsWith(` ${line}`))?.split(' ', 1)[0])
  }

  get #all(): readonly string[] {
    return readFileSync(this.path, 'utf8').split('\n').filter(Boolean)
  }
}

/** A file that does not exist until the test makes it. */
export function gate(): { readonly path: string; open(): void } {
  const path = join(scratch(), 'until')
  return { path, open: () => writeFileSync(path, '') }
}

export type Talking = Awaited<ReturnType<typeof startTalking>>

/**
 * A bridge with an agent of ann that runs the server `talkative`, and clients of hers.
 * @param dialled the agent's address of the bridge, if it differs
 */
export async function startTalking(options: Partial<BridgeOptions> = {}, on?: TestBridge, dialled?: string) {
  const at = on ?? (await startBridge(options))
  const sockets: Socket[] = []
  const onConnection = (socket: Socket): void => void sockets.push(socket)
  at.server.on('connection', onConnection)
  const record = new ServerRecord()
  const { accessToken, userId, sessionId } = await at.token('ann', LOGIN_MS)
  const config = JSON.stringify({ mcpServers: { talkative: record.entry } })
  const stop = new AbortController()
  const ended = createAgent({
    ...{ url: dialled ?? at.url, token: () => accessToken, userId, sessionId },
    servers: parseConfig(config, process.env, import.meta.dirname),
  }).run(stop.signal)
  // The agent of a revoked login gives up.
  const gone = ended.catch(() => {})
  atEnd(() => {
    stop.abort()
    return gone
  })
  await vi.waitFor(() => expect(at.bridge.listTools(userId)).not.toEqual([]), { interval: 10 })
  at.server.off('connection', onConnection)
  /** Another login of ann. */
  const login = async (): Promise<Record<string, string>> =>
    bearer((await at.token('ann', LOGIN_MS)).accessToken)
  const client = async (auth?: Record<string, string>, capabilities: object = ALL): Promise<SessionClient> =>
    SessionClient.begin(at.url + PATH, auth ?? (await login()), capabilities)
  /** Cuts the agent's connection. It connects again. */
  const cut = (): void => {
    for (const socket of sockets.splice(0)) socket.destroy()
  }
  return { at, record, login, client, cut }
}
