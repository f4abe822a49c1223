import { expect, test } from 'vitest'
import { Inbox, MAX_KEPT } from '../../src/servers/inbox.ts'

const MIB = 1_048_576

function setUp(maxKept = MAX_KEPT) {
  const refused: string[] = []
  const inbox = new Inbox(maxKept, (id) => refused.push(String(id)))
  const take = (raw: string | Buffer, id?: string) =>
    inbox.take({
      ...{ method: 'm', params: undefined, raw: Buffer.from(raw) },
      id: id === undefined ? undefined : Buffer.from(id),
    })
  /** Bytes of each message that a new reader gets. */
  const read = () => {
    const sizes: number[] = []
    inbox.readBy(({ raw }) => sizes.push(raw.length))
    return sizes
  }
  return { refused, take, read }
}

test('[INST.4] keeps 1 MiB of messages, and refuses a request beyond it', () => {
  const { refused, take, read } = setUp()
  take(Buffer.alloc(MIB - 1))
  take('x', '1')
  take('x', '2')
  take('x')
  expect([refused, read()]).toEqual([['2'], [MIB - 1, 1]])
})

test('[INST.4] hands the kept messages to the first reader, and later ones to the last', () => {
  const { take, read } = setUp(1)
  take('ab')
  take('lost')
  const first = read()
  take('abc')
  expect(first).toEqual([2, 3])
  const last = read()
  take(Buffer.alloc(2 * MIB))
  expect([first, last]).toEqual([[2, 3], [2 * MIB]])
})
