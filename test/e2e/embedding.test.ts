import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import * as server from '@bridgekeeper/bridge'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { codeOf, writeDocumented } from '../support/documented.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'
import { Program, repository } from '../support/program.ts'
import { tryUpgrade } from '../support/raw.ts'
import { scratch } from '../support/scratch.ts'

const SESSION_SECRET = 'x'.repeat(32)
const PAGE = 'docs/embedding-nextjs.md'

/** The documented app, on a free port. */
async function documentedApp() {
  const folder = scratch()
  const module = (name: string) => join(repository, 'node_modules', name)
  writeDocumented(PAGE, folder, {
    next: join(repository, 'test/e2e/fixtures/next-shape'),
    '@bridgekeeper/bridge': join(repository, 'packages/bridge'),
    jose: module('jose'),
  })
  const program = new Program(
    process.execPath,
    // Tests choose a free port; the printed page names a fixed one.
    ['--import', `data:text/javascript,${encodeURIComponent(FREE_PORT)}`, join(folder, 'server.mjs')],
    { SESSION_SECRET, PORT: '0' },
    folder,
  )
  const port = await program.printed((stdout) => /port=(\d+)/.exec(stdout)?.[1])
  return { port: Number(port), url: `http://127.0.0.1:${port}` }
}

/** Prints which port the system chose. */
const FREE_PORT = `
import { Server } from 'node:net'
const { listen } = Server.prototype
Server.prototype.listen = function (...args) {
  this.once('listening', () => console.log('port=' + this.address().port))
  return listen.apply(this, args)
}`

function sessionToken(userId: string, sid: string): Promise<string> {
  return new SignJWT({ sid })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setIssuer('my-app')
    .setAudience('my-app')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(Buffer.from(SESSION_SECRET))
}

test('[EMBED.5] the documented Next.js app admits agents and callers by its cookie, keeps its own sockets, and ends a login within a second of logout', async () => {
  const at = await documentedApp()
  const cookieOf = (token: string) => ({ cookie: `session=${token}` })
  const annToken = await sessionToken('ann', 'ann-1')
  const agentToken = await sessionToken('ann', 'ann-2')
  const peerWith = (token: string, sessionId: string) =>
    verifiedPeer(
      at,
      { accessToken: token, userId: 'ann', sessionId, expiresAt: '' },
      { via: 'cookie', cookie: 'session' },
    )

  // Next adds its upgrade listener with its first request, and would end the agents' sockets.
  expect((await fetch(`${at.url}/nothing`)).status).toBe(404)
  const agent = await peerWith(agentToken, 'ann-2')
  const ownAgent = await peerWith(annToken, 'ann-1')
  expect((await tryUpgrade(at, { path: '/_next/hmr' })).status).toBe(101)

  // The app calls a tool for the user of its cookie, on the newest agent.
  const notes = fetch(`${at.url}/notes`, { headers: cookieOf(annToken) })
  const { id } = await ownAgent.next('tool_execute')
  ownAgent.send({
    type: 'tool_result',
    id,
    success: true,
    result: { content: [{ type: 'text', text: 'milk' }] },
  })
  expect(await (await notes).json()).toEqual({ content: [{ type: 'text', text: 'milk' }] })
  expect((await fetch(`${at.url}/notes`)).status).toBe(401)

  // A call that runs when its caller logs out.
  const answered = post(at, '/mcp', toolCall('s__t'), cookieOf(annToken))
  await ownAgent.next('tool_execute')
  const loggedOut = await fetch(`${at.url}/logout`, { method: 'POST', headers: cookieOf(annToken) })
  expect(loggedOut.status).toBe(204)
  expect(loggedOut.headers.get('set-cookie')).toContain(
    'session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0',
  )
  expect(await ownAgent.closed).toEqual({ code: 4510, reason: 'login_revoked' })
  expect((await answered).status).toBe(401)

  // A copy of the cookie has a valid signature but is refused; the other login stays open.
  expect(await tryUpgrade(at, { headers: [`Cookie: session=${annToken}`] })).toMatchObject({
    code: 'login_revoked',
  })
  expect((await post(at, '/mcp', toolCall('s__t'), bearer(annToken))).status).toBe(401)
  agent.send({ type: 'ping' })
  await agent.next('pong')
})

test('[EMBED.5] the documented Next.js app refuses a forged, foreign or unsuitable cookie', async () => {
  const at = await documentedApp()
  const [, payload] = (await sessionToken('ann', 'ann-1')).split('.')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  const foreign = await new SignJWT({ sid: 's' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ann')
    .setIssuer('my-app')
    .setAudience('another-app')
    .setExpirationTime('1h')
    .sign(Buffer.from(SESSION_SECRET))
  for (const token of ['', 'x', `${none}.${payload}.`, foreign])
    expect((await tryUpgrade(at, { headers: [`Cookie: session=${token}`] })).status, token).toBe(401)
})

const PAGES = [PAGE, 'docs/developers.md', 'README.md']

test.each(PAGES)(
  '[EMBED.6] %s prints code that parses, and imports only what the package exports',
  (page) => {
    const blocks = codeOf(page).filter(({ language }) => language === 'js' || language === 'ts')
    expect(blocks.length).toBeGreaterThan(0)
    for (const { code } of blocks) {
      expect(() => stripTypeScriptTypes(code), code).not.toThrow()
      const [, names = ''] = /import \{([^}]*)\} from '@bridgekeeper\/bridge'/.exec(code) ?? []
      const values = names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && !name.startsWith('type '))
      for (const name of values) expect(server, name).toHaveProperty(name)
    }
  },
)
