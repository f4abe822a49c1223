import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js'
import { ResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { atEnd } from '../support/at-end.ts'
import { bearer } from '../support/mcp.ts'

// biome-ignore lint/suspicious/noExplicitAny: a message under test has any shape
type Json = any

interface CallOptions {
  readonly signal?: AbortSignal
  readonly timeout?: number
  readonly onprogress?: (progress: Json) => void
  readonly resetTimeoutOnProgress?: boolean
}

/** An app with an official client of the 2025 era. */
export interface App {
  call(name: string, args: object, options?: CallOptions): Promise<Json>
  request(method: string, params?: object): Promise<Json>
  ping(): Promise<unknown>
  setLevel(level: string): Promise<unknown>
  subscribe(uri: string): Promise<unknown>
  /** Notifications that it got. */
  readonly notified: Json[]
  readonly sessionId: string | undefined
  /** Answers what the server asks. */
  answer: (request: Json) => object
  terminate(): Promise<void>
}

const INFO = { name: 'end-to-end', version: '1.0.0' }
const CAPABILITIES = { capabilities: { sampling: {}, elicitation: { form: {}, url: {} } } }
/** The official clients give up after two attempts, which a restart on a busy machine outlasts. */
const reconnectionOptions = {
  maxRetries: 60,
  initialReconnectionDelay: 100,
  maxReconnectionDelay: 1_000,
  reconnectionDelayGrowFactor: 1.5,
}

/** The official clients that have sessions. */
export const apps: readonly (readonly [string, (url: string, token: string) => Promise<App>])[] = [
  ['client 2.4.0', startV2],
  ['client 1.32.2', startV1],
]

async function startV2(url: string, token: string): Promise<App> {
  const client = new Client(INFO, CAPABILITIES)
  const transport = new StreamableHTTPClientTransport(new URL(url), optionsOf(token))
  const call: App['call'] = (name, args, options) =>
    client.callTool({ name, arguments: { ...args } }, options)
  return connected(client, transport, call)
}

async function startV1(url: string, token: string): Promise<App> {
  const client = new ClientV1(INFO, CAPABILITIES)
  const transport = new HttpV1(new URL(url), optionsOf(token))
  const call: App['call'] = (name, args, options) =>
    client.callTool({ name, arguments: { ...args } }, undefined, options)
  return connected(client, transport, call)
}

async function connected(
  client: Client | ClientV1,
  transport: StreamableHTTPClientTransport | HttpV1,
  call: App['call'],
): Promise<App> {
  // The two generations differ in types only, as far as these members go.
  const any = client as Json
  const app: App = {
    call,
    request: (method, params = {}) => any.request({ method, params }, ResultSchema),
    ping: () => client.ping(),
    setLevel: (level) => any.setLoggingLevel(level),
    subscribe: (uri) => client.subscribeResource({ uri }),
    notified: [],
    get sessionId() {
      return transport.sessionId
    },
    answer: () => ({ action: 'cancel' }),
    terminate: () => transport.terminateSession(),
  }
  any.fallbackNotificationHandler = async (notification: Json) => void app.notified.push(notification)
  any.fallbackRequestHandler = async (request: Json) => app.answer(request)
  atEnd(() => client.close())
  await client.connect(transport as TransportV1 & StreamableHTTPClientTransport)
  return app
}

function optionsOf(token: string) {
  return { requestInit: { headers: bearer(token) }, reconnectionOptions }
}
