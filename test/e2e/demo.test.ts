import { join } from 'node:path'
import { beforeAll, expect, test, vi } from 'vitest'
import { bearer, post } from '../support/mcp.ts'
import { Program, run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import { Surfer, textOf } from '../support/surfer.ts'

interface Demo {
  readonly program: Program
  readonly url: string
  readonly port: string
  readonly token: string
  /** Line that the demo says to paste. */
  readonly line: string
}

let demo: Demo
let data: string

beforeAll(async () => {
  data = join(scratch(), 'data')
  demo = await start('npm', ['start'], data)
})

/** The demo on a free port, once it has printed its instructions. */
async function start(
  command: string,
  args: readonly string[],
  data = join(scratch(), 'data'),
  PORT = '0',
): Promise<Demo> {
  const program = new Program(command, args, { PORT, BRIDGEKEEPER_DATA: data })
  const text = await program.printed((stdout) => (stdout.includes('Ctrl-C') ? stdout : undefined))
  const [, url = '', port = ''] = /^ {2}MCP URL {2}(http:\/\/127\.0\.0\.1:(\d+))\/mcp /m.exec(text) ?? []
  const [, token = ''] = /^ {2}Token {4}(\S+)$/m.exec(text) ?? []
  const [, line = ''] = /^ {2}(.*npx bridgekeeper call .*)$/m.exec(text) ?? []
  return { program, url, port, token, line }
}

test('[DEMO.1] npm start prints an MCP address and a token with which a client reaches three servers', async () => {
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const { status, json } = await post(demo, '/mcp', list, bearer(demo.token))
  expect(status).toBe(200)
  const servers = json.result.tools.map((tool: { name: string }) => tool.name.split('__')[0])
  expect(new Set(servers)).toEqual(new Set(['everything', 'filesystem', 'memory']))
})

test('[DEMO.2] makes a first call with the line that npm start prints for another terminal', async () => {
  const { code, stdout } = await run('sh', ['-c', demo.line])
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Echo: hello\n' })
})

test('[DEMO.3] exits with the next step at a second npm start on the same port, and leaves the first running', async () => {
  const env = { PORT: demo.port, BRIDGEKEEPER_DATA: data }
  const second = new Program('npm', ['start'], env)
  const { code, stderr } = await second.ended
  expect(code).toBe(1)
  expect(stderr).toContain('code:  port_taken\nnext:  ')
  expect(stderr).toContain(`PORT=${Number(demo.port) + 1}`)
  expect(second.processes()).toEqual([])
  expect((await fetch(`${demo.url}/readyz`)).status).toBe(200)
})

test.each([
  ['SIGTERM', 'node', ['scripts/run.mjs', 'demo']],
  ['SIGTERM', 'npm', ['start']],
  ['SIGKILL', 'node', ['scripts/run.mjs', 'demo']],
  ['SIGKILL', 'npm', ['start']],
] as const)('[DEMO.4] %s to %s ends the demo and every process of it', async (signal, command, args) => {
  const { program } = await start(command, args)
  expect(program.processes().length).toBeGreaterThanOrEqual(5)
  program.signal(signal)
  await vi.waitFor(() => expect(program.processes()).toEqual([]), { timeout: 5_000, interval: 50 })
})

/** The account page of the demo's user, with the password that the demo printed. */
async function accountPage({ program, url }: Demo) {
  const [, email = '', password = ''] = /\((\S+@\S+), password (\S+)\)/.exec(program.stdout) ?? []
  const surfer = new Surfer(url)
  await surfer.submit(await surfer.get('/login'), '/login', { email, password })
  const page = await surfer.get('/account')
  const [deviceId = ''] = /device_[0-9a-f]{32}/.exec(page.text) ?? []
  return { surfer, page, deviceId }
}

test('[DEMO.5] the demo enrols its machine by itself, once, and again after its user has removed it', async () => {
  const data = join(scratch(), 'data')
  const first = await start('npm', ['start'], data)
  expect(first.program.stdout).toContain('enrolling this machine')
  expect(textOf((await accountPage(first)).page.text)).toContain('Demo machine')
  first.program.signal('SIGTERM')
  await first.program.ended

  const second = await start('npm', ['start'], data, first.port)
  expect(second.program.stdout).not.toContain('enrolling this machine')
  const { surfer, page, deviceId } = await accountPage(second)
  await surfer.submit(page, '/account/devices/end')
  const removed = await second.program.ended
  expect(removed.code).toBe(1)
  expect(removed.stderr).toMatch(/code: {2}login_revoked\nnext: {2}.*npm start\n$/)

  const third = await start('npm', ['start'], data, first.port)
  expect(third.program.stdout).toContain('enrolling this machine')
  expect((await accountPage(third)).deviceId).not.toBe(deviceId)
}, 60_000)
