import { commandName, quoted } from './invocation.ts'

/** Options of this run that differ from the defaults and that a command in a hint must repeat. */
export interface Repeated {
  /** Data folder. */
  readonly data?: string
  /** Address of the bridge. */
  readonly url?: string
  /** `mcpServers` file. */
  readonly config?: string
}

/** Commands that take `--data`, with their subcommands. */
const ON_DATA = [
  'serve|status|sessions|devices|audit verify|block (?:list|add|lift)|revoke (?:user|session|device)',
  'token (?:issue|list)|user (?:add|password|role|suspend|resume|logout|delete|list)',
].join('|')
const OTHERS = [
  'connect URL|connect|device list|device rotate|device forget|tools|call|version|--help',
  '(?:audit|block|device|revoke|token|user) --help',
].join('|')
const COMMAND = new RegExp(`(?<![\\w/.@-])bridgekeeper (?:(${ON_DATA})|(${OTHERS}))(?![\\w-])`, 'g')

/** A text of ours in which each command stands as the user can type it: with `program`, and the options repeated. */
export function asTyped(text: string, program: string, { data, url, config }: Repeated): string {
  return text.replaceAll(COMMAND, (_match, onData: string | undefined, other: string) => {
    if (onData !== undefined) return `${program} ${onData}${flag('--data', data)}`
    if (other !== 'connect URL' || url === undefined) return `${program} ${other}`
    return `${program} connect ${quoted(url)}${flag('--config', config)}`
  })
}

function flag(name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name} ${quoted(value)}`
}

let repeated: Repeated = {}

/** Sets what {@link hint} repeats. */
export function repeatInHints(options: Repeated): void {
  repeated = options
}

/** A text of ours with the commands as the user of this process can type them: see {@link asTyped}. */
export function hint(text: string): string {
  return asTyped(text, programName(), repeated)
}

/** The command that starts this program, as its user can type it. */
export function programName(): string {
  const { argv, env, platform } = process
  return commandName({ script: argv[1] ?? '', env, folder: process.cwd(), platform })
}
