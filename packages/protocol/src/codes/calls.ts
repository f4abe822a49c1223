import { type CodeEntry, entry } from './entry.ts'

/** Errors of messages and calls. */
export const callCodes = {
  // Messages of an agent's connection
  challenge_required: entry(403, -32052, 'The challenge must be answered first.', 'Send challenge_response.'),
  challenge_failed: entry(
    403,
    -32052,
    'The answer to the challenge is wrong.',
    'Check userId and sessionId.',
  ),
  challenge_locked: entry(
    429,
    -32052,
    'The challenge was answered wrongly too often.',
    'Wait, then connect again with the right userId and sessionId.',
  ),
  challenge_timeout: entry(408, -32052, 'The challenge was not answered in time.', 'Connect again.'),
  message_too_large: entry(413, -32053, 'The message is too large.', 'Send at most 1 MiB a message.'),
  message_not_text: entry(
    400,
    -32053,
    'The binary message is not a chunk of a payload.',
    'Send JSON as text.',
  ),
  message_invalid: entry(400, -32053, 'The message is not valid.', 'See PROTOCOL.md for its shape.'),
  message_type_unknown: entry(
    400,
    -32053,
    'The message type is not known.',
    'See PROTOCOL.md for the types.',
  ),
  connection_replaced: entry(
    409,
    -32054,
    'Another agent connected with the same login.',
    'Run one agent for each login; issue a second token for a second machine.',
  ),

  // Calls
  rate_limit_exceeded: entry(
    429,
    -32068,
    'Too many calls in too short a time.',
    'Wait as long as Retry-After says.',
  ),
  log_unavailable: entry(
    503,
    -32070,
    'The security log cannot be written, so every call is refused.',
    "Notify the operator; the bridge's output has the reason.",
  ),
  agent_slow: entry(
    503,
    -32073,
    'The agent reads its messages too slowly.',
    'Try again in a few seconds; check the load of the machine.',
  ),
  agent_offline: entry(
    503,
    -32055,
    'No agent of yours is connected.',
    'Start it on the machine with the MCP servers: bridgekeeper connect URL',
  ),
  server_not_found: entry(
    404,
    -32056,
    'No connected agent has this local server.',
    "Check the name, or add the server to the agent's mcpServers file.",
  ),
  server_unavailable: entry(
    503,
    -32057,
    'The local server is not running.',
    "See the agent's output on that machine for the reason.",
  ),
  tool_name_invalid: entry(
    404,
    -32602,
    'The tool name does not begin with the name of a local server.',
    'Use server__tool as listed by tools/list.',
  ),
  arguments_too_large: entry(
    413,
    -32058,
    'The arguments are too large.',
    'Send at most 64 MiB, or 1 MiB to an agent of the first version.',
  ),
  arguments_invalid: entry(
    400,
    -32602,
    'The arguments are not a JSON object.',
    'Send an object, or nothing.',
  ),
  result_too_large: entry(
    502,
    -32059,
    'The result is too large. The tool has run.',
    'Request less at a time.',
  ),
  result_invalid: entry(
    502,
    -32060,
    "The local server's answer is not a valid result. The tool may have run.",
    'Report it to the author of that server.',
  ),
  server_exited: entry(
    502,
    -32061,
    'The local server exited before it answered. The tool may have run.',
    'It restarts automatically; check what the tool did before calling again.',
  ),
  call_timeout: entry(
    504,
    -32062,
    'The tool did not answer in time. It may still be running.',
    'Check what it did before calling again.',
  ),
  call_cancelled: entry(499, -32063, 'The caller cancelled the call.', 'The tool may have run in part.'),
  call_id_conflict: entry(
    409,
    -32064,
    'A call with this id is already running.',
    'Use a new id for each call.',
  ),
  too_many_calls: entry(
    503,
    -32065,
    'Too many calls are waiting for this agent.',
    'Let some finish, then call again.',
  ),
  outcome_unknown: entry(
    502,
    -32066,
    "The agent's connection ended while the call ran; whether it finished is not known.",
    'Check what the tool did before calling again.',
  ),
  tool_failed: entry(
    502,
    -32067,
    'The agent could not run the tool.',
    "See the message and the agent's output.",
  ),
  internal_error: entry(500, -32603, 'Something went wrong inside the bridge.', "See the bridge's output."),
} as const satisfies Record<string, CodeEntry>
