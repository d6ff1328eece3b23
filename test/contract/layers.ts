/**
 * The folders of src/, from the entries down. Folders of one layer do not know each other. A file imports its own folder and the
 * folders of lower layers; types count as well.
 */
export const layers = [
  ['entries'],
  ['command-line'],
  ['commands'],
  ['lifecycle'],
  ['kube', 'api-proxy', 'platform', 'scan'],
  ['identity'],
  ['state'],
  ['config'],
  ['net', 'token', 'system', 'rbac'],
  ['redact'],
  ['base'],
] as const

export const printedLayers = layers.map((folders) => folders.join(', ')).join(' → ')
