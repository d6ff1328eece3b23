import type { AllowRule } from './allow-rule.ts'

const NONE = { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [], namespaces: [] }

/** The rules of system:discovery and system:basic-user, which Kubernetes binds to every authenticated user. */
export const rulesOfEveryUser: readonly AllowRule[] = [
  {
    ...NONE,
    verbs: ['get'],
    nonResourceURLs: [
      '/livez',
      '/readyz',
      '/healthz',
      '/version',
      '/version/',
      '/openapi',
      '/openapi/*',
      '/api',
      '/api/*',
      '/apis',
      '/apis/*',
    ],
  },
  { ...NONE, verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
  { ...NONE, verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'] },
]
