/** Ends a switch over a union: a new member that is not handled no longer compiles. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
