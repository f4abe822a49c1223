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

/** The package.json of a tarball: entries lead to built files instead of sources. */
export function publishedManifest(manifest: Manifest): Manifest {
  const { exports: entries = {}, devDependencies: _, ...rest } = manifest
  const published = Object.entries(entries).filter(([entry]) => entry !== UNPUBLISHED)
  return {
    ...rest,
    engines: ENGINES,
    files: ['src', 'bin'],
    sideEffects: manifest.name === 'bridgekeeper',
    exports: { ...Object.fromEntries(published.map(built)), './package.json': './package.json' },
  }
}

function built([entry, source]: readonly [string, string]): [string, object] {
  const stem = source.replace(/\.ts$/, '')
  return [entry, { types: `${stem}.d.ts`, default: `${stem}.js` }]
}
