import { type CodeEntry, entry, INVALID_REQUEST } from './entry.ts'

/** Errors of requests that cannot be read. */
export const requestCodes = {
  content_type_unsupported: entry(
    415,
    INVALID_REQUEST,
    'The body must be JSON in UTF-8.',
    'Send "Content-Type: application/json".',
  ),
  content_encoding_unsupported: entry(
    415,
    INVALID_REQUEST,
    'Compressed request bodies are not supported.',
    'Send the body without Content-Encoding.',
  ),
  not_acceptable: entry(
    406,
    INVALID_REQUEST,
    'The Accept header excludes JSON and event streams.',
    'Send "Accept: application/json, text/event-stream".',
  ),
  session_required: entry(
    400,
    INVALID_REQUEST,
    'This request needs an MCP session.',
    'Send initialize first, then its Mcp-Session-Id with each request.',
  ),
  request_invalid: entry(
    400,
    INVALID_REQUEST,
    'The message is not a valid JSON-RPC request.',
    'Send an object with "jsonrpc": "2.0", an id and a method.',
  ),
  params_invalid: entry(
    400,
    -32602,
    'The parameters of the request are not valid.',
    'Send the named member as MCP defines it.',
  ),
  session_unknown: entry(
    404,
    INVALID_REQUEST,
    'This MCP session has ended, or belongs to another client.',
    'Begin a new one with initialize.',
  ),
  stream_unknown: entry(
    400,
    INVALID_REQUEST,
    'The stream of this Last-Event-ID is not kept any more.',
    'Send the request without Last-Event-ID.',
  ),
  era_unsupported: entry(
    400,
    -32_022,
    'The local server does not speak this revision of MCP.',
    'Use a client of another revision.',
  ),
} as const satisfies Record<string, CodeEntry>
