import { afterAll, onTestFinished, TestRunner } from 'vitest'

type Undo = () => void | Promise<void>

const undosOfFile: Undo[] = []

// Runs once for each test file that imports this module, whatever its tests came to.
afterAll(async () => {
  for (const undo of undosOfFile.splice(0).reverse()) await undo()
})

/** Undoes something when the test ends or, if it was done in a `beforeAll`, when the file does. */
export function atEnd(undo: Undo): void {
  if (TestRunner.getCurrentTest() === undefined) undosOfFile.push(undo)
  else onTestFinished(undo)
}
