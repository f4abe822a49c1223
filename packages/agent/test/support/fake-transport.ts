import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { HeldBytes } from '../../src/held-bytes.ts'
import type { ServerMessage } from '../../src/servers/instance.ts'
import type { Reaper } from '../../src/servers/reaper.ts'
import { StdioTransport } from '../../src/servers/stdio-transport.ts'
import { FakeChild } from './fake-child.ts'
import { FakeSystem } from './fake-system.ts'

/** The transport of a hand-driven process, which answers nothing itself. */
export function fakeTransport() {
  const system = new FakeSystem()
  const child = Object.assign(new FakeChild(), { speaks: false })
  const messages: ServerMessage[] = []
  const ignored: (readonly [reason: string, text: string])[] = []
  const reaper = { add: () => {}, removeGroup: () => {}, removeMark: () => {} }
  const held = new HeldBytes()
  const transport = new StdioTransport(
    { command: 'fake', args: [], env: {} },
    {
      ...{ system, held, reaper: reaper as unknown as Reaper },
      processes: {
        spawn: () => child as unknown as ChildProcessWithoutNullStreams,
        signalGroup: () => true,
      },
      stopTimes: { stdinMs: 1_000, termMs: 2_000 },
      onStderr: () => {},
      onMessage: (message) => messages.push(message),
      hideCut: (text) => text.replaceAll('secret', '[hidden]'),
      onIgnored: (...args) => ignored.push(args),
    },
  )
  transport.start()
  const call = (signal = new AbortController().signal) =>
    transport.call('tools/call', Buffer.from('{}'), signal)
  return { system, child, messages, ignored, transport, held, call }
}
