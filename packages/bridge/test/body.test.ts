import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { limits } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { type Denied, deny } from '../src/gates/verdict.ts'
import { readBody } from '../src/northbound/body.ts'

/** How many bytes `readBody` gave of a request until its end, each time that it gave any. */
async function readOf(
  bytes: string,
  maxBytes: number = limits.messageBytes,
  reserve: (bytes: number) => Denied | undefined = () => undefined,
): Promise<(number | string)[]> {
  const given: (number | string)[] = []
  const server = createServer((request, response) => {
    readBody(request, maxBytes, reserve, (body) =>
      given.push(Buffer.isBuffer(body) ? body.length : body.code),
    )
    request.resume().on('end', () => response.end())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.write(bytes)
  await once(client, 'data')
  client.destroy()
  return given
}

function post(header: string, body: string): string {
  return `POST / HTTP/1.1\r\nhost: a\r\n${header}\r\n\r\n${body}`
}

function chunked(...pieces: readonly string[]): string {
  const chunks = [...pieces, ''].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`)
  return post('transfer-encoding: chunked', chunks.join(''))
}

const HALF = 'x'.repeat(limits.messageBytes / 2)

test.each<[string, string, number | string]>([
  ['with a length', post('content-length: 3', 'abc'), 3],
  ['with none of one', post('content-length: 0', ''), 0],
  ['with no length and no chunks', post('x: y', ''), 0],
  ['in chunks', chunked('ab', 'c'), 3],
  ['in as many chunks as are read', chunked(HALF, HALF), limits.messageBytes],
  ['in chunks of more', chunked(HALF, HALF, 'x', HALF), 'body_too_large'],
  [
    'that says that it is more',
    post(`content-length: ${limits.messageBytes + 1}`, `${HALF}${HALF}x`),
    'body_too_large',
  ],
])('[SIZE.5] delivers a body once: %s', async (_what, request, bytes) => {
  expect(await readOf(request)).toEqual([bytes])
})

const MIB = limits.messageBytes
const bodyOf = (sizeBytes: number) => 'x'.repeat(sizeBytes)
const announced = (sizeBytes: number) => post(`content-length: ${sizeBytes}`, bodyOf(sizeBytes))

test.each([
  ['with a length', announced(3 * MIB + 1), [3 * MIB + 1]],
  ['in chunks', chunked(bodyOf(3 * MIB), 'x'), [MIB, MIB, MIB]],
  ['of one message, in chunks', chunked(HALF, HALF), []],
  ['of one message, with a length', announced(MIB), []],
])(
  '[BIG.11] takes memory for a body over one message before it is kept: %s',
  async (_what, request, taken) => {
    const reserved: number[] = []
    const [bytes] = await readOf(request, 4 * MIB, (sizeBytes) => {
      reserved.push(sizeBytes)
      return undefined
    })
    expect(reserved).toEqual(taken)
    expect(bytes).toBe(taken.length === 0 ? MIB : 3 * MIB + 1)
  },
)

test.each([
  ['with a length', announced(3 * MIB)],
  ['in chunks', chunked(bodyOf(3 * MIB))],
])('[BIG.11] refuses a body for which there is no memory: %s', async (_what, request) => {
  expect(await readOf(request, 4 * MIB, () => deny('too_many_requests'))).toEqual(['too_many_requests'])
  expect(await readOf(request, 2 * MIB)).toEqual(['body_too_large'])
})
