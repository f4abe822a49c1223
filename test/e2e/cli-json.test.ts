import { failed, shapes } from 'bridgekeeper/testing'
import { beforeAll, expect, test } from 'vitest'
import { type Agent, connect, published } from '../support/agent-program.ts'
import { enrolledIn } from '../support/enrolled.ts'
import { bridgekeeper, COMMAND, jsonOf, login, type RunningBridge, serve } from '../support/installation.ts'
import { run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

/** Each command takes a while to start on a busy machine. */
const MANY_COMMANDS_MS = 180_000
const EMAIL = 'ann@example.com'

let bridge: RunningBridge
let agent: Agent
let callerEnv: Record<string, string>

beforeAll(async () => {
  bridge = await serve()
  const { accessToken } = await login(bridge.data, 'caller@example.com')
  agent = await connect(bridge, { token: accessToken, servers: { memory: published('memory') } })
  callerEnv = { BRIDGEKEEPER_TOKEN: accessToken, BRIDGEKEEPER_URL: bridge.url }
})

/** Returns the output of a command, which must fit its shape. */
async function printed<C extends keyof typeof shapes>(
  command: C,
  args: readonly string[] = [],
  { env = {}, input }: { readonly env?: Record<string, string>; readonly input?: string } = {},
): Promise<unknown> {
  const { code, stdout, stderr } = await bridgekeeper([...command.split(' '), ...args, '--json'], env, input)
  expect({ code, stderr }, command).toEqual({ code: 0, stderr: '' })
  const value = JSON.parse(stdout)
  expect(shapes[command].safeParse(value).error, `${command}: ${stdout}`).toBeUndefined()
  return value
}

const onData = (...args: string[]) => [...args, '--data', bridge.data]

test(
  '[CLI.30] [CLI.27] commands on users and tokens print their shapes, and lists show what was made',
  async () => {
    const user = await printed('user add', onData(EMAIL))
    await printed('user role', onData(EMAIL, 'admin'))
    await printed('user suspend', onData(EMAIL))
    await printed('user resume', onData(EMAIL))
    await printed('user password', onData(EMAIL, '--password-stdin'), { input: 'a long walk by the sea\n' })
    expect(await printed('user list', onData('--limit', '1'))).toEqual({
      users: [{ ...(user as object), role: 'admin' }],
      nextAfter: EMAIL,
    })
    expect(await printed('user list', onData('--after', 'caller@example.com'))).toEqual({ users: [] })
    const args = onData(EMAIL, '--scope', 'tools:list tools:call:memory/*')
    const { sessionId, userId, expiresAt, accessToken } = (await printed('token issue', args)) as Record<
      string,
      string
    >
    const tokens = await printed('token list', onData(EMAIL))
    expect(tokens).toMatchObject([
      { sessionId, userId, email: EMAIL, scopes: ['tools:list', 'tools:call:memory/*'] },
    ])
    expect(Date.parse((tokens as { expiresAt: string }[])[0]?.expiresAt ?? '')).toBeGreaterThanOrEqual(
      Date.parse(expiresAt ?? ''),
    )
    expect(JSON.stringify(tokens)).not.toContain(accessToken)
    expect(await printed('sessions', onData(EMAIL))).toMatchObject([{ sessionId, kind: 'token' }])
    expect(await printed('revoke session', onData(String(sessionId)))).toEqual({ userId, sessionId })
    expect(await printed('token list', onData(EMAIL))).toEqual([])
    await printed('user logout', onData(EMAIL))
    await printed('revoke user', onData(EMAIL))
    await printed('user delete', onData(EMAIL))
  },
  MANY_COMMANDS_MS,
)

test(
  '[CLI.30] commands on machines, blocks and the log print their shapes',
  async () => {
    const { userId } = await login(bridge.data, 'dev@example.com')
    await enrolledIn(bridge.data, userId, 7)
    expect(await printed('devices', onData('dev@example.com'))).toMatchObject([{ deviceId: 'dev_7', userId }])
    expect(await printed('revoke device', onData('dev_7'))).toEqual({ userId, deviceId: 'dev_7' })
    await printed('block add', onData('203.0.113.7'))
    expect(await printed('block list', onData())).toHaveLength(1)
    await printed('block lift', onData('203.0.113.7'))
    await printed('audit verify', onData())
    await printed('device list', [], { env: { BRIDGEKEEPER_HOME: scratch() } })
  },
  MANY_COMMANDS_MS,
)

test(
  '[CLI.30] [CLI.29] tools, call and version print their shapes, and a failure prints its own',
  async () => {
    await printed('tools', [], { env: callerEnv })
    await printed('call', ['memory', 'read_graph'], { env: callerEnv })
    expect(await printed('version')).toMatchObject({ platform: process.platform })
    const failure = await jsonOf(bridgekeeper(['user', 'logout', ...onData('nobody@example.com'), '--json']))
    expect(failed.parse(failure).error.code).toBe('user_unknown')
  },
  MANY_COMMANDS_MS,
)

test('[CLI.30] each line of serve and connect fits its shape', () => {
  const lines = (text: string) => text.split('\n').slice(0, -1)
  expect(lines(bridge.program.output).length).toBeGreaterThan(0)
  for (const line of lines(bridge.program.output))
    expect(shapes.serve.safeParse(JSON.parse(line)).error, line).toBeUndefined()
  expect(lines(agent.program.output).length).toBeGreaterThan(0)
  for (const line of lines(agent.program.output))
    expect(shapes.connect.safeParse(JSON.parse(line)).error, line).toBeUndefined()
})

test(
  '[CLI.31] cuts a list at the width of the terminal, and not in a pipe',
  async () => {
    const words = `node ${COMMAND} tools`
    const env = { ...callerEnv, COLUMNS: '40' }
    const shown = (await run('script', ['-qec', words, '/dev/null'], env)).stdout.split(/\r?\n/)
    expect(shown.length).toBeGreaterThan(3)
    const rows = shown.filter((line) => line.startsWith('memory'))
    for (const row of rows) expect(row.length, row).toBeLessThanOrEqual(40)
    expect(rows.some((row) => row.endsWith('…'))).toBe(true)
    expect((await bridgekeeper(['tools'], env)).stdout).toContain('should be in active voice')
  },
  MANY_COMMANDS_MS,
)
