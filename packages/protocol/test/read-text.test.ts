import { Readable } from 'node:stream'
import { readText } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'

const bytes = Buffer.from('a café')

test('[PAGE.9] [ENROL.4] reads a body of many chunks as one text, wherever a character is cut', async () => {
  const chunks = [...bytes].map((byte) => Buffer.from([byte]))
  expect(await readText(Readable.from(chunks), bytes.length)).toBe('a café')
  expect(await readText(Readable.from([]), 0)).toBe('')
})

test('[PAGE.9] [ENROL.4] stops reading a body one byte over the limit', async () => {
  const stream = Readable.from([bytes, Buffer.from('never read')])
  expect(await readText(stream, bytes.length - 1)).toBeUndefined()
  expect(stream.destroyed).toBe(true)
})
