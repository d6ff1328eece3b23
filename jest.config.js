const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': './test/strip-types.js' },
}

export default {
  testTimeout: 60_000,
  // Most of the time a test waits: also where there are no more cores.
  maxWorkers: 2,
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/test/{unit,contract}/**/*.test.ts'] },
    {
      ...common,
      displayName: 'scenario',
      testMatch: ['<rootDir>/test/scenario/**/*.test.ts'],
      globalSetup: './test/global-setup.ts',
      globalTeardown: './test/global-teardown.ts',
    },
  ],
}
