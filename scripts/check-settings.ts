/**
 * Checks that the table of settings in docs/operators.md says what the settings of the commands declare; rewrites it with
 * `--fix`.
 *
 * Usage: node scripts/check-settings.ts [FILE] [--fix]
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SECRETS, SERVE } from '@bridgekeeper/standalone'
import type { Setting, SettingTable } from '@bridgekeeper/standalone/settings'
import { CALLER, CONNECT, KEYCHAIN } from 'bridgekeeper/testing'
import { checkTable } from './generated-table.ts'

const TABLES: Readonly<Record<string, SettingTable>> = {
  serve: { ...SERVE, ...SECRETS },
  connect: CONNECT,
  'connect, device': KEYCHAIN,
  'tools, call': CALLER,
}

const { values, positionals } = parseArgs({ options: { fix: { type: 'boolean' } }, allowPositionals: true })
const rows = Object.entries(TABLES).flatMap(([command, table]) =>
  Object.values(table).map((setting) => [command, ...cellsOf(setting)]),
)
checkTable(
  {
    check: 'settings',
    path: positionals[0] ?? join(import.meta.dirname, '../docs/operators.md'),
    document: 'docs/operators.md',
    header: ['command', 'flag', 'variable', 'sets', 'default'],
    rows,
  },
  values.fix ?? false,
)

function cellsOf({ flag, variable, help, shape, default: value, unset }: Setting<unknown>): string[] {
  const variables =
    variable === undefined ? [] : [variable, ...(shape === 'secret' ? [`${variable}_FILE`] : [])]
  return [
    flag === undefined ? '' : code(flag),
    variables.map(code).join(' or '),
    help + (shape === 'list' ? '; repeatable, or with commas' : ''),
    value === undefined ? (unset ?? '') : code(value),
  ]
}

function code(text: string): string {
  return `\`${text}\``
}
