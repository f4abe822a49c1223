import { existsSync } from 'node:fs'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { type Agent, connect, fixture, published, type ServerEntry } from '../support/agent-program.ts'
import { login, mainProcess, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { kill } from '../support/processes.ts'

/**
 * Process tree as `npx` creates it: a waiting shell, in it the server, which starts a shell with programs.
 */
const { command, args } = fixture('unruly', 'tree')
const inShell: ServerEntry = { command: 'sh', args: ['-c', `"${[command, ...args].join('" "')}"; true`] }
const SERVERS = { plain: published('memory'), tree: inShell, stubborn: fixture('unruly', 'stubborn') }

/** The agent and its reaper, `plain`, the shell and its server with their shell and two sleepers, `stubborn`. */
const PROCESSES = 2 + 1 + 5 + 1

let bridge: RunningBridge
let token: string

beforeAll(async () => {
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
})

async function runningAgent(): Promise<Agent> {
  const agent = await connect(bridge, { token, servers: SERVERS })
  // The shells take a moment to start their programs.
  await vi.waitFor(() => expect(agent.program.processes().length).toBeGreaterThanOrEqual(PROCESSES))
  return agent
}

function nothingIsLeft({ program }: Agent, withinMs = 5_000): Promise<void> {
  return vi.waitFor(() => expect(program.processes()).toEqual([]), { timeout: withinMs, interval: 50 })
}

describe.skipIf(!existsSync('/proc'))('an agent with servers that start further processes', () => {
  test('[STOP.2] that is killed leaves no process behind, and connects again when it is started', async () => {
    const agent = await runningAgent()
    kill(mainProcess(agent.program))
    await nothingIsLeft(agent)

    const again = await connect(bridge, { token, servers: SERVERS })
    const { json } = await post(bridge, '/mcp/tree', toolCall('pid'), bearer(token))
    expect(again.program.processes()).toContain(Number(json.result.content[0].text))
  })

  test('[STOP.3] a killed launcher leaves no process behind', async () => {
    const agent = await runningAgent()
    kill(agent.program.pid)
    await nothingIsLeft(agent)
  })

  test('[STOP.3] a launcher and agent killed at once leave no process behind', async () => {
    const agent = await runningAgent()
    const main = mainProcess(agent.program)
    kill(agent.program.pid)
    kill(main)
    await nothingIsLeft(agent)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '[STOP.4] ends on %s with exit code 0 and leaves no process behind',
    async (signal) => {
      const agent = await runningAgent()
      agent.program.signal(signal)
      expect(await agent.program.ended).toMatchObject({ code: 0, signal: null })
      await nothingIsLeft(agent, 1_000)
    },
  )
})
