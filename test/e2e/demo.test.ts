import { join } from 'node:path'
import { beforeAll, expect, test, vi } from 'vitest'
import { bearer, post } from '../support/mcp.ts'
import { Program, run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

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
): Promise<Demo> {
  const program = new Program(command, args, { PORT: '0', BRIDGEKEEPER_DATA: data })
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
