export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': './test/strip-types.js' },
  testMatch: ['<rootDir>/test/{unit,contract,scenario}/**/*.test.ts'],
  testTimeout: 60_000,
}
