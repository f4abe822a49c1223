import { expect, test } from 'vitest'
import { startMcpRemote } from '../interop/clients/stdio-proxies.ts'
import { startPlace } from '../interop/place.ts'
import { scratch } from '../support/scratch.ts'

test('[MCP.16] mcp-remote logs in at http://localhost, lists tools, calls one, passes on a cancellation, and restarts without a login', async () => {
  const place = await startPlace()
  const { url, logIn } = place.target('/mcp/v2')
  const address = url.replace('127.0.0.1', 'localhost')
  const folder = scratch()
  const first = startMcpRemote(address, folder)
  await logIn(await first.loginAddress())
  const client = await first.connected
  expect(await client.tools()).toContain('test_simple_text')
  expect(JSON.stringify(await client.call('test_simple_text', {}))).toContain('simple text response')

  const gone = new AbortController()
  const hanging = client.call('test_hang', { message: 'enough' }, gone.signal).catch(() => 'aborted')
  await place.called('enough')
  gone.abort()
  expect(await hanging).toBe('aborted')
  await place.cancelledAtMs('enough')

  // The next start uses the stored tokens.
  const second = startMcpRemote(address, folder)
  expect(await (await second.connected).tools()).toContain('test_simple_text')
  expect(second.printed()).not.toContain('authorize this client')
})
