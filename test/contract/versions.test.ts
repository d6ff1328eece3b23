import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { lacksOf } from '../cluster/features.ts'
import { chosenVersion, isVersion, USUAL, versions } from '../cluster/versions.ts'
import { testsOn } from '../compatibility/kubernetes.ts'

const named = Object.keys(versions).filter(isVersion)
const modulesOf = (file: string): string => readFileSync(new URL(`../cluster/${file}`, import.meta.url), 'utf8')

test.each(named)('the go.mod for Kubernetes %s has the modules of that release', (version) => {
  const { release, modfile } = versions[version]
  expect(release.startsWith(`${version}.`)).toBe(true)
  expect(modulesOf(modfile)).toContain(`\tk8s.io/kubernetes v${release}\n`)
  const replaced = [...modulesOf(modfile).matchAll(/ => \S+ (v\S+)/g)].map(([, staging]) => staging)
  expect(new Set(replaced)).toEqual(new Set([`v0.${release.slice('1.'.length)}`]))
})

test('the modules of the test kubelet are those of the default Kubernetes version', () => {
  const { release, modfile } = versions[USUAL]
  const requiredBy = (file: string): string[] =>
    [...modulesOf(file).matchAll(/^\t(\S+ v[^\s]+)(?: \/\/ indirect)?$/gm)].map(([, module = '']) => module)
  const [kubelet, cluster] = [requiredBy('kubelet/go.mod'), requiredBy(modfile)]
  // The cluster does not use this module. Equal versions of all others let one build cache serve both programs.
  expect(kubelet.filter((module) => !cluster.includes(module))).toEqual([`k8s.io/cri-streaming v0.${release.slice('1.'.length)}`])
})

test('every scenario in the table of Kubernetes versions is a file', () => {
  const files = readdirSync(new URL('../scenario', import.meta.url))
  const scenarios = named.flatMap((version) => testsOn(version).scenarios)
  expect(scenarios.filter((name) => name !== 'all' && !files.includes(`${name}.test.ts`))).toEqual([])
})

test('the default Kubernetes version and later ones lack no feature', () => {
  expect(named.slice(named.indexOf(USUAL)).flatMap(lacksOf)).toEqual([])
})

test('KUBEPASS_TEST_KUBERNETES accepts only a known version', () => {
  expect(chosenVersion({})).toBe(USUAL)
  expect(chosenVersion({ KUBEPASS_TEST_KUBERNETES: '1.28' })).toBe('1.28')
  expect(() => chosenVersion({ KUBEPASS_TEST_KUBERNETES: '1.29' })).toThrow('is one of 1.28, 1.30, 1.36, 1.37, not 1.29')
})
