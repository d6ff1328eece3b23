export default async function tearDown(): Promise<void> {
  await Promise.all((globalThis.kubepassClusters ?? []).map((cluster) => cluster.stop()))
}
