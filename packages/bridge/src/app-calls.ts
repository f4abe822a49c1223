import { BridgeError, isObject, type RawJson, type ToolDefinition, toJson } from '@bridgekeeper/protocol'
import { resultOrThrow, type ToolResult } from './calls/result.ts'
import type { Directory } from './directory/directory.ts'
import type { ExposedNames } from './northbound/tool-names.ts'
import type { Dispatcher } from './router/dispatcher.ts'

export interface CallOptions {
  /** Aborting cancels the call, on the agent too. The call rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A tool as an app sees it. */
export interface ListedTool {
  readonly server: string
  /** The tool's name on `/mcp`. */
  readonly exposedName: string
  /** The definition, parsed: its numbers are JavaScript numbers. */
  readonly definition: ToolDefinition
  /** The definition as its local server wrote it, as JSON text. */
  readonly definitionText: string
}

/** Session of the app's own calls for a user. */
const APP_SESSION = 'app'

/** Calls a tool for the app. @throws BridgeError, ToolError like `Bridge.callTool` */
export async function callTool(
  dispatcher: Dispatcher,
  userId: string,
  address: { readonly serverName: string; readonly toolName: string },
  args: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): Promise<ToolResult> {
  signal?.throwIfAborted()
  const call = { ...address, rawArgs: argumentBytes(args) }
  const outcome = await dispatcher.run({ userId, sessionId: APP_SESSION }, call, signal)
  if (outcome.kind === 'failed') signal?.throwIfAborted()
  return resultOrThrow(outcome)
}

/** The user's tools, as far as connected agents tell. */
export function listTools(directory: Directory, names: ExposedNames, userId: string): readonly ListedTool[] {
  return [...names.tools(directory.awakeCatalog(userId)).values()].map(({ name, serverName, tool }) => ({
    server: serverName,
    exposedName: name,
    definition: JSON.parse(tool.definition),
    definitionText: tool.definition,
  }))
}

function argumentBytes(args: Readonly<Record<string, unknown>>): RawJson {
  try {
    if (isObject(args)) return toJson(args)
  } catch {
    // Values that JSON cannot hold, such as a BigInt or a cycle, get the same error as other bad arguments.
  }
  throw new BridgeError('arguments_invalid')
}
