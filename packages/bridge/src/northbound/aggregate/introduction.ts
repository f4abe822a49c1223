import { cleanText, type JsonText } from '@bridgekeeper/protocol'
import { capabilityOf, type ExchangeServer } from '../../directory/exchange-server.ts'
import { exchangeAuthorityGate, mayKnow, type Scopes } from '../../gates/call-authority.ts'

/** Instructions of one server, and of all. Models read them with every conversation. */
const MAX_SERVER_CHARS = 4_096
const MAX_CHARS = 16_384
const CUT = '…'

const OWN_INSTRUCTIONS =
  'This server stands for the local MCP servers of the user\'s machines. A tool or prompt is named after its server: "server__name". If tools are missing or fail, call bridgekeeper__status.'

/** [AGG.7] Instructions of all servers, each under the server's name. */
export function instructionsOf(servers: readonly ExchangeServer[], scopes: Scopes): string {
  const parts = servers
    .filter(({ name, instructions }) => instructions !== undefined && mayKnow(scopes, name))
    .map(
      ({ name, instructions = '' }) => `# ${oneLine(name)}\n\n${shortened(instructions, MAX_SERVER_CHARS)}`,
    )
  return shortened([OWN_INSTRUCTIONS, ...parts].join('\n\n'), MAX_CHARS)
}

/**
 * [AGG.7] Capabilities of `/mcp`: all that the bridge can merge, since servers come and go, as far as the token
 * reaches. A client asks only for what it saw when it began.
 */
export function capabilitiesOf(scopes: Scopes, servers: readonly ExchangeServer[]): JsonText {
  const may = (method: string): boolean =>
    exchangeAuthorityGate(scopes, { serverName: '', method, name: undefined }).allowed
  const tasks = servers.map((server) => capabilityOf(server, 'tasks')).find((each) => each !== undefined)
  const own = JSON.stringify({
    tools: { listChanged: true },
    ...(may('prompts/list') && { prompts: { listChanged: true } }),
    ...(may('resources/list') && { resources: { listChanged: true, subscribe: true } }),
    ...(may('completion/complete') && { completions: {} }),
    logging: {},
  })
  return tasks === undefined ? own : `${own.slice(0, -1)},"tasks":${tasks}}`
}

/** A name cannot begin the part of another server. */
function oneLine(name: string): string {
  return cleanText(name).replaceAll(/\s+/g, ' ')
}

function shortened(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : text.slice(0, maxChars - CUT.length).toWellFormed() + CUT
}
