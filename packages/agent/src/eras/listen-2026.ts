import { isObject, parseJson, type RawJson, toJson, valueAt } from '@bridgekeeper/protocol'
import type { Exchange } from '../exchanges/exchange.ts'
import type { InstanceGroup } from '../exchanges/instance-group.ts'
import { SUBSCRIPTION_ID } from '../exchanges/instance-use.ts'
import { readMessage } from '../exchanges/message-bytes.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { Instance } from '../servers/instance.ts'
import type { Client2026 } from './client-2026.ts'
import { InnerClient } from './inner-client.ts'
import { withMembers } from './members.ts'
import { hasCapability, rpcError } from './results.ts'
import type { TranslationDeps } from './translation-deps.ts'

/** Lists whose changes a client can listen for, by the member of its request. */
export const LISTS = {
  toolsListChanged: 'tools',
  promptsListChanged: 'prompts',
  resourcesListChanged: 'resources',
}
export const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
export const UPDATED = 'notifications/resources/updated'
const INVALID = rpcError(
  -32_602,
  'Invalid params: "notifications" must be an object, and its "resourceSubscriptions" a list of URIs.',
)

/** Notifications that a client listens for. */
interface Filter {
  /** Members that are `true`. */
  readonly lists: readonly (keyof typeof LISTS)[]
  readonly uris: readonly string[]
}

/**
 * [ERA.6] Answers `subscriptions/listen` for a 2025 server, until the client leaves or the server ends. Its
 * notifications without an exchange become those of the subscription.
 */
export async function listen(
  outer: Exchange,
  client: Client2026,
  group: InstanceGroup,
  { system }: TranslationDeps,
): Promise<Outcome> {
  const wanted = readFilter(outer.facts.params)
  if (wanted === undefined) return INVALID
  const instance = await group.shared(outer.facts.client)
  if ('fault' in instance) return instance
  const lists = wanted.lists.filter((name) =>
    hasCapability(instance.introduction, LISTS[name], 'listChanged'),
  )
  const inner = new InnerClient({
    ...{ client: outer.facts.client, serverName: outer.facts.serverName, traits: client.traits },
    nowMs: system.nowMs(),
    onMessage: (message) => pass(outer, message, lists),
  })
  const leave = enter(group, inner, instance)
  const resourceSubscriptions = await subscribe(group, inner, wanted.uris)
  outer.accepted()
  const accepted = Object.fromEntries(lists.map((name) => [name, true]))
  outer.message(
    acknowledgement(outer, { ...accepted, ...(wanted.uris.length > 0 && { resourceSubscriptions }) }),
  )
  const isCancelled = await Promise.race([aborted(outer.signal), instance.ended])
  leave()
  return { kind: isCancelled === true ? 'cancelled' : 'ended' }
}

function enter(group: InstanceGroup, { session }: InnerClient, instance: Instance): () => void {
  const release = instance.hold()
  group.join(session)
  return () => {
    group.leave(session)
    release()
  }
}

/** @returns the URIs that the server accepted */
async function subscribe(
  group: InstanceGroup,
  { session }: InnerClient,
  uris: readonly string[],
): Promise<readonly string[]> {
  const outcomes = await Promise.all(
    uris.map((uri) => group.subscriptions.subscribe(session, toJson({ uri }))),
  )
  return uris.filter((_uri, at) => {
    const outcome = outcomes[at]
    return outcome !== undefined && 'kind' in outcome && outcome.kind === 'result'
  })
}

function pass(outer: Exchange, raw: RawJson, lists: Filter['lists']): void {
  const message = readMessage(raw)
  if (message?.method === undefined || message.id !== undefined) return
  const { method, params } = message
  const isWanted =
    method === UPDATED || lists.some((name) => method === `notifications/${LISTS[name]}/list_changed`)
  if (isWanted) outer.message(withMembers(raw, { params: withSubscription(outer, params) }))
}

function acknowledgement(outer: Exchange, notifications: object): RawJson {
  return withMembers(undefined, {
    jsonrpc: toJson('2.0'),
    method: toJson(ACKNOWLEDGED),
    params: withSubscription(outer, toJson({ notifications })),
  })
}

/** A subscription is named by the id of the request that opened it. */
function withSubscription({ facts }: Exchange, params: RawJson | undefined): RawJson {
  const meta = withMembers(valueAt(params, ['_meta']), { [SUBSCRIPTION_ID]: facts.callerId })
  return withMembers(params, { _meta: meta })
}

function readFilter(params: RawJson | undefined): Filter | undefined {
  const wanted = parseJson(valueAt(params, ['notifications'])?.toString('utf8') ?? '')?.value
  if (!isObject(wanted)) return undefined
  const { resourceSubscriptions: uris = [] } = wanted
  const areUris = Array.isArray(uris) && uris.every((uri): uri is string => typeof uri === 'string')
  if (!areUris) return undefined
  const lists = (Object.keys(LISTS) as (keyof typeof LISTS)[]).filter((name) => wanted[name] === true)
  return { lists, uris: [...new Set(uris)] }
}

function aborted(signal: AbortSignal): Promise<true> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(true)
    signal.addEventListener('abort', () => resolve(true), { once: true })
  })
}
