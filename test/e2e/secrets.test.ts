import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configFile, fixture, startAgent } from '../support/agent-program.ts'
import { bridgekeeper, login, serve, startBridgekeeper } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import type { Program } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const API_KEY = 'sk-of-a-local-server-1234567890'
/** A server that cannot keep a secret. */
const telltale = { command: 'sh', args: ['-c', 'echo "my key is $API_KEY" >&2; exit 3'], env: { API_KEY } }
const servers = { unruly: fixture('unruly'), telltale }

test('[CLI.8] prints no token or secret from any command but the one that issues tokens', async () => {
  const bridge = await serve()
  const { accessToken, sessionId } = await login(bridge.data, 'ann@example.com')
  const second = await login(bridge.data, 'ann@example.com')
  const secrets = {
    token: accessToken,
    signature: accessToken.split('.')[2] ?? '',
    'session id': sessionId,
    'token of the second agent': second.accessToken,
    'JWT secret': readFileSync(join(bridge.data, 'jwt-secret'), 'utf8'),
    'key of a server': API_KEY,
  }
  const env = { BRIDGEKEEPER_URL: bridge.url, BRIDGEKEEPER_TOKEN: accessToken }
  const inJson = startAgent(bridge, { token: accessToken, servers }).program
  const inWords = startBridgekeeper([
    'connect',
    bridge.url,
    '--verbose',
    '--config',
    configFile(servers),
    '--token',
    second.accessToken,
  ])
  for (const agent of [inJson, inWords]) await hidesTheKey(agent)

  const ended = await Promise.all([
    bridgekeeper(['tools'], env),
    bridgekeeper(['tools', '--json'], env),
    bridgekeeper(['call', 'unruly', 'pid'], env),
    bridgekeeper(['call', 'nowhere', 'pid', '--json'], env),
    bridgekeeper(['tools'], { ...env, BRIDGEKEEPER_TOKEN: `${accessToken}x` }),
    bridgekeeper(['tools'], { ...env, BRIDGEKEEPER_TOKEN: `TOKEN\n${accessToken}` }),
    bridgekeeper(['connect', bridge.url, '--config', configFile(servers)], {
      ...env,
      BRIDGEKEEPER_TOKEN: `TOKEN\n${accessToken}`,
    }),
    bridgekeeper(['tools', '--url', 'http://127.0.0.1:9', '--token', accessToken]),
    bridgekeeper(['tools', '--url', `${bridge.url}/?token=${accessToken}`], env),
    bridgekeeper(['connect', `${bridge.url}/?token=${accessToken}`], env),
    bridgekeeper(['user', 'add', 'ann@example.com', '--data', bridge.data]),
    bridgekeeper(['serve', '--port', String(bridge.port), '--data', bridge.data]),
  ])
  await post(bridge, `/mcp?token=${accessToken}`, toolCall('unruly__pid'))
  await post(bridge, '/mcp/unruly', toolCall('die'), bearer(accessToken))
  const running = [bridge.program, inJson, inWords]
  for (const program of running) program.signal('SIGTERM')
  ended.push(...(await Promise.all(running.map((program) => program.ended))))

  for (const { stdout, stderr } of ended) {
    const output = stdout + stderr
    expect(output).not.toBe('')
    for (const [name, secret] of Object.entries(secrets)) {
      expect(output.includes(secret), `the ${name} is in: ${output}`).toBe(false)
    }
  }
})

function hidesTheKey(agent: Program): Promise<true> {
  return agent.printed((stdout) => (stdout.includes('my key is [hidden]') ? true : undefined))
}

test('[FILE.1] refuses to start on a planted jwt-secret', async () => {
  const data = join(scratch(), 'data')
  mkdirSync(data, { mode: 0o700 })
  const planted = join(data, 'jwt-secret')
  writeFileSync(planted, 'x'.repeat(64))
  chmodSync(planted, 0o666)
  const { code, stdout, stderr } = await bridgekeeper(['serve', '--port', '0', '--data', data])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain('code:  rights_unsafe')
  expect(stderr).toContain(`chmod g-w,o= "${planted}"`)
})
