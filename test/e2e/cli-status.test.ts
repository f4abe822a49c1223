import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { shapes } from 'bridgekeeper/testing'
import { expect, test } from 'vitest'
import { bridgekeeper, login, mainProcess, serve } from '../support/installation.ts'
import { scratch } from '../support/scratch.ts'

/** Each command takes a while to start on a busy machine. */
const SLOW_MS = 120_000

async function status(data: string, env: Record<string, string> = {}) {
  const { code, stdout } = await bridgekeeper(['status', '--data', data, '--json'], env)
  return { code, ...shapes.status.parse(JSON.parse(stdout)) }
}

test(
  '[CLI.28] shows a running node with its address and stores, and a killed one as gone',
  async () => {
    const bridge = await serve()
    await login(bridge.data, 'ann@example.com')
    const counts = { users: 1, sessions: 1, devices: 0, blocks: 0 }
    const usable = { code: 0, store: { reachable: true }, logWritable: true, counts }
    expect(await status(bridge.data)).toEqual({ ...usable, running: true, url: bridge.url })
    const { stdout } = await bridgekeeper(['status', '--data', bridge.data])
    expect(stdout).toContain(bridge.url)
    expect(stdout).toContain('1 user, 1 session, 0 machines, 0 blocks')
    process.kill(mainProcess(bridge.program), 'SIGKILL')
    await bridge.program.ended
    expect(await status(bridge.data)).toEqual({ ...usable, running: false })
    // Looking does not keep the next node from starting.
    const again = await serve({ data: bridge.data })
    again.program.signal('SIGTERM')
    await again.program.ended
    expect(existsSync(join(bridge.data, 'node.json'))).toBe(false)
  },
  SLOW_MS,
)

test(
  '[CLI.28] exits with 1 and the code for an unreachable store, without its password',
  async () => {
    const data = scratch()
    const DATABASE_URL = 'postgres://ann:hunter2secret@127.0.0.1:1/none'
    const found = await status(data, { DATABASE_URL })
    expect(found).toMatchObject({ code: 1, running: false, logWritable: true })
    expect(found.store).toMatchObject({ reachable: false, error: { code: 'database_unusable' } })
    expect(JSON.stringify(found)).not.toContain('hunter2secret')
  },
  SLOW_MS,
)

test('[CLI.28] creates no folder', async () => {
  const data = join(scratch(), 'none')
  const { code, stdout } = await bridgekeeper(['status', '--data', data, '--json'])
  expect([code, JSON.parse(stdout).error.code]).toEqual([1, 'data_folder_missing'])
  expect(existsSync(data)).toBe(false)
})

test(
  '[CLI.38] a command on a data folder that is missing says so and makes none, but for user add',
  async () => {
    const data = join(scratch(), 'none')
    for (const args of [
      ['user', 'list'],
      ['sessions'],
      ['token', 'issue', 'ann@example.com'],
      ['block', 'list'],
    ]) {
      const { code, stdout } = await bridgekeeper([...args, '--data', data, '--json'])
      expect([code, JSON.parse(stdout).error.code], args.join(' ')).toEqual([1, 'data_folder_missing'])
    }
    expect(existsSync(data)).toBe(false)
    const added = await bridgekeeper(['user', 'add', 'ann@example.com', '--data', data])
    expect(added).toMatchObject({ code: 0 })
    expect(added.stdout).toContain(`user password --data ${data} ann@example.com\n`)
  },
  SLOW_MS,
)
