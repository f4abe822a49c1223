/** Keys of the installation, the same on every node. The caller seals each value. */
export interface KeyStore {
  get(name: string): Promise<string | undefined>
  /** Stores the value unless one exists. @returns the stored one */
  keep(name: string, sealed: string): Promise<string>
}
