import type { Declaration, Setting, SettingTable } from '@bridgekeeper/standalone/settings'
import { type Command, Option } from 'commander'

const HELP_WIDTH = 80
const INDENT = ' '.repeat(6)

/** Adds the flags of these settings to a command, and the variables without a flag to the end of its help. */
export function addSettings(command: Command, ...tables: readonly SettingTable[]): Command {
  const settings = tables.flatMap((table) => Object.values(table))
  for (const setting of settings) {
    const { flag } = setting
    if (flag?.startsWith('--')) command.addOption(optionOf(setting, flag))
    else if (flag !== undefined) command.argument(flag, helpText(setting))
  }
  const others = settings.filter(({ flag }) => flag === undefined)
  if (others.length === 0) return command
  const lines = others.flatMap((setting) => {
    const text = command
      .createHelp()
      .boxWrap(withNotes(setting, defaultOf(setting)), HELP_WIDTH - INDENT.length)
    return [`  ${variablesOf(setting)}`, ...text.split('\n').map((line) => INDENT + line)]
  })
  return command.addHelpText('after', `\nEnvironment:\n${lines.join('\n')}`)
}

function optionOf(setting: Setting<unknown>, flag: string): Option {
  const option = new Option(flag, helpText(setting))
  return setting.shape === 'list' ? option.argParser(append) : option
}

function append(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value]
}

/** For example `port to listen on (PORT; default: 8787)`. */
function helpText(setting: Setting<unknown>): string {
  const { shape, variable } = setting
  const on = shape === 'switch' ? '=1' : ''
  return withNotes(
    setting,
    shape === 'list' ? ['repeatable'] : [],
    variable === undefined ? [] : [variablesOf(setting) + on],
    defaultOf(setting),
  )
}

function withNotes({ help }: Declaration, ...notes: readonly (readonly string[])[]): string {
  const all = notes.flat()
  return help.replaceAll('`', '') + (all.length === 0 ? '' : ` (${all.join('; ')})`)
}

function defaultOf({ default: value, unset }: Declaration): readonly string[] {
  const shown = value ?? unset
  return shown === undefined ? [] : [`default: ${shown}`]
}

function variablesOf({ shape, variable = '' }: Setting<unknown>): string {
  return shape === 'secret' ? `${variable} or ${variable}_FILE` : variable
}
