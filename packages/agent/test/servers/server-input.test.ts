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

/** Answers until that is refused, or clearly too often. */
function answerAll({ input }: ReturnType<typeof unread>, answer: Buffer): void {
  for (let count = 0; count < 100 && input.answer(answer); count++);
}

test('[STDIO.8] queues 1 MiB of small answers to a server that does not read, and no more', () => {
  const server = unread()
  answerAll(server, Buffer.alloc(65_536))
  expect(server.queuedBytes()).toBe(MAX_ANSWER_BYTES)
})

test('[INST.9] queues large answers of callers like requests', () => {
  const server = unread()
  const answer = Buffer.alloc(16 * 1_048_576)
  answerAll(server, answer)
  expect(server.queuedBytes()).toBe(MAX_REQUEST_BYTES + answer.length)
  expect(server.input.hasRoom).toBe(false)
})
