import { onTestFinished, TestRunner } from 'vitest'

type Undo = () => void | Promise<void>

const undosOfFile: Undo[] = []

/** Undoes what hooks of this test file set up, latest first; each-file.ts calls it after the file's last test. */
export async function undoAll(): Promise<void> {
  for (const undo of undosOfFile.splice(0).reverse()) await undo()
}

/** Undoes something when the test ends or, if it was done in a `beforeAll`, when the file does. */
export function atEnd(undo: Undo): void {
  if (TestRunner.getCurrentTest() === undefined) undosOfFile.push(undo)
  else onTestFinished(undo)
}
