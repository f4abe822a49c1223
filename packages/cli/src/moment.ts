/** Formats a time as every command prints it: ISO 8601 in UTC. */
export function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}
