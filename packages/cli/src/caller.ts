import { codes, isErrorCode, isObject } from '@bridgekeeper/protocol'
import type { SettingSource } from '@bridgekeeper/standalone/settings'
import {
  type CallToolResult,
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import manifest from '../package.json' with { type: 'json' }
import { CALLER, demandToken } from './settings/caller-table.ts'

/**
 * The SDK's limit for a tool call. The bridge's own limit has a better error; this one is for a bridge that
 * disappeared silently.
 */
const CALL_MS = 24 * 3_600_000

/** Why there is no answer, with a code and the next step. */
class CallerError extends Error {
  override readonly name = 'CallerError'
  readonly code: string
  readonly next: string

  constructor(code: string, message: string, next: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.next = next
  }
}

/**
 * Connects to the bridge's MCP endpoint, runs, and closes.
 *
 * @param serverName one local server, or all of them if it is left out
 * @throws CallerError with the bridge's code, or with a local one if the bridge cannot be reached
 */
export async function asCaller<T>(
  source: SettingSource,
  serverName: string | undefined,
  run: (client: Client) => Promise<T>,
): Promise<T> {
  const path = serverName === undefined ? '/mcp' : `/mcp/${encodeURIComponent(serverName)}`
  const transport = new StreamableHTTPClientTransport(new URL(CALLER.url.read(source) + path), {
    requestInit: { headers: { authorization: `Bearer ${demandToken(source)}` } },
    fetch: fetchOrExplain,
  })
  const client = new Client({ name: 'bridgekeeper-cli', version: manifest.version })
  try {
    await client.connect(transport)
    return await run(client)
  } catch (error) {
    throw error instanceof Error ? toCallerError(error) : error
  } finally {
    await client.close()
  }
}

/** Calls one tool of a local server. */
export function callTool(
  source: SettingSource,
  serverName: string,
  name: string,
  args: Record<string, unknown>,
): Promise<CallToolResult> {
  return asCaller(source, serverName, async (client) => {
    const result = await client.callTool({ name, arguments: args }, { timeout: CALL_MS })
    const failure = bridgeFailure(result)
    if (failure !== undefined) throw failure
    return result
  })
}

/** The bridge describes some failures in a result, for models, and names the code in `_meta`. */
function bridgeFailure({ isError, _meta, content }: CallToolResult): CallerError | undefined {
  const code = _meta?.['bridgekeeper/code']
  if (isError !== true || typeof code !== 'string' || !isErrorCode(code)) return undefined
  const [first] = content
  const { message, next } = codes[code]
  const text = first?.type === 'text' ? first.text : message
  return new CallerError(code, text.endsWith(next) ? text.slice(0, -next.length).trimEnd() : text, next)
}

/** Reads the body of a refusal, which the SDK's client drops; it has the next step. */
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
    if (isTimeout(error)) throw timedOut(error)
    const { origin } = new URL(input)
    const next = 'Start one with bridgekeeper serve, or give its address: --url or BRIDGEKEEPER_URL.'
    throw new CallerError('bridge_unreachable', `No bridge answers at ${origin}.`, next, { cause: error })
  }
}

/** Node's own limit for the first bytes of an answer, which `fetch` does not let us set. */
function isTimeout(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return isObject(cause) && cause.code === 'UND_ERR_HEADERS_TIMEOUT'
}

/** Converts the SDK's errors to ours; leaves any other unchanged. */
function toCallerError(error: Error): Error {
  if (error instanceof ProtocolError) {
    const { next } = codes.tool_failed
    return explained(error, error) ?? new CallerError('tool_failed', error.message, next, { cause: error })
  }
  if (!(error instanceof SdkError)) return error
  if (error.code === SdkErrorCode.RequestTimeout) return timedOut(error)
  return new CallerError(
    'answer_invalid',
    `The answer is not valid MCP: ${error.message}`,
    'Check that a bridge runs at this URL, and check its output.',
    { cause: error },
  )
}

function timedOut(cause: unknown): CallerError {
  return new CallerError(
    'caller_timeout',
    'No answer came in time. A tool that was called may still be running.',
    "Check what it did before calling again, and see the bridge's output.",
    { cause },
  )
}

/**
 * A JSON-RPC error of the bridge carries its code in `data`. A local server's own error comes the same
 * way: only our codes count, and what to do next is in our own words.
 */
function explained(error: unknown, cause?: Error): CallerError | undefined {
  if (!isObject(error) || !isObject(error.data)) return undefined
  const { code } = error.data
  if (typeof code !== 'string' || !isErrorCode(code)) return undefined
  return new CallerError(code, String(error.message), codes[code].next, { cause })
}
