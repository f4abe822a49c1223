import {
  BridgeError,
  type CatalogServer,
  type CatalogTool,
  type JsonText,
  type RawJson,
} from '@bridgekeeper/protocol'
import manifest from '../../package.json' with { type: 'json' }
import type { Directory } from '../directory/directory.ts'
import { takesExchanges } from '../directory/exchange-server.ts'
import { mayList } from '../gates/call-authority.ts'
import type { Caller } from '../ports.ts'
import { shownTool } from './aggregate/list-items.ts'
import { explained } from './call-failure.ts'
import { listJson } from './list-cache.ts'
import { needsStatus, STATUS_TOOL, statusResult, statusTool } from './status-tool.ts'
import { type ExposedNames, type ToolAddress, toolsOf } from './tool-names.ts'

/** Identity of the MCP server behind a path. */
export interface ServerIdentity {
  readonly serverInfo: JsonText
  readonly instructions?: string | undefined
  /** Set if the server answers itself when it is awake. */
  readonly capabilities?: JsonText | undefined
}

/** A user's local servers as one MCP path shows them. */
export interface ToolView {
  /** The local server that answers itself, by exchanges; `undefined` if the bridge answers for it. */
  readonly exchangeServer: string | undefined
  /** Whether it shows all servers. */
  readonly isAggregate: boolean
  /** Whether clients may have MCP sessions. */
  readonly hasSessions: boolean
  serverIdentity(): ServerIdentity
  /** Local servers that belong to an MCP session of this path. */
  sessionServers(): readonly string[]
  /** One of these servers for each machine, for what concerns the whole session. */
  machineServers(): readonly string[]
  /** A tool whose server answers itself; `undefined` for any other. */
  exchangeTool(toolName: string): ToolAddress | undefined
  /** The tools of some servers, and the bridge's own, with the bytes of their servers. */
  listed(isWanted: (serverName: string) => boolean): readonly RawJson[]
  /** Returns all of them, cached with the catalog. @throws BridgeError if the path's servers cannot be listed */
  listJson(): RawJson
  /** Whether an answer to this method would be incomplete, because a server is still starting. */
  isStarting(method: string): boolean
  /** Resolves the name to a tool, or to the error. */
  address(toolName: string): ToolAddress | BridgeError
  /** Answers a call of a tool of the bridge itself. @returns `undefined` for any other tool */
  ownResult(toolName: string): RawJson | undefined
  /** Why the local server of this path cannot be reached now; `undefined` if it can. */
  absence(): BridgeError | undefined
  /** Whether a local server of this path may come: its machine is away, or it starts. */
  mayCome(): boolean
  /** Adds what is known of a local server that cannot be reached. */
  explain(error: BridgeError, serverName: string): BridgeError
}

/** Methods whose answers describe one server. */
const INTRODUCTIONS: readonly string[] = [
  'initialize',
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
]

const bridgeIdentity: ServerIdentity = {
  serverInfo: JSON.stringify({ name: 'bridgekeeper', version: manifest.version }),
}

const NO_TOOLS: RawJson = Buffer.from('[]')

/** `/mcp`: all servers as one, names prefixed. */
export class AllServersView implements ToolView {
  readonly exchangeServer = undefined
  readonly isAggregate = true
  readonly hasSessions = true
  readonly #directory: Directory
  readonly #names: ExposedNames
  readonly #caller: Caller

  constructor(directory: Directory, names: ExposedNames, caller: Caller) {
    this.#directory = directory
    this.#names = names
    this.#caller = caller
  }

  serverIdentity(): ServerIdentity {
    return bridgeIdentity
  }

  listed(isWanted: (serverName: string) => boolean): readonly RawJson[] {
    const { userId, scopes } = this.#caller
    const catalog = this.#directory.catalog(userId)
    const facts = { names: this.#names, catalog, scopes, hasTasks: false }
    const tools = [...this.#names.tools(catalog).values()]
      .filter(({ serverName }) => isWanted(serverName))
      .flatMap(({ serverName, toolName: key, tool }) => {
        const raw = Buffer.from(tool.definition)
        return shownTool({ serverName, key, raw }, facts) ?? []
      })
    return needsStatus(this.#directory, userId) ? [...tools, statusTool] : tools
  }

  listJson(): RawJson {
    throwIf(this.#directory.obstacle(this.#caller.userId))
    const { userId, scopes } = this.#caller
    const variant = needsStatus(this.#directory, userId) ? STATUS_TOOL : ''
    return listJson(this.#directory.catalog(userId), scopes, () => this.listed(() => true), variant)
  }

  isStarting(method: string): boolean {
    return method.endsWith('/list') && this.#directory.isStarting(this.#caller.userId)
  }

  address(toolName: string): ToolAddress | BridgeError {
    return this.#names.toolAt(toolName, this.#directory.catalog(this.#caller.userId))
  }

  sessionServers(): readonly string[] {
    return this.#directory.exchangeServers(this.#caller.userId).map(({ name }) => name)
  }

  machineServers(): readonly string[] {
    const all = this.#directory.servers(this.#caller.userId).filter(({ server }) => takesExchanges(server))
    const firsts = new Map(all.map(({ machine, server }) => [machine, server.name]))
    return [...firsts.values()]
  }

  exchangeTool(toolName: string): ToolAddress | undefined {
    const address = toolName === STATUS_TOOL ? undefined : this.address(toolName)
    if (address === undefined || address instanceof BridgeError) return undefined
    return this.sessionServers().includes(address.serverName) ? address : undefined
  }

  ownResult(toolName: string): RawJson | undefined {
    return toolName === STATUS_TOOL ? statusResult(this.#directory, this.#caller) : undefined
  }

  absence(): undefined {
    return undefined
  }

  mayCome(): boolean {
    const { userId } = this.#caller
    return (
      this.#directory.awake(userId).length === 0 ||
      this.#directory.asleep(userId).length > 0 ||
      this.#directory.isStarting(userId)
    )
  }

  explain(error: BridgeError, serverName: string): BridgeError {
    return explained(this.#directory, this.#caller.userId, error, serverName)
  }
}

/** `/mcp/{server}`: one server, unchanged. */
export class OneServerView implements ToolView {
  readonly isAggregate = false
  readonly #directory: Directory
  readonly #caller: Caller
  readonly #serverName: string

  constructor(directory: Directory, caller: Caller, serverName: string) {
    this.#directory = directory
    this.#caller = caller
    this.#serverName = serverName
  }

  get exchangeServer(): string | undefined {
    if (this.#directory.awake(this.#caller.userId).length === 0) return undefined
    const server = this.#server
    return takesExchanges(server) ? server.name : undefined
  }

  get hasSessions(): boolean {
    return this.exchangeServer !== undefined
  }

  serverIdentity(): ServerIdentity {
    const server = this.#server
    const isVisible = this.#caller.scopes === undefined || this.#visible().length > 0
    return server?.state === 'ready' && isVisible ? server : bridgeIdentity
  }

  listed(): readonly RawJson[] {
    return this.#visible().map(({ definition }) => Buffer.from(definition))
  }

  listJson(): RawJson {
    throwIf(this.#directory.obstacle(this.#caller.userId, this.#serverName))
    const server = this.#server
    return server === undefined ? NO_TOOLS : listJson(server, this.#caller.scopes, () => this.listed())
  }

  isStarting(method: string): boolean {
    return INTRODUCTIONS.includes(method) && this.#directory.isStarting(this.#caller.userId, this.#serverName)
  }

  address(toolName: string): ToolAddress {
    return { serverName: this.#serverName, toolName }
  }

  sessionServers(): readonly string[] {
    const server = this.exchangeServer
    return server === undefined ? [] : [server]
  }

  machineServers(): readonly string[] {
    return this.sessionServers()
  }

  exchangeTool(toolName: string): ToolAddress | undefined {
    return this.exchangeServer === undefined ? undefined : { serverName: this.exchangeServer, toolName }
  }

  ownResult(): undefined {
    return undefined
  }

  absence(): BridgeError | undefined {
    const { userId } = this.#caller
    if (this.#directory.awake(userId).length === 0) return this.explain(new BridgeError('agent_offline'))
    return this.#directory.obstacle(userId, this.#serverName)
  }

  mayCome(): boolean {
    const { userId } = this.#caller
    return (
      this.#directory.awake(userId).length === 0 ||
      this.#directory.sleepingMachine(userId, this.#serverName) !== undefined ||
      this.#directory.isStarting(userId, this.#serverName)
    )
  }

  explain(error: BridgeError): BridgeError {
    return explained(this.#directory, this.#caller.userId, error, this.#serverName)
  }

  #visible(): readonly CatalogTool[] {
    return toolsOf(this.#server).filter(({ name }) => mayList(this.#caller.scopes, this.#serverName, name))
  }

  get #server(): CatalogServer | undefined {
    return this.#directory.catalog(this.#caller.userId).get(this.#serverName)
  }
}

function throwIf(error: BridgeError | undefined): void {
  if (error !== undefined) throw error
}
