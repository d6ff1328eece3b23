import { afterAll, beforeEach, expect } from '@jest/globals'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { claimsOf } from '../cluster/token.ts'
import { onGithub } from './scenario.ts'

interface Asked {
  path: string
  authorization: string
  body: { name: string; head_sha: string; status: string; conclusion: string; output: { title: string; summary: string; text: string } }
}

const asked: Asked[] = []
let status = 201
const api = createServer((request, response) => {
  void json(request).then((body) => {
    asked.push({
      path: `${request.method} ${request.url}`,
      authorization: request.headers.authorization ?? '',
      body: body as Asked['body'],
    })
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"id":1,"message":"::error::forged"}')
  })
})
api.listen(0, '127.0.0.1')
await once(api, 'listening')
const options = { apiUrl: `http://127.0.0.1:${(api.address() as AddressInfo).port}` }
beforeEach(() => {
  asked.length = 0
  status = 201
})
afterAll(() => {
  api.close()
  api.closeAllConnections()
})

onGithub(
  'report: check makes main create a check run with the evidence, and post, which adds nothing, creates none',
  async ({ step, proxy }) => {
    const use = step({ command: 'true', report: 'check' })
    const main = await use.main()
    expect(main.code).toBe(0)
    expect(main.messages).toEqual([])
    expect((await use.post()).code).toBe(0)
    expect(asked).toEqual([
      {
        path: 'POST /repos/octo-org/octo-repo/check-runs',
        authorization: 'token played-github-token',
        body: {
          name: 'kubepass / scan',
          external_id: expect.stringMatching(/^kubepass-\d+-1-/) as unknown,
          head_sha: '6dcb09b5b57875f334f61aebed695e2e4193db5e',
          status: 'completed',
          conclusion: 'success',
          output: {
            title: expect.stringMatching(
              /^Scan passed\. The credential lived (less than )?\d+ s, was revoked, and is refused by the API server\.$/,
            ) as unknown,
            summary: expect.stringMatching(/^kubepass, ServiceAccount `kubepass\/scanner`, API server `\S+`\n$/) as unknown,
            text: expect.stringContaining(`JTI=${String(claimsOf(proxy.tokens[0] ?? '')['jti'])}`) as unknown,
          },
        },
      },
    ])
  },
  options,
)

onGithub(
  'the check run of a failed run has the conclusion failure',
  async ({ info, step }) => {
    expect((await step({ command: 'true', report: 'check', tls_server_name: 'other.test' }).main()).code).toBe(83)
    expect(asked.map(({ body }) => body.conclusion)).toEqual(['failure'])
    expect(asked[0]?.body.output.summary).toMatch(/^\*\*UNREACHABLE\*\*: `No answer from 127\.0\.0\.1:.*ERR_TLS_CERT_ALTNAME_INVALID\.`/)
    expect(info.server).toBeDefined()
  },
  options,
)

onGithub(
  'without a command, post creates the check run after it has revoked',
  async ({ step }) => {
    const use = step({ report: 'check' })
    await use.main()
    expect(asked).toEqual([])
    await use.post()
    expect(asked.map(({ body }) => body.output.title)).toEqual([expect.stringMatching(/^Later steps .* is refused by the API server\.$/)])
  },
  options,
)

onGithub(
  'the check run of a scan that failed has the conclusion failure',
  async ({ step }) => {
    expect((await step({ command: 'exit 3', report: 'check' }).main()).code).toBe(3)
    expect(asked.map(({ body }) => [body.conclusion, body.output.title])).toEqual([
      ['failure', expect.stringMatching(/^Scan failed \(exit code 3\)\. /)],
    ])
  },
  options,
)

onGithub(
  'with prove: post, post creates the check run, and main creates none',
  async ({ step }) => {
    const use = step({ command: 'true', delivery: 'kubeconfig', prove: 'post', report: 'check' })
    await use.main()
    expect(asked).toEqual([])
    await use.post()
    expect(asked.map(({ body }) => body.output.title)).toEqual([expect.stringMatching(/^Scan passed\. .* is refused by the API server\.$/)])
  },
  options,
)

onGithub(
  'kubepass sends the GitHub token nowhere while NODE_TLS_REJECT_UNAUTHORIZED is 0',
  async ({ step, job }) => {
    job.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    const main = await step({ command: 'true', report: 'check' }).main()
    expect(main.code).toBe(0)
    expect(main.messages).toEqual([expect.stringContaining('NODE_TLS_REJECT_UNAUTHORIZED is 0, so any server could pose as GitHub')])
    expect(asked).toEqual([])
  },
  options,
)

onGithub(
  'when GitHub does not accept the check run, a warning names the missing permission',
  async ({ step }) => {
    status = 403
    const use = step({ command: 'exit 3', report: 'check' })
    const main = await use.main()
    expect(main.code).toBe(3)
    expect(main.summary).toMatch(/^### Scan failed/m)
    expect((await use.post()).summary).toBe('')
    expect(main.messages).toEqual([
      expect.stringMatching(/GitHub did not accept the check run \(403\)\.\n?[^]*checks: write/),
      expect.stringContaining('The scan ended with exit code 3'),
    ])
    expect(main.log).not.toContain('forged')
  },
  options,
)

onGithub(
  'without report: check kubepass sends no request to GitHub',
  async ({ step }) => {
    expect((await step({ command: 'true' }).main()).code).toBe(0)
    expect(asked).toEqual([])
  },
  options,
)
