import type { Era } from '@bridgekeeper/protocol'
import type { ConfigError } from './config-error.ts'
import type { Document } from './document.ts'
import type { EntryStartLimit } from './start-limit.ts'
import type { FillContext } from './variables.ts'

/** An entry of the user's config file. */
export type ServerEntry = StdioEntry | HttpEntry | UnusableEntry

export interface StdioEntry {
  readonly kind: 'stdio'
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Values of `env` and of filled variables, redacted from all output. */
  readonly secrets: readonly string[]
  readonly startLimit?: EntryStartLimit
  /** Further variables that the server inherits from the agent; `XDG_*` matches all with that prefix. */
  readonly inheritEnv?: readonly string[]
  /** The only era of MCP to speak with it. */
  readonly era?: Era
  /** URIs of folders that the server is given as roots of its client. */
  readonly roots?: readonly string[]
  /** Whether the server is given the roots of its clients. */
  readonly clientRoots?: boolean
}

/**
 * A server that is reached over HTTP. This version does not run it.
 * @public
 */
export interface HttpEntry {
  readonly kind: 'http'
  readonly name: string
}

/** An invalid entry. It does not affect the others. */
export interface UnusableEntry {
  readonly kind: 'unusable'
  readonly name: string
  readonly error: ConfigError
}

export interface EntryContext extends FillContext {
  readonly document: Document
  /** The file's own `inheritEnv`, which applies to every entry. */
  readonly inheritEnv: readonly string[]
}
