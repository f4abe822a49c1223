import type { PublishedServer } from './published.ts'

/** A JSON-RPC message of a server. */
export interface Answer {
  readonly id?: unknown
  readonly method?: string
  // biome-ignore lint/suspicious/noExplicitAny: results of servers have any shape
  readonly result?: any
  readonly error?: unknown
}

/** A connection to a server, direct or through the bridge. */
export interface Peer {
  request(method: string, params?: object): Promise<Answer>
  notify(method: string): Promise<void>
  close(): Promise<void>
}

/** Answers of a server: JSON of the result or the error by the name of the request. */
export type Survey = ReadonlyMap<string, string>

const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'interop', version: '1.0.0' },
}
const LISTS = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
} as const
const MAX_PAGES = 20
const MAX_REFUSED_CALLS = 5
const REQUEST_LIMIT_MS = 20_000

/** Requests that every server refuses. */
const REFUSED: readonly (readonly [string, object])[] = [
  ['tools/call', { name: 'no_such_tool', arguments: {} }],
  ['prompts/get', { name: 'no_such_prompt' }],
  ['resources/read', { uri: 'nothing://here' }],
  [
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'no_such_prompt' }, argument: { name: 'x', value: '' } },
  ],
  ['no/such/method', {}],
]

/** Asks a server for everything: its introduction, its lists, some calls, and what it refuses. */
export async function survey(server: PublishedServer, peer: Peer): Promise<Survey> {
  const answers = new Map<string, string>()
  const ask: Ask = async (method, params) => {
    const answer = await answerOf(peer.request(method, params))
    const { result, error } = answer
    answers.set(`${method} ${JSON.stringify(params)}`, JSON.stringify({ result, error }))
    return answer
  }
  await ask('initialize', INITIALIZE)
  await peer.notify('notifications/initialized')
  const lists = await askLists(ask)
  for (const [tool, args] of server.calls ?? []) await ask('tools/call', { name: tool, arguments: args })
  for (const name of refusing(lists.tools ?? [])) await ask('tools/call', { name, arguments: {} })
  const [prompt] = lists.prompts ?? []
  if (prompt !== undefined) await ask('prompts/get', { name: prompt.name })
  const [resource] = lists.resources ?? []
  if (resource !== undefined) await ask('resources/read', { uri: resource.uri })
  for (const [method, params] of REFUSED) await ask(method, params)
  return answers
}

type Ask = (method: string, params: object) => Promise<Answer>
// biome-ignore lint/suspicious/noExplicitAny: items of servers have any shape
type Lists = Readonly<Record<string, readonly any[]>>

async function askLists(ask: Ask): Promise<Lists> {
  const lists: Record<string, Lists[string]> = {}
  for (const [method, member] of Object.entries(LISTS)) {
    let cursor: string | undefined
    const items = []
    for (let page = 0; page < MAX_PAGES; page++) {
      const { result } = await ask(method, cursor === undefined ? {} : { cursor })
      items.push(...(result?.[member] ?? []))
      cursor = result?.nextCursor
      if (cursor === undefined) break
    }
    lists[member] = items
  }
  return lists
}

/** Tools that need arguments, and so refuse to be called without: calling them does nothing. */
function refusing(tools: Lists[string]): readonly string[] {
  const needing = tools.filter(({ inputSchema }) => (inputSchema?.required ?? []).length > 0)
  return needing.slice(0, MAX_REFUSED_CALLS).map(({ name }) => name)
}

/** The answer, or an error of ours in its place. */
async function answerOf(asking: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve({ error: 'no answer in time' }), REQUEST_LIMIT_MS)
  })
  try {
    return await Promise.race([asking, limit])
  } catch (error) {
    return { error: String(error) }
  } finally {
    clearTimeout(timer)
  }
}
