import { expect, test } from 'vitest'
import { sqliteDevices } from '../support/device-store.ts'
import {
  challengedDevice,
  type DeviceBridge,
  prove,
  provenDevice,
  startDeviceBridge,
  type TestDevice,
} from '../support/devices.ts'
import type { Peer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

const COPIED = { code: 4510, reason: 'device_key_copied' }

async function answered(at: DeviceBridge, device: TestDevice): Promise<Peer> {
  const { peer, challenge } = await challengedDevice(at, device)
  peer.send({ type: 'challenge_response', proof: prove(device, challenge, at.url).proof })
  return peer
}

test('[PROOF.9] W01: closes the device and a copied key connected at once, and refuses both afterwards', async () => {
  const recorded = new Recorded()
  const at = await startDeviceBridge({
    securityLog: recorded.securityLog,
    proof: { devices: await sqliteDevices() },
  })
  const device = await at.enrol('ann')
  const copy = device.copy()
  const { peer } = await provenDevice(at, device)
  peer.send({ type: 'catalog', servers: [] })
  peer.send({ type: 'ping' })
  await peer.next('pong')

  const thief = await answered(at, copy)
  expect(await thief.closed).toEqual(COPIED)
  expect(await peer.closed).toEqual(COPIED)
  expect(recorded.named('device_key_copied')).toMatchObject([
    { userId: 'user_ann', deviceId: device.deviceId },
  ])
  for (const { accessToken } of [device, copy])
    expect(await tryUpgrade(at, { token: accessToken })).toMatchObject({ status: 401 })
})

test('[PROOF.9] W01: closes both once the device returns after a copied key connected', async () => {
  const at = await startDeviceBridge({ proof: { devices: await sqliteDevices() } })
  const device = await at.enrol('ann')
  ;(await provenDevice(at, device)).peer.socket.close()
  const copy = device.copy()
  ;(await provenDevice(at, device)).peer.socket.close()
  const thief = await provenDevice(at, copy)
  const again = await answered(at, device)
  expect(await again.closed).toEqual(COPIED)
  expect(await thief.peer.closed).toEqual(COPIED)
})

test('[PROOF.9] W01: detects a copied key that connects after the device, by its stale previous connection', async () => {
  const at = await startDeviceBridge({ proof: { devices: await sqliteDevices() } })
  const device = await at.enrol('ann')
  const copy = device.copy()
  for (let n = 0; n < 2; n++) (await provenDevice(at, device)).peer.socket.close()
  const thief = await answered(at, copy)
  expect(await thief.closed).toEqual(COPIED)
})

test('[PROOF.9] does not treat a device as copied if its connection breaks before it learns of it, however often', async () => {
  const at = await startDeviceBridge({ proof: { devices: await sqliteDevices() } })
  const device = await at.enrol('ann')
  await provenDevice(at, device)
  for (let n = 0; n < 4; n++) {
    const peer = await answered(at, device)
    await peer.next('challenge_verified')
    peer.socket.terminate()
  }
  await provenDevice(at, device)
})

test('[PROOF.9] [ROUTE.3] keeps the user’s other devices connected', async () => {
  const at = await startDeviceBridge({ proof: { devices: await sqliteDevices() } })
  const [one, two] = [await at.enrol('ann'), await at.enrol('ann')]
  const stays = await provenDevice(at, one)
  const gone = await provenDevice(at, two)
  gone.peer.send({ type: 'catalog', servers: [] })
  const thief = await answered(at, Object.assign(two.copy(), { previous: '' }))
  expect(await thief.closed).toEqual(COPIED)
  stays.peer.send({ type: 'ping' })
  await stays.peer.next('pong')
})
