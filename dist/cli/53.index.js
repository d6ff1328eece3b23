export const id = 53;
export const ids = [53];
export const modules = {

/***/ 6053:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   publishCheck: () => (/* binding */ publishCheck)
/* harmony export */ });
/* harmony import */ var _actions_github__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(2413);
/* harmony import */ var _base_errors_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(4758);
/* harmony import */ var _state_evidence_text_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(4741);
/* harmony import */ var _octokit_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(5726);




const REQUEST_TIMEOUT_MS = 10_000;
/** Creates a check run with the evidence as its text. https://docs.github.com/en/rest/checks/runs#create-a-check-run */
async function publishCheck(evidence, token, env) {
    const octokit = (0,_octokit_js__WEBPACK_IMPORTED_MODULE_3__/* .octokitFor */ .d)(token, env);
    const { verdict, reason, subject, warnings, table, access } = (0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_2__/* .markdownParts */ .YS)(evidence);
    const pullRequest = _actions_github__WEBPACK_IMPORTED_MODULE_0__/* .context */ ._.payload.pull_request;
    try {
        await octokit.rest.checks.create({
            ..._actions_github__WEBPACK_IMPORTED_MODULE_0__/* .context */ ._.repo,
            name: `kubepass / ${evidence.run.job}`,
            external_id: evidence.granted?.bound_to ?? `${evidence.run.id}-${evidence.run.attempt}`,
            // In a pull request GITHUB_SHA is a merge commit, whose checks the pull request does not show.
            head_sha: pullRequest?.head?.sha ?? _actions_github__WEBPACK_IMPORTED_MODULE_0__/* .context */ ._.sha,
            status: 'completed',
            conclusion: conclusionOf(evidence),
            output: {
                title: verdict,
                summary: (0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_2__/* .joinBlocks */ .x9)(reason, subject, warnings),
                text: (0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_2__/* .joinBlocks */ .x9)(table, access),
            },
            request: { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) },
        });
    }
    catch (error) {
        const status = typeof error === 'object' && error !== null && 'status' in error ? String(error.status) : 'no answer';
        throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_1__/* .KubepassError */ .v3('REFUSED', `GitHub did not accept the check run (${status}).`, {
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


/***/ }),

/***/ 5726:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   d: () => (/* binding */ octokitFor)
/* harmony export */ });
/* harmony import */ var _actions_github__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(2413);
/* harmony import */ var _base_errors_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(4758);


/**
 * The client for the API of GitHub.
 * @throws INPUT where NODE_TLS_REJECT_UNAUTHORIZED is 0, which an earlier step can set: Octokit would accept every certificate
 */
function octokitFor(token, env) {
    if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
        throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_1__/* .KubepassError */ .v3('INPUT', 'NODE_TLS_REJECT_UNAUTHORIZED is 0, so any server could pose as GitHub');
    return (0,_actions_github__WEBPACK_IMPORTED_MODULE_0__/* .getOctokit */ .Q)(token.reveal());
}


/***/ })

};
