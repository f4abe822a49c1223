import { isObject } from '@bridgekeeper/protocol'
import { Client, ProtocolError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import manifest from '../package.json' with { type: 'json' }
import { bridgeUrl, token } from './settings.ts'

export interface CallerOptions {
  readonly url?: string
  readonly token?: string
}

/** What the bridge answered, with the code and the next step that it gave. */
class CallerError extends Error {
  override readonly name = 'CallerError'
  readonly code: string
  readonly next: string | undefined

  constructor(code: string, message: string, next?: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.next = next
  }
}

/**
 * Connects to the bridge's MCP endpoint, runs, and closes.
 *
 * @param serverName one local server, or all of them when it is left out
 * @throws CallerError with the bridge's code
 */
export async function asCaller<T>(
  options: CallerOptions,
  serverName: string | undefined,
  run: (client: Client) => Promise<T>,
): Promise<T> {
  const path = serverName === undefined ? '/mcp' : `/mcp/${encodeURIComponent(serverName)}`
  const transport = new StreamableHTTPClientTransport(new URL(path, bridgeUrl(options.url)), {
    requestInit: { headers: { authorization: `Bearer ${token(options.token)}` } },
    fetch: fetchOrExplain,
  })
  const client = new Client({ name: 'bridgekeeper-cli', version: manifest.version })
  try {
    await client.connect(transport)
    return await run(client)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw explained({ message: error.message, data: error.data }, error) ?? error
  } finally {
    await client.close()
  }
}

/** The SDK's client keeps the status of a refusal and drops its body, which says what to do. */
async function fetchOrExplain(input: string | URL, init?: RequestInit): Promise<Response> {
  const response = await reach(input, init)
  if (response.ok) return response
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined)
  const refusal = isObject(body) ? explained(body.error) : undefined
  if (refusal !== undefined) throw refusal
  return response
}

async function reach(input: string | URL, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init)
  } catch (error) {
    if (init?.signal?.aborted) throw error
    const { origin } = new URL(input)
    const next = 'Start one with bridgekeeper serve, or say where it is: --url or BRIDGEKEEPER_URL.'
    throw new CallerError('bridge_unreachable', `No bridge answers at ${origin}.`, next, { cause: error })
  }
}

/** A JSON-RPC error of ours carries its code and the next step in `data`. */
function explained(error: unknown, cause?: Error): CallerError | undefined {
  if (!isObject(error) || !isObject(error.data) || typeof error.data.code !== 'string') return undefined
  const next = typeof error.data.next === 'string' ? error.data.next : undefined
  return new CallerError(
    error.data.code,
    String(error.message),
    next,
    cause === undefined ? undefined : { cause },
  )
}
