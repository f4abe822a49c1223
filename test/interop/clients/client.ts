/** The parts of MCP that a table of clients shows, each done by one client on one address. */
export interface InteropClient {
  /** Names of the tools. */
  tools(): Promise<readonly string[]>
  /** @returns the answer in any form that holds its texts */
  call(tool: string, args: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<unknown>
  /** Whether it ends without `notifications/cancelled` when its user interrupts it. */
  readonly leavesSilently?: true
  /** Whether progress can restart the time-out of a call. */
  readonly restartsTimeout?: true
  /**
   * Calls a tool that reports progress.
   * @param timeoutMs time-out that each progress notification restarts, if the client can do that
   * @param onProgress called for each notification
   */
  callWithProgress?(tool: string, timeoutMs: number, onProgress: () => void): Promise<unknown>
  /** Names of the prompts. */
  prompts?(): Promise<readonly string[]>
  prompt?(name: string): Promise<unknown>
  /** URIs of the resources. */
  resources?(): Promise<readonly string[]>
  read?(uri: string): Promise<unknown>
}

/** The bridge, as a client finds it. */
export interface Target {
  readonly url: string
  readonly token: string
  /** Logs the user in and consents, at the address that a client shows its user. */
  readonly logIn: (address: string) => Promise<void>
}

/** A client, or a way to use it. */
export interface ClientKind {
  /** Name and version, as the table shows them. */
  readonly name: string
  readonly connect: (target: Target) => Promise<InteropClient>
}
