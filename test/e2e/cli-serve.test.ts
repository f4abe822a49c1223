import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { connect, fixture } from '../support/agent-program.ts'
import { bridgekeeper, COMMAND, login, serve, startBridgekeeper } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import type { Env } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import { atTerminal } from '../support/terminal.ts'

test('[CLI.6] answers /healthz and /readyz as soon as serve reports that it listens, without any agent', async () => {
  const { url } = await serve()
  for (const [path, status] of [
    ['/healthz', 'ok'],
    ['/readyz', 'ready'],
  ] as const) {
    const response = await fetch(url + path)
    expect([response.status, await response.json()]).toEqual([200, { status }])
  }
})

test('[STOP.1] on SIGTERM, refuses new work, finishes a running call and exits with 0', async () => {
  const bridge = await serve()
  const { accessToken } = await login(bridge.data, 'ann@example.com')
  const agent = await connect(bridge, { token: accessToken, servers: { unruly: fixture('unruly') } })
  const files = { log: join(scratch(), 'log'), until: join(scratch(), 'until') }
  const held = post(bridge, '/mcp/unruly', toolCall('hold', files), bearer(accessToken))
  await vi.waitFor(() => expect(existsSync(files.log)).toBe(true))

  bridge.program.signal('SIGTERM')
  await vi.waitFor(() => expect(connectionTo(bridge.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' }))
  writeFileSync(files.until, '')
  const { status, json } = await held
  expect(status).toBe(200)
  expect(json.result).toEqual({ content: [{ type: 'text', text: 'held' }] })
  const { code, stdout } = await bridge.program.ended
  expect(code).toBe(0)
  expect(stdout).toContain('{"event":"stopped"}')
  // The close code says that the bridge will return, so the agent stays.
  await agent.event('disconnected')
  expect(agent.program.processes().length).toBeGreaterThan(0)
})

const PROXIED = {
  BRIDGEKEEPER_TLS: 'terminated-by-proxy',
  BRIDGEKEEPER_TRUSTED_PROXIES: '127.0.0.1',
  BRIDGEKEEPER_PUBLIC_URLS: 'https://bridge.example.com',
}

test('[SECRET.1] refuses to generate a secret in production, in any spelling of the word', async () => {
  for (const NODE_ENV of ['production', 'Production']) {
    const data = join(scratch(), 'data')
    const { code, stdout } = await bridgekeeper(['serve', '--port', '0', '--data', data, '--json'], {
      NODE_ENV,
      ...PROXIED,
    })
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'secret_missing' } })
    expect(existsSync(join(data, 'jwt-secret'))).toBe(false)
  }
  const env = { NODE_ENV: 'Production', JWT_SECRET: 'thirty-two bytes at the very least', ...PROXIED }
  const { url } = await serve({ env })
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test('[SECRET.2] refuses a secret under 32 bytes, and does not print it', async () => {
  const JWT_SECRET = 'only thirty-one bytes are here!'
  expect(JWT_SECRET).toHaveLength(31)
  const data = join(scratch(), 'data')
  const ended = await bridgekeeper(['serve', '--port', '0', '--data', data, '--json'], { JWT_SECRET })
  expect(ended.code).toBe(1)
  expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'secret_too_short' } })
  expect(ended.stdout + ended.stderr).not.toContain(JWT_SECRET)
})

test('[CLI.7] reports a port in use with the next step, and leaves its owner running', async () => {
  const { url, port, data } = await serve()
  const second = startBridgekeeper(['serve', '--port', String(port), '--data', data])
  const { code, stdout, stderr } = await second.ended
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('code:  port_taken\nnext:  ')
  expect(stderr).toContain(`--port ${port + 1}`)
  expect(second.processes()).toEqual([])
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

const AT_START = 'info   a bridge started  version='

test('[CLI.37] serve prints its log in words on a terminal, with colours that NO_COLOR takes away', async () => {
  const command = (more = '') => `node ${COMMAND} serve --port 0 --data ${join(scratch(), 'data')} ${more}`
  const words = await atTerminal(command(), [['a bridge started', '\u0003']], { NO_COLOR: '1' })
  expect(words).toContain(AT_START)
  expect(words).not.toContain('\u001b[')
  const colours = await atTerminal(command(), [['a bridge started', '\u0003']], {
    TERM: 'xterm',
    FORCE_COLOR: '1',
  })
  expect(colours).toContain('\u001b[2minfo')
  const json = await atTerminal(command('--log json'), [['bridge_started', '\u0003']])
  expect(json).toContain('{"timestamp":')
  const data = await atTerminal(command('--json'), [['bridge_started', '\u0003']])
  expect(
    data
      .trim()
      .split(/\r?\n/)
      .filter((line) => !/^(?:\^C)?\{.*\}$/.test(line)),
  ).toEqual([])
})

test('[CLI.37] serve prints JSON lines into a pipe, or words when told so; the file has JSON', async () => {
  for (const [args, expected] of [
    [[], '"event":"bridge_started"'],
    [['--log', 'human'], AT_START],
  ] as const) {
    const data = join(scratch(), 'data')
    const program = startBridgekeeper(['serve', '--port', '0', '--data', data, ...args])
    await program.printed((stdout) => (stdout.includes(expected) ? true : undefined))
    program.signal('SIGTERM')
    expect(await program.ended).toMatchObject({ code: 0 })
    expect(readFileSync(join(data, 'security.log'), 'utf8')).toMatch(
      /^\{"timestamp".*"event":"bridge_started"/,
    )
    expect(program.stdout).not.toContain('\u001b')
  }
  const wrong = await bridgekeeper(['serve', '--log', 'xml'])
  expect(wrong.stderr).toContain('--log must be one of human, json, got "xml".')
})

/** Text that `serve` prints for a person once it listens. */
async function shownBy(data: string, args: readonly string[] = [], env?: Env): Promise<string> {
  const program = startBridgekeeper(['serve', '--port', '0', '--data', data, ...args], env)
  const text = await program.printed((stdout) => (/--config .*\n/.test(stdout) ? stdout : undefined))
  program.signal('SIGTERM')
  await program.ended
  return text
}

test('[CLI.39] serve says how to add a user only while there is none, and always how to connect', async () => {
  const data = join(scratch(), 'data')
  const empty = await shownBy(data)
  expect(empty).toMatch(/^Next: .* user add /m)
  expect(empty).toMatch(/^Then, on .* connect http:\/\/127\.0\.0\.1:\d+ --config mcp\.json$/m)
  await login(data, 'ann@example.com')
  const inUse = await shownBy(data)
  expect(inUse).not.toContain('user add')
  expect(inUse).toMatch(/^Next, on .* connect http:\/\/127\.0\.0\.1:\d+ --config mcp\.json$/m)
  const provider = {
    BRIDGEKEEPER_JWKS_URL: 'https://login.example.com/keys',
    BRIDGEKEEPER_JWT_ISSUER: 'https://login.example.com',
    BRIDGEKEEPER_JWT_AUDIENCE: 'bridge',
  }
  expect(await shownBy(join(scratch(), 'data'), [], provider)).not.toContain('user add')
})

test('[CLI.39] serve on every address prints a placeholder, or its public URL, for the MCP client and the machine', async () => {
  const place = 'http://ADDRESS-OF-THIS-MACHINE:\\d+'
  for (const [args, shown] of [
    [['--host', '0.0.0.0'], place],
    [['--host', '0.0.0.0', '--public-url', 'http://bridge.lan:8787'], 'http://bridge.lan:8787'],
  ] as const) {
    const text = await shownBy(join(scratch(), 'data'), args)
    expect(text).toMatch(/^Bridgekeeper is listening at http:\/\/0\.0\.0\.0:\d+\.$/m)
    expect(text).toMatch(new RegExp(`^  MCP +${shown}/mcp$`, 'm'))
    expect(text).toMatch(new RegExp(`^Then, on .* connect ${shown} --config mcp\\.json$`, 'm'))
  }
})

/** Rejects with the system's error if nothing listens. */
function connectionTo(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
