/**
 * What a token allows, as the strings of its claim `scope` (RFC 9068 section 2.2.3, RFC 6749 section 3.3):
 * `agent:connect`, `tools:list`, `tools:call:<server>/<tool>`. In the last, `*` stands for any whole
 * server or any whole tool; in names, space, control and non-ASCII characters, `"`, `\`, `/`, `%` and `*`
 * are percent-encoded.
 */
export type Scope =
  | { readonly kind: 'agent_connect' }
  | { readonly kind: 'tools_list' }
  /** A name that is left out is any name. */
  | { readonly kind: 'tools_call'; readonly serverName?: string; readonly toolName?: string }

export type Scopes = readonly Scope[]

const CONNECT = 'agent:connect'
const LIST = 'tools:list'
const CALL = /^tools:call:([^/*]+|\*)\/([^/*]+|\*)$/
/** RFC 6749 section 3.3: printable ASCII but space, quote and backslash. */
const SCOPE_TEXT = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** The strings of a `scope` claim. */
export function splitScopes(claim: string): readonly string[] {
  return claim.split(' ').filter((text) => text !== '')
}

/** One scope; `undefined` for what is none of ours. */
export function parseScope(text: string): Scope | undefined {
  if (text === CONNECT) return { kind: 'agent_connect' }
  if (text === LIST) return { kind: 'tools_list' }
  const [, server, tool] = (SCOPE_TEXT.test(text) && CALL.exec(text)) || []
  if (server === undefined || tool === undefined) return undefined
  const serverName = server === '*' ? '*' : decoded(server)
  const toolName = tool === '*' ? '*' : decoded(tool)
  if (serverName === undefined || toolName === undefined) return undefined
  return {
    kind: 'tools_call',
    ...(server !== '*' && { serverName }),
    ...(tool !== '*' && { toolName }),
  }
}

/** All that is ours among these; what is not, such as a provider's `openid`, allows nothing here. */
export function parseScopes(texts: readonly string[]): Scopes {
  return texts.map(parseScope).filter((scope) => scope !== undefined)
}

/** The string of a scope; `parseScope` reads it back. */
export function formatScope(scope: Scope): string {
  switch (scope.kind) {
    case 'agent_connect':
      return CONNECT
    case 'tools_list':
      return LIST
    case 'tools_call':
      return `tools:call:${encoded(scope.serverName)}/${encoded(scope.toolName)}`
  }
}

/** @param scopes `undefined` for a token without a limit */
export function allowsConnect(scopes: Scopes | undefined): boolean {
  return scopes === undefined || scopes.some(({ kind }) => kind === 'agent_connect')
}

/** @param scopes `undefined` for a token without a limit */
export function allowsList(scopes: Scopes | undefined): boolean {
  return scopes === undefined || scopes.some(({ kind }) => kind === 'tools_list')
}

/** @param scopes `undefined` for a token without a limit */
export function allowsCall(scopes: Scopes | undefined, serverName: string, toolName: string): boolean {
  return (
    scopes === undefined ||
    scopes.some(
      (scope) =>
        scope.kind === 'tools_call' &&
        (scope.serverName === undefined || scope.serverName === serverName) &&
        (scope.toolName === undefined || scope.toolName === toolName),
    )
  )
}

/** `encodeURIComponent` leaves `*` as it is, which here would mean any name. */
function encoded(name: string | undefined): string {
  return name === undefined ? '*' : encodeURIComponent(name).replaceAll('*', '%2A')
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
