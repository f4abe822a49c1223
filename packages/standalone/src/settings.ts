/** Entry for declaring and reading settings, for commands that start faster without a node. */

export { oneOf, seconds, text } from './config/kinds.ts'
export {
  type Declaration,
  optional,
  readAll,
  type Setting,
  type SettingSource,
  type SettingTable,
  secret,
  toggle,
  withDefault,
} from './config/setting.ts'
export { SetupError } from './config/setup-error.ts'
