export const id = 88;
export const ids = [88];
export const modules = {

/***/ 2088:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  publishCheck: () => (/* binding */ publishCheck)
});

// EXTERNAL MODULE: ./node_modules/@actions/github/lib/github.js + 22 modules
var github = __webpack_require__(2413);
// EXTERNAL MODULE: ./src/base/errors.ts
var errors = __webpack_require__(4758);
// EXTERNAL MODULE: ./src/state/evidence-text.ts + 1 modules
var evidence_text = __webpack_require__(4741);
;// CONCATENATED MODULE: ./src/platform/octokit.ts


/**
 * The client for the API of GitHub.
 * @throws INPUT where NODE_TLS_REJECT_UNAUTHORIZED is 0, which an earlier step can set: Octokit would accept every certificate
 */
function octokitFor(token, env) {
    if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
        throw new errors/* KubepassError */.v3('INPUT', 'NODE_TLS_REJECT_UNAUTHORIZED is 0, so any server could pose as GitHub');
    return (0,github/* getOctokit */.Q)(token.reveal());
}

;// CONCATENATED MODULE: ./src/platform/github-check.ts




const REQUEST_TIMEOUT_MS = 10_000;
/** Creates a check run with the evidence as its text. https://docs.github.com/en/rest/checks/runs#create-a-check-run */
async function publishCheck(evidence, token, env) {
    const octokit = octokitFor(token, env);
    const { verdict, reason, subject, warnings, table, access } = (0,evidence_text/* markdownParts */.YS)(evidence);
    const pullRequest = github/* context */._.payload.pull_request;
    try {
        await octokit.rest.checks.create({
            ...github/* context */._.repo,
            name: `kubepass / ${evidence.run.job}`,
            external_id: evidence.granted?.bound_to ?? `${evidence.run.id}-${evidence.run.attempt}`,
            // In a pull request GITHUB_SHA is a merge commit, whose checks the pull request does not show.
            head_sha: pullRequest?.head?.sha ?? github/* context */._.sha,
            status: 'completed',
            conclusion: conclusionOf(evidence),
            output: {
                title: verdict,
                summary: (0,evidence_text/* joinBlocks */.x9)(reason, subject, warnings),
                text: (0,evidence_text/* joinBlocks */.x9)(table, access),
            },
            request: { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) },
        });
    }
    catch (error) {
        const status = typeof error === 'object' && error !== null && 'status' in error ? String(error.status) : 'no answer';
        throw new errors/* KubepassError */.v3('REFUSED', `GitHub did not accept the check run (${status}).`, {
            hint: 'Add to the job:\n  permissions:\n    checks: write',
        });
    }
}
/** `neutral`: the inputs allow that the credential is not revoked. */
function conclusionOf({ outcome, error }) {
    if (outcome === 'passed' || outcome === 'revoked')
        return 'success';
    return outcome === 'not_revoked' && error === null ? 'neutral' : 'failure';
}


/***/ })

};
