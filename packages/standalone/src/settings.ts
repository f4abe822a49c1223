/** How settings are declared and read, for commands that start faster without a node. */
export { durationMs } from './config/duration.ts'
export { oneOf, seconds, text } from './config/kinds.ts'
export {
  attributeOf,
  type Declaration,
  optional,
  readAll,
  type Setting,
  type SettingSource,
  type SettingTable,
  secret,
  toggle,
  type ValuesOf,
  withDefault,
} from './config/setting.ts'
export { SetupError, type SetupErrorCode } from './config/setup-error.ts'
