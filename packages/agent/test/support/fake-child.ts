import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { Era } from '@bridgekeeper/protocol'
import type { ServerEntry } from '../../src/config/entry.ts'
import type { ConfigEvent, ServerEvent } from '../../src/events.ts'
import { HeldBytes } from '../../src/held-bytes.ts'
import type { Reaper } from '../../src/servers/reaper.ts'
import type { Processes } from '../../src/servers/server-process.ts'
import { ServerSet, type SetDeps } from '../../src/servers/server-set.ts'
import { FakeSystem } from './fake-system.ts'

export const TOOL = { name: 'echo', inputSchema: { type: 'object' } }
const STOP_TIMES = { stdinMs: 1_000, termMs: 2_000 }
export const START_MS = 20_000

export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A hand-driven child process that speaks MCP unless the test changes it. */
export class FakeChild extends EventEmitter {
  /** Above the largest id of a real process (proc(5), pid_max), so that no signal can reach one. */
  static #lastPid = 5_000_000
  readonly pid: number | undefined
  readonly stdin = new PassThrough()
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly lines: Record<string, unknown>[] = []
  tools: object[] = [TOOL]
  /** Whether it ends with its input, and at which signal. */
  endsWithInput = true
  endsAt: string | undefined = 'SIGTERM'
  speaks = true
  hasTools = true
  /** Requests for its tools that it refuses first. */
  refusedLists = 0
  instructions: string | undefined = 'Be kind.'
  /** Eras of MCP that it speaks, if it speaks. */
  eras: readonly Era[] = ['2025']
  /** The only revision of the 2025 era that it speaks; without it, the one that it is offered. */
  version: string | undefined
  exitCode: number | null = null
  signalCode: NodeJS.Signals | null = null
  #over = false

  constructor(spawns = true) {
    super()
    this.pid = spawns ? ++FakeChild.#lastPid : undefined
    let text = ''
    this.stdin.on('data', (chunk: Buffer) => {
      const lines = (text + chunk.toString('utf8')).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) this.#take(JSON.parse(line))
    })
    this.stdin.on('finish', () => {
      if (this.endsWithInput) this.end(0)
    })
  }

  write(line: string): void {
    this.stdout.write(`${line}\n`)
  }

  answer(id: unknown, result: unknown): void {
    this.write(JSON.stringify({ jsonrpc: '2.0', id, result }))
  }

  end(code: number | null, signal: NodeJS.Signals | null = null): void {
    if (this.#over) return
    this.#over = true
    this.exitCode = code
    this.signalCode = signal
    this.stdout.end()
    this.emit('exit', code, signal)
    this.emit('close', code, signal)
  }

  requests(method: string): readonly Record<string, unknown>[] {
    return this.lines.filter((line) => line.method === method)
  }

  #take(message: Record<string, unknown>): void {
    this.lines.push(message)
    const { id, method } = message
    if (!this.speaks || id === undefined) return
    if (method === 'initialize' && this.eras.includes('2025')) {
      const { protocolVersion } = message.params as { protocolVersion: string }
      const capabilities = this.hasTools ? { tools: { listChanged: true } } : {}
      this.answer(id, {
        protocolVersion: this.version ?? protocolVersion,
        capabilities,
        serverInfo: { name: 'fake', version: '1' },
        instructions: this.instructions,
      })
    } else if (method === 'server/discover' && this.eras.includes('2026')) {
      const serverInfo = { name: 'fake', version: '1' }
      this.answer(id, {
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: { listChanged: true } },
        _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
      })
    } else if (method === 'tools/list' && this.refusedLists-- <= 0) this.answer(id, { tools: this.tools })
    else if (method !== 'tools/call' && method !== 'subscriptions/listen')
      this.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'unknown' } }))
  }
}

/** Everything that happens to processes, in its order. */
export interface World {
  readonly children: FakeChild[]
  readonly happened: string[]
  /** Arguments of each spawn. */
  readonly spawned: unknown[][]
  /** Processes that the next spawns return. */
  next: (() => FakeChild)[]
}

export function entry(changes: Partial<Extract<ServerEntry, { kind: 'stdio' }>> = {}): ServerEntry {
  return { kind: 'stdio', name: 's', command: 'fake', args: [], env: {}, secrets: [], ...changes }
}

/** Starts and signals the world's processes, and no real ones. */
function fakeProcesses(world: World): Processes {
  return {
    spawn(...spawned) {
      world.spawned.push(spawned)
      const child = (world.next.shift() ?? (() => new FakeChild()))()
      world.children.push(child)
      return child as unknown as ChildProcessWithoutNullStreams
    },
    signalGroup(groupId, signal) {
      const at = world.children.findIndex(({ pid }) => pid === groupId)
      world.happened.push(`${signal} ${at}`)
      const child = world.children[at]
      if (child?.endsAt === signal) child.end(null, signal)
      return true
    },
  }
}

type Reported = ServerEvent | ConfigEvent

/** Runs servers whose processes belong to the world. */
export function runFakes(
  world: World,
  entries: readonly ServerEntry[] = [entry()],
  others: Partial<SetDeps> = {},
) {
  const system = new FakeSystem()
  const events: Reported[] = []
  const reaper = {
    add: (group: number) => world.happened.push(`add ${group - (world.children[0]?.pid ?? 0)}`),
    removeGroup: (group: number) => world.happened.push(`remove ${group - (world.children[0]?.pid ?? 0)}`),
    removeMark: () => {},
  }
  let changes = 0
  const servers = new ServerSet(entries, {
    system,
    reaper: reaper as unknown as Reaper,
    processes: fakeProcesses(world),
    agentEnv: {},
    startMs: START_MS,
    stopTimes: STOP_TIMES,
    held: new HeldBytes(),
    onEvent: (event) => events.push(event),
    onChange: () => void changes++,
    onFirst: () => {},
    onStopped: () => {},
    ...others,
  })
  servers.start()
  const named = <T extends Reported['type']>(type: T) =>
    events.filter((event): event is Extract<Reported, { type: T }> => event.type === type)
  const call = (toolName = 'echo', signal = new AbortController().signal, serverName = 's') =>
    servers.call({ serverName, toolName, rawArgs: Buffer.from('{"x":1}'), signal })
  return { system, events, servers, named, call, changes: () => changes }
}
