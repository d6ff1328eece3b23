import { chosenVersion, type Version } from './versions.ts'

const features = {
  /** The feature gate is ServiceAccountTokenJTI. With this feature the audit log contains the id. */
  'credential-id': {
    since: 30,
    lack: 'no id in its tokens (`jti`)',
    source: 'https://github.com/kubernetes/kubernetes/blob/v1.30.14/pkg/features/kube_features.go',
  },
  policies: {
    since: 30,
    lack: 'no ValidatingAdmissionPolicy v1 (`deploy/base/policies.yaml`)',
    source: 'https://github.com/kubernetes/kubernetes/blob/v1.30.14/staging/src/k8s.io/apiserver/pkg/features/kube_features.go',
  },
  /** The feature gate is StructuredAuthenticationConfiguration, for the flag --authentication-config. */
  'claim-rules': {
    since: 30,
    lack: 'one issuer of ID tokens, for one audience, without rules (`--oidc-issuer-url`)',
    source: 'https://github.com/kubernetes/kubernetes/blob/v1.30.14/staging/src/k8s.io/apiserver/pkg/features/kube_features.go',
  },
} as const

/** The features that older Kubernetes versions lack, with a link for each. */
export type Feature = keyof typeof features

export function has(feature: Feature): boolean {
  return lackOf(feature) === undefined
}

/** The features that a Kubernetes version lacks. */
export function lacksOf(version: Version): string[] {
  return Object.values(features).flatMap(({ since, lack }) => (isBefore(version, since) ? [lack] : []))
}

/** The reason why a test cannot run on a Kubernetes version; undefined if it can. */
export function lackOf(feature: Feature, version: Version = chosenVersion()): string | undefined {
  const { since, lack, source } = features[feature]
  return isBefore(version, since) ? `Kubernetes ${version} has ${lack}: ${source}` : undefined
}

function isBefore(version: Version, since: number): boolean {
  return Number(version.split('.')[1]) < since
}
