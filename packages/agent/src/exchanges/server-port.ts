import type { Json } from '@bridgekeeper/protocol'
import type { Instances } from '../servers/instance.ts'

/** A local server, as exchanges see it. */
export interface ExchangeServer {
  readonly name: string
  readonly instances: Instances
  readonly roots: RootsPolicy
  /** Schema of a tool's arguments, if the tool is known. */
  inputSchema(toolName: string): Json | undefined
  /** Replaces values of the server's environment and of the config file in a text that is shown. */
  hideSecrets(text: string): string
}

/** Which folders a server may learn of (MCP roots). */
export type RootsPolicy =
  /** It gets an empty list. */
  | { readonly kind: 'none' }
  /** URIs of the config file. */
  | { readonly kind: 'fixed'; readonly uris: readonly string[] }
  /** Those of the client that it works for. */
  | { readonly kind: 'client' }

export interface ExchangeServers {
  /** @returns text for a person if the server cannot run, `undefined` for an unknown name */
  find(name: string): ExchangeServer | string | undefined
}
