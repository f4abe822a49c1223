import { basename } from 'node:path'
import type { StdioEntry } from '../config/entry.ts'

/** Default limit from the start of a server to its list of tools. */
const START_MS = 120_000
/** Default limit if a package or an image may have to be downloaded first. */
const INSTALL_MS = 600_000

/** Programs that download what they run. */
const INSTALLERS: ReadonlySet<string> = new Set([
  ...[
    'npx',
    'npm',
    'pnpm',
    'pnpx',
    'yarn',
    'bun',
    'bunx',
    'deno',
    'uv',
    'uvx',
    'pip',
    'pip3',
    'pipx',
    'poetry',
  ],
  ...['docker', 'podman', 'nerdctl', 'dnx', 'dotnet', 'cargo', 'go', 'nix', 'mvn', 'gradle', 'jbang'],
])
/** Programs that only start another one, which their arguments name. */
const LAUNCHERS: ReadonlySet<string> = new Set([
  'cmd',
  'sh',
  'bash',
  'zsh',
  'env',
  'powershell',
  'pwsh',
  'mise',
  'wsl',
])

/** Whether the server may have to be installed before it starts. */
export function mayNeedInstall({ command, args }: Pick<StdioEntry, 'command' | 'args'>): boolean {
  const program = programName(command)
  if (INSTALLERS.has(program)) return true
  return (
    LAUNCHERS.has(program) &&
    args.some((arg) => arg.split(/\s+/).some((word) => INSTALLERS.has(programName(word))))
  )
}

/**
 * Returns the start limit of a server, in milliseconds.
 *
 * @param givenMs limit of servers that set none
 */
export function startLimitMs(entry: StdioEntry, givenMs: number | undefined): number {
  const mayInstall = mayNeedInstall(entry)
  const usualMs = givenMs ?? (mayInstall ? INSTALL_MS : START_MS)
  const { startLimit } = entry
  if (startLimit === undefined) return usualMs
  if (startLimit.isExact || !mayInstall) return startLimit.limitMs
  return Math.max(startLimit.limitMs, usualMs)
}

function programName(path: string): string {
  return basename(path.replaceAll('\\', '/'))
    .toLowerCase()
    .replace(/\.(?:exe|cmd|bat|ps1)$/, '')
}
