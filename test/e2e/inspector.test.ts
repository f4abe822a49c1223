import { expect, test } from 'vitest'
import { INSPECTOR_CLI } from '../interop/clients/inspector.ts'
import { startPlace } from '../interop/place.ts'

test('[MCP.17] the Inspector CLI lists the tools of all servers, and an interrupted call goes on in its session', async () => {
  const place = await startPlace()
  const target = place.target('/mcp')
  const inspector = await INSPECTOR_CLI.connect(target)
  expect(await inspector.tools()).toEqual(expect.arrayContaining(['v1__test_hang', 'v2__test_hang']))

  const gone = new AbortController()
  const hanging = inspector.call('v1__test_hang', { message: 'interrupted' }, gone.signal)
  const outcome = hanging.catch(() => 'interrupted')
  await place.called('interrupted')
  gone.abort()
  expect(await outcome).toBe('interrupted')
  const answer = await inspector.call('v1__test_simple_text', {})
  expect(JSON.stringify(answer)).toContain('simple text response')
  expect(place.hasCancelled('interrupted')).toBe(false)
})
