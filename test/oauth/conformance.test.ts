import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startOAuth } from '../support/oauth.ts'
import { register, SCOPE } from '../support/oauth-client.ts'
import { Program, repository } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'

const CONFORMANCE = join(repository, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')

/** Finds a free port at which the suite waits for the browser. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

interface Check {
  readonly id: string
  readonly status: string
  readonly errorMessage?: string
}

test('[OAUTH.17] passes the MCP conformance suite for authorization servers', async () => {
  const node = await startOAuth()
  const port = await freePort()
  const redirect = `http://127.0.0.1:${port}/callback`
  const app = await register(node, { redirect_uris: [redirect], scope: SCOPE })
  const results = join(scratch(), 'results')
  mkdirSync(results)
  const suite = new Program(process.execPath, [
    ...[CONFORMANCE, 'authorization', '--url', node.url, '--client-id', app.client.client_id],
    ...['--resource', `${node.url}/mcp`, '--port', String(port), '--output-dir', results],
  ])
  const asked = await suite.printed(
    (text) => /http:\/\/127\.0\.0\.1:\d+\/oauth\/authorize\?\S+/.exec(text)?.[0],
  )
  const person = await node.login('ann')
  const { left } = await person.submit(await person.visit(asked), { answer: 'allow' })
  expect(left?.href.startsWith(redirect)).toBe(true)
  await fetch(String(left))
  const { code, stdout } = await suite.ended
  const checks = readdirSync(results, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('checks.json'))
    .flatMap((name) => JSON.parse(readFileSync(join(results, name), 'utf8')) as Check[])
  expect(
    checks.filter(({ status }) => status !== 'SUCCESS' && status !== 'INFO'),
    stdout,
  ).toEqual([])
  expect(checks.map(({ id }) => id)).toContain('authorization-code-grant')
  expect(code, stdout).toBe(0)
}, 60_000)
