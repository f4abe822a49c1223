import { join } from 'node:path'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { vi } from 'vitest'
import { repository } from '../../support/program.ts'
import { scratch } from '../../support/scratch.ts'
import type { ClientKind, InteropClient, Target } from './client.ts'
import { connectV2 } from './official.ts'

const MCP_REMOTE = join(repository, 'node_modules/mcp-remote/dist/proxy.js')
const ADDRESS_WAIT = { timeout: 20_000, interval: 20 }

/** mcp-remote, which gives a bridge to apps that support only stdio servers. */
export const MCP_REMOTES: readonly ClientKind[] = [
  {
    name: 'mcp-remote 0.15.1, bearer token',
    connect: ({ url, token }) =>
      overStdio([MCP_REMOTE, url, '--header', `Authorization: Bearer ${token}`], mcpRemoteEnv(scratch())),
  },
  { name: 'mcp-remote 0.15.1, OAuth', connect: mcpRemoteWithLogin },
]

/** Runs a Node program that serves MCP over stdio, and connects an official client to it. */
export function overStdio(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<InteropClient> {
  return connectV2(transportOf(args, env))
}

async function mcpRemoteWithLogin({ url, logIn }: Target): Promise<InteropClient> {
  const remote = startMcpRemote(url, scratch())
  await logIn(await remote.loginAddress())
  return remote.connected
}

/**
 * Starts mcp-remote without a token.
 * @param folder where it keeps its tokens
 */
export function startMcpRemote(url: string, folder: string) {
  const transport = transportOf([MCP_REMOTE, url, '--auth-timeout', '120'], mcpRemoteEnv(folder))
  let printed = ''
  transport.stderr?.on('data', (chunk) => {
    printed += chunk
  })
  return {
    /** A client that uses it, as soon as its user has logged in. */
    connected: connectV2(transport),
    printed: () => printed,
    /** The address that it prints for its user to open. */
    loginAddress: () =>
      vi.waitFor(() => {
        const [, address] = /authorize this client by visiting:\s+(http\S+)\s/.exec(printed) ?? []
        if (address === undefined) throw new Error(`mcp-remote printed no address:\n${printed}`)
        return address
      }, ADDRESS_WAIT),
  }
}

function mcpRemoteEnv(folder: string): Readonly<Record<string, string>> {
  // xdg-open runs BROWSER to open a page: `true` does nothing.
  return { HOME: folder, MCP_REMOTE_CONFIG_DIR: folder, BROWSER: 'true' }
}

function transportOf(args: readonly string[], env: Readonly<Record<string, string>>) {
  const { PATH = '' } = process.env
  return new StdioClientTransport({
    command: process.execPath,
    args: [...args],
    env: { PATH, HOME: scratch(), ...env },
    stderr: 'pipe',
  })
}
