import { expect, test } from 'vitest'
import { MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, ServerInput } from '../../src/servers/server-input.ts'

/** A standard input that nobody reads. */
function unread() {
  let queuedBytes = 0
  const input = new ServerInput({
    write: (bytes) => {
      queuedBytes += bytes.length
    },
    queuedBytes: () => queuedBytes,
  })
  return { input, queuedBytes: () => queuedBytes }
}

test('[STDIO.8] queues 1 MiB of small answers to a server that does not read, and no more', () => {
  const { input, queuedBytes } = unread()
  const answer = Buffer.alloc(65_536)
  while (input.answer(answer)) {}
  expect(queuedBytes()).toBe(MAX_ANSWER_BYTES)
})

test('[INST.9] queues large answers of callers like requests', () => {
  const { input, queuedBytes } = unread()
  const answer = Buffer.alloc(16 * 1_048_576)
  while (input.answer(answer)) {}
  expect(queuedBytes()).toBe(MAX_REQUEST_BYTES + answer.length)
  expect(input.hasRoom).toBe(false)
})
