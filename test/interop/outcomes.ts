export const FEATURES = ['list', 'call', 'prompts', 'resources', 'progress', 'abort'] as const
/** Outcome of one feature. */
export interface Outcome {
  /** `partly`: as far as the client has a function for it. `absent`: the client has none. */
  readonly mark: 'works' | 'partly' | 'absent' | 'fails'
  /** For the reader of the output. */
  readonly detail: string
}

export type Outcomes = Readonly<Record<(typeof FEATURES)[number], Outcome>>

/** How the names and URIs of a local server appear at an endpoint. */
export interface Naming {
  name(original: string): string
  uri(original: string): string
}

const AS_THEY_ARE: Naming = { name: (name) => name, uri: (uri) => uri }
const AGGREGATE: Naming = { name: (name) => `v2__${name}`, uri: (uri) => `bridgekeeper://v2/${uri}` }

/** MCP endpoints that each client uses: local servers of the 2025 era, of both and of the 2026 era, and all of them. */
export const ENDPOINTS: Readonly<Record<string, Naming>> = {
  '/mcp/v1': AS_THEY_ARE,
  '/mcp/v2': AS_THEY_ARE,
  '/mcp/v2-modern': AS_THEY_ARE,
  '/mcp': AGGREGATE,
}
