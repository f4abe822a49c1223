/** Ends a switch over a union. A member that the switch does not handle no longer compiles. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
