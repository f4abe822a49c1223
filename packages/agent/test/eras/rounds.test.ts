import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { KEPT_MS, MAX_OUTCOME_BYTES, MAX_PARKED_RUNS, PARKED_MS } from '../../src/eras/rounds.ts'
import { type Bridge, request, runFixture } from '../support/exchanges.ts'
import { HeldTimers } from '../support/held-timers.ts'
import { fixturePath } from '../support/local.ts'
import { answersTo, ask2026, call2026, form, type Round, roundOf, textOf } from '../support/rounds.ts'
import { until } from '../support/until.ts'

const TOOL = 'test_elicitation'
const ARGS = { message: 'Who are you?' }
const ANN = form({ username: 'ann', email: 'a@example.com' })
const INVALID = { status: 200, json: { error: { code: -32_602 } } }

/** A call that waits for its client. */
async function parked(bridge: Bridge, args: object = ARGS): Promise<Round> {
  return roundOf(await ask2026(bridge, call2026(TOOL, args)))
}

function answered(bridge: Bridge, more: object, args: object = ARGS, client = 'ann') {
  return ask2026(bridge, call2026(TOOL, args, more), { client })
}

test('[ERA.8] the same answers again get the same outcome, and nothing runs twice', async () => {
  // Its answer counts the calls.
  const bridge = await runFixture('v1', { args: [fixturePath('impatient'), '30000'] })
  const round = roundOf(await ask2026(bridge, call2026('ask')))
  const answer = (answered: Round) => ask2026(bridge, call2026('ask', {}, answersTo(answered, form({}))))

  const ends = await Promise.all([answer(round), answer(round)])
  const later = await answer(round)
  for (const end of [...ends, later]) expect(textOf(end)).toBe('call 1')

  const next = await answer(roundOf(await ask2026(bridge, call2026('ask'))))
  expect(textOf(next)).toBe('call 2')
})

test('[ERA.8] the same answers in another spelling get the same outcome', async () => {
  const bridge = await runFixture('v1')
  const round = await parked(bridge)

  const { content, action } = ANN as { content: object; action: string }
  for (const spelled of [
    ANN,
    { content, action },
    { content: Object.fromEntries(Object.entries(content).reverse()), action },
  ])
    expect(textOf(await answered(bridge, answersTo(round, spelled)))).toContain('"username":"ann"')
})

test('[ERA.8] a client that calls again gets the outcome, though its first call is then cancelled', async () => {
  const bridge = await runFixture('v1')
  const one = roundOf(await ask2026(bridge, call2026('test_input_required_result_multi_round')))
  const answers = answersTo(one, form({ name: 'Ann' }))

  const message = call2026('test_input_required_result_multi_round', {}, answers)
  const [first, second] = [1, 2].map(() => bridge.open({ era: '2026', message })) as [string, string]
  // Faster than the server can ask again.
  while (!bridge.frames.some((frame) => frame.type === 'accepted' && frame.id === first)) await setImmediate()
  bridge.send('cancel', first)

  expect(roundOf(await bridge.end(second)).keys).toHaveLength(1)
})

test('[ERA.8] a state that was used with other answers is refused', async () => {
  const bridge = await runFixture('v1')
  const round = await parked(bridge)

  await answered(bridge, answersTo(round, ANN))
  const end = await answered(bridge, answersTo(round, form({ username: 'eve', email: 'e@example.com' })))

  expect(end).toMatchObject(INVALID)
})

test.each([
  ['another client', ARGS, 'eve', TOOL],
  ['other arguments', { message: 'Other?' }, 'ann', TOOL],
  ['another tool', ARGS, 'ann', 'test_sampling'],
] as const)(
  '[ERA.9] refuses the state of %s, and the client can still answer',
  async (_, args, client, tool) => {
    const bridge = await runFixture('v1')
    const round = await parked(bridge)

    const stolen = await ask2026(bridge, call2026(tool, args, answersTo(round, ANN)), { client })
    expect(stolen).toMatchObject(INVALID)

    expect(textOf(await answered(bridge, answersTo(round, ANN)))).toContain('ann')
  },
)

test('[ERA.9] accepts the same parameters in another spelling, and null as no answers', async () => {
  const bridge = await runFixture('v1')
  const args = { message: 'm', more: [1, { a: null, b: 2 }] }
  const round = await parked(bridge, args)
  const asked = await answered(bridge, { requestState: round.requestState, inputResponses: null }, args)
  const again = roundOf(asked)

  const { params } = call2026(TOOL, args, answersTo(again, ANN)) as { params: Record<string, unknown> }
  const { name, _meta, requestState, inputResponses } = params
  const members = JSON.stringify({ _meta, inputResponses, requestState, x: null, y: {} }).slice(1, -1)
  const spelled = `{ "more" : [1.0,{"b":2, "a":null}], "m\\u0065ssage": "\\u006d" }`
  const message = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{${members},"arguments":${spelled},"name":"${name}"}}`
  expect(textOf(await ask2026(bridge, Buffer.from(message)))).toContain('ann')
})

test('[ERA.9] refuses a state for another method', async () => {
  const bridge = await runFixture('v1')
  const round = await parked(bridge)
  const { params } = call2026(TOOL, ARGS, answersTo(round, ANN)) as { params: object }

  expect(await ask2026(bridge, request('prompts/get', params))).toMatchObject(INVALID)
})

test('[ERA.9] refuses a state that was changed, cut, lengthened or made up', async () => {
  const bridge = await runFixture('v1')
  const { requestState, keys } = await parked(bridge)
  const flipped = [...requestState]
    .map((char, at) => (at === 20 ? (char === 'A' ? 'B' : 'A') : char))
    .join('')

  const states = [
    flipped,
    requestState.slice(0, -1),
    `${requestState}A`,
    `${requestState}=`,
    'x',
    '',
    7,
    null,
  ]
  for (const state of states) {
    const more = { requestState: state, inputResponses: { [keys[0] ?? '']: ANN } }
    expect(await answered(bridge, more), String(state)).toMatchObject(INVALID)
  }
})

test('[ERA.9] refuses answers that are not objects, and the client can still answer', async () => {
  const bridge = await runFixture('v1')
  const round = await parked(bridge)
  const { requestState } = round

  for (const inputResponses of [12, [], { [round.keys[0] ?? '']: 'yes' }])
    expect(await answered(bridge, { requestState, inputResponses })).toMatchObject(INVALID)

  expect(textOf(await answered(bridge, answersTo(round, ANN)))).toContain('ann')
})

test('[ERA.10] a call that waited too long is cancelled, and its outcome is unknown', async () => {
  const timers = new HeldTimers()
  const bridge = await runFixture('v1', {}, timers)
  const round = await parked(bridge)

  expect(timers.fire(PARKED_MS)).toBe(1)
  const end = await answered(bridge, answersTo(round, ANN))

  expect(end).toMatchObject({ code: 'outcome_unknown' })
})

test('[ERA.10] an outcome is kept for a minute; then it is unknown, and nothing runs again', async () => {
  const timers = new HeldTimers()
  const bridge = await runFixture('v1', {}, timers)
  const answers = answersTo(await parked(bridge), ANN)
  await answered(bridge, answers)

  expect(timers.fire(KEPT_MS)).toBe(1)

  expect(await answered(bridge, answers)).toMatchObject({ code: 'outcome_unknown' })
})

test('[ERA.10] an outcome that makes room for a later one leaves no timer', async () => {
  const timers = new HeldTimers()
  const bridge = await runFixture('v1', {}, timers)
  const large = form({ username: 'a'.repeat(MAX_OUTCOME_BYTES / 2), email: 'a@example.com' })
  const first = answersTo(await parked(bridge), large)
  await answered(bridge, first)
  await answered(bridge, answersTo(await parked(bridge), large))

  expect(timers.fire(KEPT_MS)).toBe(1)
  expect(await answered(bridge, first)).toMatchObject({ code: 'outcome_unknown' })
})

test('[ERA.10] too many waiting calls end the one that waits for longest', async () => {
  const bridge = await runFixture('v1', { args: [fixturePath('impatient'), '30000'] })
  const rounds: Round[] = []
  for (let at = 0; at <= MAX_PARKED_RUNS; at++)
    rounds.push(roundOf(await ask2026(bridge, call2026('ask', { at }))))
  const end = (at: number) =>
    ask2026(bridge, call2026('ask', { at }, answersTo(rounds[at] as Round, form({}))))

  expect(await end(0)).toMatchObject({ code: 'outcome_unknown' })
  expect(textOf(await end(1))).toContain('call')
  expect(textOf(await end(MAX_PARKED_RUNS))).toContain('call')
})

test('[ERA.10] the waiting calls of one client end none of another', async () => {
  const bridge = await runFixture('v1', { args: [fixturePath('impatient'), '30000'] })
  const own = roundOf(await ask2026(bridge, call2026('ask', { at: 'ann' })))
  for (let at = 0; at < MAX_PARKED_RUNS; at++)
    roundOf(await ask2026(bridge, call2026('ask', { at }), { client: 'eve' }))

  const end = await ask2026(bridge, call2026('ask', { at: 'ann' }, answersTo(own, form({}))))
  expect(textOf(end)).toContain('call')
})

test('[ERA.10] a client that leaves cancels its call', async () => {
  const bridge = await runFixture('v1')
  const one = roundOf(await ask2026(bridge, call2026('test_input_required_result_multi_round')))
  const answers = answersTo(one, form({ name: 'Ann' }))

  const message = call2026('test_input_required_result_multi_round', {}, answers)
  const id = bridge.open({ era: '2026', message })
  // Faster than the server can ask again.
  while (!bridge.frames.some((frame) => frame.type === 'accepted' && frame.id === id)) await setImmediate()
  bridge.send('cancel', id)
  expect(await bridge.end(id)).toMatchObject({ code: 'call_cancelled' })

  expect(await ask2026(bridge, message)).toMatchObject({ code: 'outcome_unknown' })
})

test('[ERA.10] keeps the result of a server that ends while its client is asked', async () => {
  const bridge = await runFixture('v1', { args: [fixturePath('impatient'), '100'] })
  const round = roundOf(await ask2026(bridge, call2026('ask')))
  await until(() => bridge.serverEvents.some((event) => event.type === 'server-stderr'))

  const end = await ask2026(bridge, call2026('ask', {}, answersTo(round, form({}))))

  expect(textOf(end)).toBe('call 1')
})
