/** Environment variables, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Whether NODE_ENV names production. Ignores letter case, so that a typing slip does not switch protections off. */
export function isProduction(env: Environment): boolean {
  return env.NODE_ENV?.trim().toLowerCase() === 'production'
}
