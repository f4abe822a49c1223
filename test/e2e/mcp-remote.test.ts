import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { expect, test, vi } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import { bridgekeeper } from '../support/installation.ts'
import { Person, wordsOn } from '../support/person.ts'
import { repository } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import { appClient } from './app-clients.ts'
import { EMAIL, startCancellable } from './cancellable.ts'

const PASSWORD = 'a horse that reads maps'
const MCP_REMOTE = join(repository, 'node_modules/mcp-remote/dist/proxy.js')

/** Starts mcp-remote for this MCP address, and connects to it like an app that supports only stdio servers. */
function start(url: string, folder: string) {
  const { PATH = '' } = process.env
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [MCP_REMOTE, url, '--auth-timeout', '120'],
    // xdg-open runs BROWSER to open a page: `true` does nothing.
    env: { PATH, HOME: folder, MCP_REMOTE_CONFIG_DIR: folder, BROWSER: 'true' },
    stderr: 'pipe',
  })
  let printed = ''
  transport.stderr?.on('data', (chunk) => {
    printed += chunk
  })
  const client = new Client({ name: 'desktop app', version: '1.0.0' })
  atEnd(() => client.close())
  return { client: appClient(client), connected: client.connect(transport), printed: () => printed }
}

/** The address that mcp-remote prints for its user to open. */
function addressIn(printed: () => string): Promise<string> {
  return vi.waitFor(
    () => {
      const [, address] = /authorize this client by visiting:\s+(http\S+)\s/.exec(printed()) ?? []
      if (address === undefined) throw new Error(`mcp-remote printed no address:\n${printed()}`)
      return address
    },
    { timeout: 20_000, interval: 20 },
  )
}

test('[MCP.16] mcp-remote logs in at http://localhost, lists tools, calls one, passes on a cancellation, and restarts without a login', async () => {
  const at = await startCancellable()
  const set = await bridgekeeper(
    ['user', 'password', EMAIL, '--password-stdin', '--data', at.bridge.data],
    {},
    PASSWORD,
  )
  expect(set.code, set.stderr).toBe(0)
  const origin = `http://localhost:${at.bridge.port}`
  const folder = scratch()
  const first = start(`${origin}/mcp`, folder)
  const address = await addressIn(first.printed)
  const person = new Person(new URL(address).origin)
  const page = await person.visit(address)
  const consent = await person.submit(page, { action: '/login' }, { email: EMAIL, password: PASSWORD })
  expect(wordsOn(consent)).toContain('asks to use MCP servers')
  const { left } = await person.submit(consent, { answer: 'allow' })
  expect((await fetch(String(left))).status).toBe(200)
  await first.connected
  expect(await first.client.list()).toEqual(['local__echo', 'local__hang'])
  expect(await first.client.call('local__echo', { message: 'ü' })).toEqual([{ type: 'text', text: 'ü' }])

  const gone = new AbortController()
  const hanging = first.client.call('local__hang', { message: 'enough' }, gone.signal).catch(() => 'aborted')
  await at.called('enough')
  gone.abort()
  expect(await hanging).toBe('aborted')
  await at.cancelled('enough')

  // The next start uses the stored tokens.
  const second = start(`${origin}/mcp`, folder)
  await second.connected
  expect(await second.client.list()).toEqual(['local__echo', 'local__hang'])
  expect(second.printed()).not.toContain('authorize this client')
})
