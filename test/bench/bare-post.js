// Sends one DELETE, like a post step without checks.
import { request } from 'node:https'

const { INPUT_SERVER, INPUT_CERTIFICATE_AUTHORITY, INPUT_SERVICE_ACCOUNT, INPUT_TOKEN, BENCH_BOUND_SECRET } = process.env
const path = `/api/v1/namespaces/${INPUT_SERVICE_ACCOUNT.split('/')[0]}/secrets/${BENCH_BOUND_SECRET}`
const headers = { authorization: `Bearer ${INPUT_TOKEN}` }
const outgoing = request(INPUT_SERVER + path, { method: 'DELETE', agent: false, ca: INPUT_CERTIFICATE_AUTHORITY, headers }, (incoming) => {
  if (incoming.statusCode !== 200) throw new Error(`${incoming.statusCode}`)
  incoming.resume()
})
outgoing.end()
