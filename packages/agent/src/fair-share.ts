/** The oldest entry of the client that has most, which has to make room. @param entries the oldest first */
export function oldestOfMost<Entry extends { readonly client: string }>(
  entries: Iterable<Entry>,
): Entry | undefined {
  const byClient = Map.groupBy(entries, ({ client }) => client)
  const [most] = [...byClient.values()].toSorted((one, other) => other.length - one.length)
  return most?.[0]
}
