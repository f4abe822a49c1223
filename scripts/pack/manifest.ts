/** The members of a package.json that packing reads. */
export interface Manifest {
  readonly name: string
  readonly exports?: Readonly<Record<string, string>>
  readonly [member: string]: unknown
}

/** Oldest Node that runs the published JavaScript. */
const ENGINES = { node: '>=22.13' }
/** Entry for tests of this repository. */
const UNPUBLISHED = './testing'

/**
 * Declarations mention Node's own types, such as `http.Server`. As a dependency they could be installed twice, in the
 * app's version and in ours, and declare the same globals twice.
 */
const TYPES = {
  peerDependencies: { '@types/node': '>=22' },
  peerDependenciesMeta: { '@types/node': { optional: true } },
}

/** The package.json of a tarball: entries lead to built files instead of sources. */
export function publishedManifest(manifest: Manifest): Manifest {
  const { exports: _entries, devDependencies: _, ...rest } = manifest
  const entries = published(manifest)
  return {
    ...rest,
    ...(entries.length > 0 && TYPES),
    engines: ENGINES,
    files: ['src', 'bin'],
    sideEffects: manifest.name === 'bridgekeeper',
    exports: { ...Object.fromEntries(entries.map(built)), './package.json': './package.json' },
  }
}

/** The declaration files of the published entries. */
export function declarations(manifest: Manifest): readonly string[] {
  return published(manifest).map((entry) => built(entry)[1].types)
}

type Entry = readonly [name: string, source: string]

function published({ exports: entries = {} }: Manifest): readonly Entry[] {
  return Object.entries(entries).filter(([name]) => name !== UNPUBLISHED)
}

function built([name, source]: Entry): [string, { readonly types: string; readonly default: string }] {
  const stem = source.replace(/\.ts$/, '')
  return [name, { types: `${stem}.d.ts`, default: `${stem}.js` }]
}
