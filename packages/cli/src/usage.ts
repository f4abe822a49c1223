import { type Command, CommanderError } from 'commander'
import { UsageError } from './usage-error.ts'

/** Makes a command and all below it throw usage errors instead of printing them, and fit its help to 80 columns. */
export function reportUsage(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ subcommandTerm: termOf })
  for (const subcommand of command.commands) reportUsage(subcommand)
}

/** A subcommand with its arguments: `role <email> <role>`. */
function termOf(subcommand: Command): string {
  const args = subcommand.registeredArguments.map((arg) =>
    arg.required ? ` <${arg.name()}>` : ` [${arg.name()}]`,
  )
  return subcommand.name() + args.join('')
}

/** Whether commander printed help or the version, and threw to end there. */
export function isHelp(error: unknown): error is CommanderError {
  return error instanceof CommanderError && /^commander\.(?:help|helpDisplayed|version)$/.test(error.code)
}

/** A usage error that commander found, in the form of ours. */
export function usageError(
  { message }: CommanderError,
  program: Command,
  args: readonly string[],
): UsageError {
  const [, first = '', rest = ''] = /^(?:error: )?(.)(.*)$/s.exec(message.replaceAll(/\s*\n\s*/g, ' ')) ?? []
  const text = first.toUpperCase() + rest
  return new UsageError(/[.)]$/.test(text) ? text : `${text}.`, `See: ${commandOf(program, args)} --help`)
}

/** The command that these arguments name: `bridgekeeper user add`. */
function commandOf(program: Command, args: readonly string[]): string {
  let command = program
  const words = ['bridgekeeper']
  for (const arg of args) {
    const next = command.commands.find((each) => each.name() === arg)
    if (next === undefined) break
    command = next
    words.push(arg)
  }
  return words.join(' ')
}
