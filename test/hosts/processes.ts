import { readdirSync, readFileSync } from 'node:fs'

/** Every process of this machine but our own. */
export function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map(Number)
}

/** Whether its environment holds NAME=value; that of a process that has ended holds nothing. */
export function carries(pid: number, variable: string): boolean {
  return read(pid, 'environ').split('\0').includes(variable)
}

/** Its words. */
export function commandOf(pid: number): string[] {
  return read(pid, 'cmdline').split('\0').slice(0, -1)
}

export function childrenOf(pid: number): number[] {
  // The name in the second field may hold spaces and brackets.
  const parentOf = (child: number): number =>
    Number(
      read(child, 'stat')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    )
  return processes().filter((child) => parentOf(child) === pid)
}

/** Says whether there was somebody to get it. */
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
