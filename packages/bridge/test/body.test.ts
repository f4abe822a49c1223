import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { limits } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { readBody } from '../src/northbound/body.ts'

/** How many bytes `readBody` gave of a request until its end, each time that it gave any. */
async function readOf(bytes: string): Promise<(number | undefined)[]> {
  const given: (number | undefined)[] = []
  const server = createServer((request, response) => {
    readBody(request, (body) => given.push(body?.length))
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

test.each<[string, string, number | undefined]>([
  ['with a length', post('content-length: 3', 'abc'), 3],
  ['with none of one', post('content-length: 0', ''), 0],
  ['with no length and no chunks', post('x: y', ''), 0],
  ['in chunks', chunked('ab', 'c'), 3],
  ['in as many chunks as are read', chunked(HALF, HALF), limits.messageBytes],
  ['in chunks of more', chunked(HALF, HALF, 'x', HALF), undefined],
  [
    'that says that it is more',
    post(`content-length: ${limits.messageBytes + 1}`, `${HALF}${HALF}x`),
    undefined,
  ],
])('[SIZE.5] delivers a body once: %s', async (_what, request, bytes) => {
  expect(await readOf(request)).toEqual([bytes])
})
