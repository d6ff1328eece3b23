import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const TOOLS = ['bash', 'cat', 'env', 'mkdir', 'sh', 'sleep']

/** Creates the folder for the PATH of a machine that has a shell and a few tools, but no Node.js. */
export function toolsWithoutNode(folder: string): string {
  mkdirSync(folder)
  for (const tool of TOOLS) {
    const path = ['/usr/bin', '/bin'].map((place) => join(place, tool)).find((file) => existsSync(file))
    if (path === undefined) throw new Error(`this machine has no ${tool}`)
    symlinkSync(path, join(folder, tool))
  }
  return folder
}
