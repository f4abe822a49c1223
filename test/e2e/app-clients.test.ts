import { beforeAll, describe, expect, test } from 'vitest'
import { appClients } from './app-clients.ts'
import { type Cancellable, startCancellable } from './cancellable.ts'

let at: Cancellable

beforeAll(async () => {
  at = await startCancellable()
})

describe.each(Object.entries(appClients))('%s', (kind, connect) => {
  test.each([
    ['/mcp', 'local__', ['bridgekeeper__status']],
    ['/mcp/local', '', []],
  ])(
    '[MCP.15] lists the tools at %s, calls one, and passes an abort to the local server',
    async (path, prefix, own) => {
      const client = await connect(at.bridge.url + path, at.token)
      expect(await client.list()).toEqual([`${prefix}echo`, `${prefix}hang`, ...own])
      const message = `${kind} at ${path}, ü 🌉`
      expect(await client.call(`${prefix}echo`, { message })).toEqual([{ type: 'text', text: message }])

      const gone = new AbortController()
      const hanging = client.call(`${prefix}hang`, { message }, gone.signal)
      const outcome = hanging.then(
        () => 'answered',
        () => 'aborted',
      )
      await at.called(message)
      gone.abort()
      expect(await outcome).toBe('aborted')
      await at.cancelled(message)
      expect(await client.call(`${prefix}echo`, { message: 'again' })).toEqual([
        { type: 'text', text: 'again' },
      ])
    },
  )
})
