/** Keys of the installation, the same on every node; each value is sealed by whoever keeps it. */
export interface KeyStore {
  get(name: string): Promise<string | undefined>
  /** Keeps it unless there is one. @returns the one that is kept */
  keep(name: string, sealed: string): Promise<string>
}
