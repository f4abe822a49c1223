/** Owner and permission bits of a file or folder, as `fstat` gives them. */
export interface FileRights {
  readonly uid: number
  readonly mode: number
}

/** Why a file must not be used, and the command that fixes it. */
export interface Exposure {
  readonly problem: string
  readonly command: string
}

const ROOT = 0
const OTHERS_WRITE = 0o002
const OTHERS_READ_OR_GROUP_WRITES = 0o027

/**
 * Checks a file with a secret. It must belong to this user or to root, only its owner may write it, and its group
 * may read it: Kubernetes mounts secrets as root with mode 0440.
 *
 * @param ownUid effective user id of this process; `undefined` on Windows, where such rights do not exist
 */
export function secretExposure(
  path: string,
  rights: FileRights,
  ownUid: number | undefined,
): Exposure | undefined {
  return exposure(path, rights, ownUid, OTHERS_READ_OR_GROUP_WRITES, 'g-w,o=')
}

/**
 * Checks a file or folder that decides what this process does. It must belong to this user or to root, and not
 * every account may write it. Its group may: Kubernetes mounts volumes so, and some systems give each user a group.
 *
 * @param ownUid as for {@link secretExposure}
 */
export function trustExposure(
  path: string,
  rights: FileRights,
  ownUid: number | undefined,
): Exposure | undefined {
  return exposure(path, rights, ownUid, OTHERS_WRITE, 'o-w')
}

function exposure(
  path: string,
  { uid, mode }: FileRights,
  ownUid: number | undefined,
  refusedBits: number,
  chmod: string,
): Exposure | undefined {
  if (ownUid === undefined) return undefined
  const name = JSON.stringify(path)
  if (uid !== ownUid && uid !== ROOT)
    return { problem: `it belongs to the user with id ${uid}`, command: `chown ${ownUid} ${name}` }
  if ((mode & refusedBits) === 0) return undefined
  const bits = (mode & 0o777).toString(8).padStart(4, '0')
  return { problem: `its mode ${bits} gives others too many rights`, command: `chmod ${chmod} ${name}` }
}
