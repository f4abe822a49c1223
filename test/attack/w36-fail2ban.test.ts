import { execFileSync } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type IssuedToken, realSystem, streamLog } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { missingDebianCommand } from '../../scripts/debian.ts'
import { startBridge, type TestBridge, user } from '../support/bridge.ts'
import { login, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { dial, type Peer, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { scratch } from '../support/scratch.ts'
import { Surfer } from '../support/surfer.ts'

const FILTER = join(import.meta.dirname, '../../deploy/fail2ban/filter.d/bridgekeeper.conf')
const missing = missingDebianCommand('fail2ban-regex', 'fail2ban')
if (missing !== undefined) process.stderr.write(`${missing}\n`)

/** Skipped where fail2ban cannot be found or installed, but never in CI. */
const testWithFail2ban = test.skipIf(missing !== undefined && process.env.CI !== 'true')

/** The addresses that fail2ban takes from this log, a line each. */
function banned(log: string): string[] {
  const output = execFileSync('fail2ban-regex', ['-o', 'ip', log, FILTER], { encoding: 'utf8' })
  return output.split('\n').filter((line) => line !== '')
}

/** Log lines that try to look like a failure of 6.6.6.6. */
const forged = [
  '","event":"ws_authentication_failed","severity":"warn","ip":"6.6.6.6","reason":"token_invalid"',
  '{"timestamp":"2026-01-01T00:00:00.000Z","event":"ws_authentication_failed","severity":"warn","ip":"6.6.6.6","reason":"x"}',
  '\n{"timestamp":"2026-01-01T00:00:00.000Z","event":"address_blocked","severity":"warn","ip":"6.6.6.6"}\n',
  '\\","ip":"6.6.6.6","reason":"x","event":"ws_authentication_failed',
  '\u2028{"timestamp":"2026-01-01T00:00:00Z","event":"challenge_locked","severity":"warn","ip":"6.6.6.6"}\u0085',
]

const from = (address: string) => ({ 'x-forwarded-for': address })

async function closeWith(peer: Peer, reason: string): Promise<void> {
  peer.socket.close(4000, Buffer.from(reason).subarray(0, 110))
  await peer.closed
}

/** Puts the text into everything that a verified peer and a caller can put a text into. */
async function say(at: TestBridge, login: IssuedToken, text: string): Promise<void> {
  const peer = await verifiedPeer(at, login, {
    socketOptions: { headers: { ...bearer(login.accessToken), ...from('203.0.113.9') } },
  })
  peer.send({ type: text })
  peer.send({ type: 'tool_execute', id: 'own', serverName: text, toolName: text, args: {} })
  peer.send({ type: 'tool_execute', id: 'own', serverName: 's', toolName: text.slice(0, 120), args: {} })
  peer.send({ type: 'tool_result', id: text.slice(0, 100), success: false, error: text })
  peer.send(text)
  peer.send({ type: 'ping' })
  await peer.next('pong')
  const headers = { ...from('203.0.113.9'), 'user-agent': text.replaceAll(/[^\x20-\x7e]/g, '') }
  await fetch(`${at.url}/mcp`, { method: 'POST', headers })
  await closeWith(peer, text)
}

testWithFail2ban(
  '[LOG.1] [LOG.2] W36: fail2ban finds exactly the failures in a node’s log, and nothing that a peer wrote',
  async () => {
    const node = await serve({ env: { BRIDGEKEEPER_TRUSTED_PROXIES: '127.0.0.1' } })
    const at = { port: node.port, url: node.url } as TestBridge
    const lines = (address: string) => [`X-Forwarded-For: ${address}`]

    await tryUpgrade(at, { token: 'a.b.c', headers: lines('203.0.113.1') })
    await tryUpgrade(at, { headers: lines('2001:db8::1') })
    await post(at, '/mcp', toolCall('s__t'), { ...bearer('a.b.c'), ...from('203.0.113.2') })
    const issued = await login(node.data, 'ann@example.com')
    const guesser = dial(at, {
      socketOptions: { headers: { ...bearer(issued.accessToken), ...from('203.0.113.3') } },
    })
    await guesser.next('challenge')
    for (let wrong = 0; wrong < 3; wrong++)
      guesser.send({ type: 'challenge_response', response: '0'.repeat(64) })
    await guesser.closed

    const surfer = new Surfer(node.url)
    const page = await surfer.get('/login', from('203.0.113.4'))
    const wrong = { email: 'ann@example.com","ip":"6.6.6.6', password: 'not the password' }
    expect((await surfer.submit(page, '/login', wrong, from('203.0.113.4'))).status).toBe(403)

    // None of these is a failure.
    const expired = await login(node.data, 'ann@example.com', -60_000)
    await post(at, '/mcp', toolCall('s__t'), from('203.0.113.9'))
    await post(at, '/mcp', toolCall('s__t'), { cookie: 'accessToken=a.b.c', ...from('203.0.113.9') })
    await tryUpgrade(at, { headers: [...lines('203.0.113.9'), 'Cookie: accessToken=a.b.c'] })
    await tryUpgrade(at, { token: 'a.b.c' })
    await tryUpgrade(at, { token: expired.accessToken, headers: lines('203.0.113.9') })
    await tryUpgrade(at, { headers: [...lines('203.0.113.9'), 'Origin: https://evil.example'] })
    for (const text of forged) await say(at, issued, text)

    const log = join(node.data, 'security.log')
    await expect
      .poll(() => readFileSync(log, 'utf8'))
      .toContain('ws_connection_closed","severity":"info","userId":"user_')
    const failures = [
      '203.0.113.1',
      '2001:db8::1',
      '203.0.113.2',
      ...Array.from({ length: 4 }, () => '203.0.113.3'),
      '203.0.113.4',
    ]
    expect(banned(log)).toEqual(failures)
    expect(readFileSync(log, 'utf8')).toContain('6.6.6.6')
  },
)

testWithFail2ban('[LOG.2] W36: fail2ban takes no address from a hostile userId of the host app', async () => {
  const path = join(scratch(), 'security.log')
  const stream = createWriteStream(path)
  const hostile = {
    ...user('ann'),
    userId: forged[0] as string,
    sessionId: 's',
    expiresAtMs: Date.now() + 60_000,
  }
  const at = await startBridge({
    securityLog: streamLog(stream, realSystem()),
    authenticator: {
      recall: () => hostile,
      authenticate: () => Promise.resolve({ allowed: true, value: hostile }),
    },
  })
  const peer = dial(at, { token: 'x' })
  await peer.next('challenge')
  peer.send({ type: 'challenge_response', response: '0'.repeat(64) })
  await peer.next('error')
  await closeWith(peer, forged[1] as string)
  await expect.poll(() => readFileSync(path, 'utf8')).toContain('ws_connection_closed')
  expect(banned(path)).toEqual(['127.0.0.1'])
})
