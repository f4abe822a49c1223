/** Internals that tests and checks outside this package use. Not published. */
export { printEvent } from './agent-events.ts'
export { failed, jsonSchemaOf, shapes } from './json/shapes.ts'
export { endSignal } from './lifetime.ts'
export { lifetimeMs } from './lifetime-setting.ts'
export { printLine, reportFailure } from './output.ts'
export { CALLER } from './settings/caller-table.ts'
export { CONNECT, KEYCHAIN } from './settings/connect-table.ts'
export { guardOutput, MAX_WAITING_BYTES as MAX_OUTPUT_WAITING_BYTES } from './stdout.ts'
