/** Finds the entry that makes room: the oldest of the client with most entries. @param entries the oldest first */
export function oldestOfMost<Entry extends { readonly client: string }>(
  entries: Iterable<Entry>,
): Entry | undefined {
  const byClient = Map.groupBy(entries, ({ client }) => client)
  const [most] = [...byClient.values()].toSorted((one, other) => other.length - one.length)
  return most?.[0]
}
