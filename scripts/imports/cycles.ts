/** An import that closes a circle, with the files of the circle in the order they import each other. */
export interface Cycle<Edge> {
  readonly path: readonly string[]
  readonly closing: Edge
}

/** Finds circles in a graph of files: at least one for every knot of files that import each other. */
export function cyclesIn<Edge extends { readonly to: string }>(
  graph: ReadonlyMap<string, readonly Edge[]>,
): Cycle<Edge>[] {
  const cycles: Cycle<Edge>[] = []
  const done = new Set<string>()
  const trail: string[] = []

  function visit(file: string): void {
    trail.push(file)
    for (const edge of graph.get(file) ?? []) {
      const start = trail.indexOf(edge.to)
      if (start >= 0) cycles.push({ path: [...trail.slice(start), edge.to], closing: edge })
      else if (!done.has(edge.to)) visit(edge.to)
    }
    trail.pop()
    done.add(file)
  }

  for (const file of graph.keys()) if (!done.has(file)) visit(file)
  return cycles
}
