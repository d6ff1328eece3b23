import { readdirSync, readFileSync } from 'node:fs'

/** The processes of this machine, except the test process. */
export function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map(Number)
}

/** Whether the environment of the process contains NAME=value; false if the process has ended. */
export function carries(pid: number, variable: string): boolean {
  return read(pid, 'environ').split('\0').includes(variable)
}

/** The command line of the process. */
export function commandOf(pid: number): string[] {
  return read(pid, 'cmdline').split('\0').slice(0, -1)
}

export function childrenOf(pid: number): number[] {
  // The program name in the second field may contain spaces and brackets.
  const parentOf = (child: number): number =>
    Number(
      read(child, 'stat')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    )
  return processes().filter((child) => parentOf(child) === pid)
}

/** Sends a signal; returns false if the process does not exist. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function read(pid: number, file: 'environ' | 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'latin1')
  } catch {
    return ''
  }
}
