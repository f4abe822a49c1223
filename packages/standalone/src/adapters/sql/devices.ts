import type { Device, DeviceKey, DeviceStore, System } from '@bridgekeeper/bridge'
import { Refused, unlessRefused } from './refused.ts'
import { publishWithin } from './revocations.ts'
import type { Database, Tables } from './schema.ts'
import { endSessions } from './sessions.ts'

/** Limit of retired keys to remember per user. */
export const MAX_OLD_KEYS = 1_024

/** Enrolled devices. Revoking deletes a device's row; the rows of its keys stay. */
export function sqlDevices(db: Database, system: System): DeviceStore {
  const usableKeys = () =>
    db
      .selectFrom('device_keys')
      .selectAll()
      .where((eb) => eb.or([eb('retires_at_ms', 'is', null), eb('retires_at_ms', '>', system.nowMs())]))
      .orderBy('generation', 'desc')

  return {
    add: (device) =>
      unlessRefused(db, async (transaction) => {
        await addDevice(transaction, device)
        await forgetOldest(transaction, device.userId, system.nowMs())
      }),
    async find(deviceId) {
      const device = await db
        .selectFrom('devices')
        .selectAll()
        .where('device_id', '=', deviceId)
        .executeTakeFirst()
      if (device === undefined) return undefined
      return toDevice(device, await usableKeys().where('device_id', '=', deviceId).execute())
    },
    async ofUser(userId) {
      const query = db.selectFrom('devices').selectAll().where('user_id', '=', userId)
      const devices = await query.orderBy('created_at_ms').orderBy('device_id').execute()
      const keys = await usableKeys().where('user_id', '=', userId).execute()
      return devices.map((device) => toDevice(device, keys))
    },
    async hasEnrolled(userId) {
      const query = db.selectFrom('device_keys').select('key_id').where('user_id', '=', userId).limit(1)
      return (await query.executeTakeFirst()) !== undefined
    },
    rotate: (deviceId, key, oldRetiresAtMs) =>
      unlessRefused(db, async (transaction) => {
        const userId = await rotateKey(transaction, deviceId, key, oldRetiresAtMs)
        await forgetOldest(transaction, userId, system.nowMs())
      }),
    connected: (deviceId, connectionId, previous, atMs) =>
      continueFrom(db, deviceId, connectionId, previous, atMs),
    revoke: (deviceId, atMs) =>
      unlessRefused(db, async (transaction) => {
        await revokeDevice(transaction, deviceId, atMs)
        await publishWithin(transaction, { kind: 'device', id: deviceId }, system.nowMs())
      }),
  }
}

async function addDevice(transaction: Database, device: Device): Promise<void> {
  const [current] = device.keys
  if (current === undefined) throw new Error('A new device must have a key.')
  await transaction
    .insertInto('devices')
    .values({
      device_id: device.deviceId,
      user_id: device.userId,
      session_id: device.sessionId,
      name: device.name,
      generation: current.generation,
      created_at_ms: Math.floor(device.createdAtMs),
      used_at_ms: Math.floor(device.usedAtMs),
      last_connection: '',
      before_connection: '',
    })
    .execute()
  for (const key of device.keys) await addKey(transaction, device, key)
}

/** Deletes a user's oldest retired and revoked keys, so that endless rotations cannot fill the table. */
async function forgetOldest(transaction: Database, userId: string, nowMs: number): Promise<void> {
  const old = transaction
    .selectFrom('device_keys')
    .select('key_id')
    .where('user_id', '=', userId)
    .where((eb) => eb.or([eb('revoked_at_ms', 'is not', null), eb('retires_at_ms', '<=', nowMs)]))
  const kept = old
    .orderBy((eb) => eb.fn.coalesce('revoked_at_ms', 'retires_at_ms'), 'desc')
    .orderBy('key_id')
    .limit(MAX_OLD_KEYS)
  await transaction
    .deleteFrom('device_keys')
    .where('key_id', 'in', old)
    .where('key_id', 'not in', kept)
    .execute()
}

/** Refuses a key that is or was any device's. */
async function addKey(
  transaction: Database,
  { deviceId, userId }: Pick<Device, 'deviceId' | 'userId'>,
  { keyId, algorithm, generation, jwk, retiresAtMs }: DeviceKey,
): Promise<void> {
  const added = await transaction
    .insertInto('device_keys')
    .values({
      key_id: keyId,
      device_id: deviceId,
      user_id: userId,
      algorithm,
      generation,
      jwk,
      retires_at_ms: retiresAtMs === undefined ? null : Math.floor(retiresAtMs),
      revoked_at_ms: null,
    })
    .onConflict((on) => on.doNothing())
    .returning('key_id')
    .executeTakeFirst()
  if (added === undefined) throw new Refused()
}

/** Rotates a key. If two requests compete, the update of the device's row lets only one succeed. */
async function rotateKey(
  transaction: Database,
  deviceId: string,
  key: DeviceKey,
  oldRetiresAtMs: number,
): Promise<string> {
  const device = await transaction
    .updateTable('devices')
    .set({ generation: key.generation })
    .where('device_id', '=', deviceId)
    .where('generation', '=', key.generation - 1)
    .returning('user_id')
    .executeTakeFirst()
  if (device === undefined) throw new Refused()
  await transaction
    .updateTable('device_keys')
    .set({ retires_at_ms: Math.floor(oldRetiresAtMs) })
    .where('device_id', '=', deviceId)
    .where('retires_at_ms', 'is', null)
    .execute()
  await addKey(transaction, { deviceId, userId: device.user_id }, { ...key, retiresAtMs: undefined })
  return device.user_id
}

/**
 * Records a connection that follows the previous one. Uses one statement, so that one of two copies that
 * connect at once is detected.
 */
async function continueFrom(
  db: Database,
  deviceId: string,
  connectionId: string,
  previous: string,
  atMs: number,
): ReturnType<DeviceStore['connected']> {
  const { numUpdatedRows } = await db
    .updateTable('devices')
    .set((eb) => ({
      before_connection: eb
        .case()
        .when('last_connection', '=', previous)
        .then(eb.ref('last_connection'))
        .else(eb.ref('before_connection'))
        .end(),
      last_connection: connectionId,
      used_at_ms: Math.floor(atMs),
    }))
    .where('device_id', '=', deviceId)
    .where((eb) => eb.or([eb('last_connection', '=', previous), eb('before_connection', '=', previous)]))
    .executeTakeFirst()
  if (numUpdatedRows > 0n) return 'continued'
  const known = await db
    .selectFrom('devices')
    .select('device_id')
    .where('device_id', '=', deviceId)
    .executeTakeFirst()
  return known === undefined ? 'unknown' : 'diverged'
}

/** Deletes a device and ends its session. */
async function revokeDevice(transaction: Database, deviceId: string, atMs: number): Promise<void> {
  const device = await transaction
    .deleteFrom('devices')
    .where('device_id', '=', deviceId)
    .returning('session_id')
    .executeTakeFirst()
  if (device === undefined) throw new Refused()
  await transaction
    .updateTable('device_keys')
    .set({ revoked_at_ms: Math.floor(atMs) })
    .where('device_id', '=', deviceId)
    .execute()
  await endSessions(transaction, 'session_id', device.session_id)
}

function toDevice(device: Tables['devices'], keys: readonly Tables['device_keys'][]): Device {
  return {
    deviceId: device.device_id,
    userId: device.user_id,
    sessionId: device.session_id,
    name: device.name,
    keys: keys.filter((key) => key.device_id === device.device_id).map(toKey),
    createdAtMs: device.created_at_ms,
    usedAtMs: device.used_at_ms,
  }
}

function toKey({ key_id, algorithm, generation, jwk, retires_at_ms }: Tables['device_keys']): DeviceKey {
  const key = { keyId: key_id, algorithm, generation, jwk }
  return retires_at_ms === null ? key : { ...key, retiresAtMs: retires_at_ms }
}
