import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { FakeBridge } from '../../packages/agent/test/support/bridge.ts'
import { tokenOf } from '../../packages/agent/test/support/linked.ts'
import { configFile, connect, fixture, published } from '../support/agent-program.ts'
import { bridgekeeper, COMMAND, eventIn, login, serve, startBridgekeeper } from '../support/installation.ts'
import { commandLine } from '../support/processes.ts'
import { type Ended, Program, run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const FRAMES = 20_000
/** Each command takes a while to start on a busy machine. */
const EIGHT_COMMANDS_MS = 120_000
const FLOOD = JSON.stringify({ type: 'error', error: 'rate_limit_exceeded', message: 'Slow down.' })

test.each([
  ['text', []],
  ['JSON', ['--json']],
])('[EVENT.3] prints a few lines and a count when a bridge floods errors: %s', async (_, args) => {
  const bridge = await FakeBridge.start()
  const config = configFile({ memory: published('memory') })
  const program = startBridgekeeper(['connect', bridge.url, '--config', config, ...args], {
    BRIDGEKEEPER_TOKEN: tokenOf(),
  })
  const peer = await bridge.peer()
  await program.printed((stdout) => (stdout.includes('ready') ? true : undefined))
  for (let n = 0; n < FRAMES; n++) peer.socket.send(FLOOD)
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  program.signal('SIGTERM')
  const { stdout, code } = await program.ended
  expect(code).toBe(0)
  expect(stdout.length).toBeLessThan(20_000)
  expect(stdout.split('\n').filter((line) => line.includes('rate_limit_exceeded')).length).toBeLessThan(500)
  expect(stdout).toMatch(/\(and \d+ more like this\)|"events-left-out"/)
})

test('[LINK.21] connect says why it has no token for its next attempt', async () => {
  const bridge = await FakeBridge.start()
  const file = join(scratch(), 'token')
  writeFileSync(file, tokenOf(), { mode: 0o600 })
  const config = configFile({ memory: published('memory') })
  const program = startBridgekeeper(['connect', bridge.url, '--config', config], {
    BRIDGEKEEPER_TOKEN_FILE: file,
  })
  const peer = await bridge.peer()
  writeFileSync(file, '')
  peer.socket.terminate()
  const cause = `No token could be obtained. BRIDGEKEEPER_TOKEN_FILE ${file} is empty.`
  await program.printed((stdout) => (stdout.includes(cause) ? true : undefined))
})

/** Runs a command without reading its standard output. The exit code is the last line of standard error. */
function unread(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return run('sh', ['-c', '{ "$@"; echo "code $?" >&2; } | true', 'sh', 'node', COMMAND, ...args], env)
}

test(
  '[CLI.21] commands exit quietly when their output is closed',
  async () => {
    const bridge = await serve()
    const data = ['--data', bridge.data]
    const { accessToken } = await login(bridge.data, 'ann@example.com')
    await connect(bridge, { token: accessToken, servers: { memory: published('memory') } })
    const env = { BRIDGEKEEPER_TOKEN: accessToken, BRIDGEKEEPER_URL: bridge.url }
    const commands = [
      ['user', 'add', 'bob@example.com', ...data],
      ['token', 'issue', 'bob@example.com', ...data],
      ['token', 'issue', 'bob@example.com', '--json', ...data],
      ['block', 'list', ...data],
      ['audit', 'verify', ...data],
      ['tools'],
      ['tools', '--json'],
      ['--help'],
    ]
    for (const command of commands)
      expect(await unread(command, env), command.join(' ')).toMatchObject({ stderr: 'code 0\n' })
  },
  EIGHT_COMMANDS_MS,
)

test('[CLI.21] reports a full disk with a code', async () => {
  const data = ['--data', `${scratch()}/data`]
  const args = ['-c', '"$@" > /dev/full', 'sh', 'node', COMMAND, 'user', 'add', 'ann@example.com', ...data]
  const { code, stderr } = await run('sh', args)
  expect(code).toBe(1)
  expect(stderr).toBe(
    'error: Standard output cannot be written (ENOSPC).\ncode:  output_failed\nnext:  Free disk space, or redirect the output elsewhere.\n',
  )
  expect(await bridgekeeper(['user', 'add', 'ann@example.com', ...data])).toMatchObject({ code: 1 })
})

/**
 * Starts a command whose reader leaves after the first line; `stop` ends it and returns its standard error.
 */
function readOnce(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const pipeline = '{ "$@"; echo "code $?" >&2; } | head -n 1'
  const program = new Program('sh', ['-c', pipeline, 'sh', 'node', COMMAND, ...args], env)
  const stop = async () => {
    const pid = program.processes().find((each) => commandLine(each).startsWith('node ') && isMain(each))
    process.kill(pid ?? Number.NaN, 'SIGTERM')
    return (await program.ended).stderr
  }
  return { program, stop }
}

function isMain(pid: number): boolean {
  return commandLine(pid).includes('bridgekeeper.mjs')
}

test('[CLI.22] serve keeps running when its output is closed', async () => {
  const { program, stop } = readOnce(['serve', '--port', '0', '--data', `${scratch()}/data`, '--json'])
  const { url } = await program.printed((stdout) => eventIn<{ url: string }>(stdout, 'event', 'listening'))
  for (let n = 0; n < 5; n++) {
    const refused = await fetch(`${url}/mcp`, {
      headers: { authorization: `Bearer wrong-${n}` },
      method: 'POST',
    })
    expect(refused.status).toBe(401)
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  expect(await stop()).toBe('code 0\n')
})

test('[CLI.22] connect keeps running when its output is closed', async () => {
  const bridge = await FakeBridge.start()
  const config = configFile({ unruly: fixture('unruly') })
  const { stop } = readOnce(['connect', bridge.url, '--config', config, '--json'], {
    BRIDGEKEEPER_TOKEN: tokenOf(),
  })
  const peer = await bridge.peer()
  await vi.waitFor(
    () => expect(peer.all('catalog').at(-1)).toMatchObject({ servers: [{ state: 'ready' }] }),
    20_000,
  )
  for (let n = 0; n < 200; n++) peer.execute(String(n), 'none')
  await peer.result('199')
  expect(await stop()).toBe('code 0\n')
})

test('[EVENT.3] shows other servers’ events while one floods its standard error', async () => {
  const bridge = await FakeBridge.start()
  const noisy = { command: 'sh', args: ['-c', 'while :; do echo noise; done >&2'] }
  const config = configFile({ noisy, memory: published('memory') })
  const program = startBridgekeeper(['connect', bridge.url, '--config', config, '--verbose'], {
    BRIDGEKEEPER_TOKEN: tokenOf(),
  })
  await program.printed(
    (stdout) => (stdout.includes('memory: ready') && stdout.includes('noise')) || undefined,
  )
  program.signal('SIGTERM')
  const { stdout } = await program.ended
  expect(stdout.length).toBeLessThan(20_000)
  expect(stdout).toMatch(/noisy: noise\n {2}\(and \d+ more like this\)/)
})
