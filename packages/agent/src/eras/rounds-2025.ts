import { objectMembers, type RawJson, textAt, toJson, valueAt } from '@bridgekeeper/protocol'
import type { Asks } from '../exchanges/asks.ts'
import type { Exchange } from '../exchanges/exchange.ts'
import type { InstanceGroup, Lent } from '../exchanges/instance-group.ts'
import { declaredTraits } from '../exchanges/instance-groups.ts'
import { DEFAULT_LEVEL } from '../exchanges/log-levels.ts'
import { readMessage } from '../exchanges/message-bytes.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { ExchangeServer } from '../exchanges/server-port.ts'
import { CLIENT_INFO, ENVELOPE_KEYS, ENVELOPE_VERSION } from '../servers/envelope.ts'
import { capabilitiesOf } from '../servers/handshake.ts'
import { pause, type System } from '../system.ts'
import { askClient, type InputRequest } from './ask-2025.ts'
import { withMembers } from './members.ts'
import { hasCapability, needsInput, resultFor2025, rpcError } from './results.ts'

/** Rounds of one request. */
export const MAX_ROUNDS = 32
/** Time between rounds in which the server asks nothing. */
const EMPTY_ROUND_MS = 1_000
const TOO_MANY_ROUNDS = rpcError(-32_603, `The server needed more than ${MAX_ROUNDS} rounds.`)
const INVALID_ROUND = rpcError(-32_603, 'The server needs an input that cannot be read.')

export interface RoundsDeps {
  readonly system: System
  readonly asks: Asks
  readonly server: ExchangeServer
  readonly group: InstanceGroup
}

/** Questions that a server needs answered. */
interface Needed {
  readonly requests: readonly InputRequest[]
  readonly requestState: RawJson | undefined
}

/** Members of parameters that answer a round. */
type Retry = Readonly<Record<'inputResponses' | 'requestState', RawJson | undefined>>

/** Runs a request of a 2025 client on a 2026 server: asks the client what the server needs, and sends it again. */
export async function runInRounds(
  exchange: Exchange,
  introduction: RawJson,
  deps: RoundsDeps,
): Promise<Outcome> {
  const lent = await deps.group.lend(exchange)
  if ('fault' in lent) return lent
  try {
    return await rounds(exchange, introduction, lent, deps)
  } finally {
    lent.release()
  }
}

async function rounds(
  exchange: Exchange,
  introduction: RawJson,
  lent: Lent,
  deps: RoundsDeps,
): Promise<Outcome> {
  const meta = envelopeFor(exchange, introduction, deps.server)
  let retry: Retry = { inputResponses: undefined, requestState: undefined }
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const params = withMembers(exchange.facts.params, { ...retry, task: undefined, _meta: meta })
    const outcome = await lent.use.send(exchange, params)
    if (outcome.kind !== 'result') return outcome
    if (!needsInput(outcome.result)) return { kind: 'result', result: resultFor2025(outcome.result) }
    const needed = readNeeded(outcome.result)
    if (needed === undefined) return INVALID_ROUND
    const responses = await answersTo(needed, exchange, deps)
    if (!Buffer.isBuffer(responses)) return responses
    retry = { inputResponses: responses, requestState: needed.requestState }
  }
  return TOO_MANY_ROUNDS
}

/** @returns the members of `inputResponses`, or why there are none */
async function answersTo(
  { requests }: Needed,
  exchange: Exchange,
  { asks, server, system }: RoundsDeps,
): Promise<RawJson | Outcome> {
  if (requests.length === 0) await pause(system, EMPTY_ROUND_MS, exchange.signal)
  const answers = await Promise.all(
    requests.map((request) => askClient(request, exchange, { asks, roots: server.roots })),
  )
  const failed = answers.find((answer) => !Buffer.isBuffer(answer))
  if (failed !== undefined) return failed
  return withMembers(
    undefined,
    Object.fromEntries(requests.map(({ key }, at) => [key, answers[at] as RawJson])),
  )
}

/** `_meta` of a request on behalf of a client. Its own members stay. */
function envelopeFor({ facts }: Exchange, introduction: RawJson, { roots }: ExchangeServer): RawJson {
  const { params, session } = facts
  const traits = declaredTraits(roots, session?.facts.traits ?? []).filter((trait) => trait !== 'tasks')
  const logs = session !== undefined && hasCapability(introduction, 'logging')
  return withMembers(valueAt(params, ['_meta']), {
    [ENVELOPE_KEYS.version]: toJson(ENVELOPE_VERSION),
    [ENVELOPE_KEYS.client]: toJson(CLIENT_INFO),
    [ENVELOPE_KEYS.capabilities]: toJson(capabilitiesOf(traits)),
    [ENVELOPE_KEYS.logLevel]: logs ? toJson(session.level ?? DEFAULT_LEVEL) : undefined,
  })
}

function readNeeded(result: RawJson): Needed | undefined {
  const requests = valueAt(result, ['inputRequests'])
  const requestState = textAt(result, ['requestState'])
  const members = requests === undefined ? new Map() : objectMembers(requests)
  if (members === undefined) return undefined
  const read = [...members].map(([key, [start, end]]) => readRequest(key, requests?.subarray(start, end)))
  const valid = read.filter((request) => request !== undefined)
  if (valid.length < read.length) return undefined
  return { requests: valid, requestState: requestState === undefined ? undefined : toJson(requestState) }
}

function readRequest(key: string, raw: RawJson | undefined): InputRequest | undefined {
  const { method, params } = (raw && readMessage(raw)) ?? {}
  return method === undefined ? undefined : { key, method, params }
}
