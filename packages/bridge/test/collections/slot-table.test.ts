import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { SlotTable } from '../../src/collections/slot-table.ts'

function setUp() {
  const table = new SlotTable<{ readonly id: string; readonly name: string }>(new FakeSystem())
  const add = (name: string) => {
    const id = table.nextId()
    table.add({ id, name })
    return id
  }
  return { table, add, names: () => table.items().map(({ name }) => name) }
}

test('[CALL.1] finds each item under its own id only', () => {
  const { table, add, names } = setUp()
  const ids = ['a', 'b', 'c'].map(add)
  expect(ids.map((id) => id.slice(20))).toEqual(['00', '01', '02'])
  expect(ids.map((id) => table.get(id)?.name)).toEqual(['a', 'b', 'c'])
  for (const id of ['', 'A'.repeat(20), `${'A'.repeat(20)}00`, `${ids[0]?.slice(0, 20)}01`, `${ids[0]}0`]) {
    expect([table.get(id), table.take(id)]).toEqual([undefined, undefined])
  }
  expect([table.size, names()]).toEqual([3, ['a', 'b', 'c']])
})

test('[CALL.1] takes an item once, and gives its slot to the next one under another id', () => {
  const { table, add, names } = setUp()
  const [first, second] = [add('a'), add('b')]
  expect([table.take(first)?.name, table.take(first), table.size]).toEqual(['a', undefined, 1])
  const third = add('c')
  expect([third.slice(20), third === first, table.get(first)]).toEqual(['00', false, undefined])
  expect([table.take(third)?.name, table.take(second)?.name, table.size, names()]).toEqual(['c', 'b', 0, []])
})

test('[CALL.1] an id that was not used costs nothing', () => {
  const { table, add } = setUp()
  table.nextId()
  expect([add('a').slice(20), table.size]).toEqual(['00', 1])
})
