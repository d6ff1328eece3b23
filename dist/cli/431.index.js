export const id = 431;
export const ids = [431];
export const modules = {

/***/ 8431:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   isOverOnGithub: () => (/* binding */ isOverOnGithub)
/* harmony export */ });
/* harmony import */ var _base_errors_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(4758);
/* harmony import */ var _octokit_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(5726);


/** https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run-attempt */
async function isOverOnGithub(run, token, env, signal) {
    const octokit = (0,_octokit_js__WEBPACK_IMPORTED_MODULE_1__/* .octokitFor */ .d)(token, env);
    const [owner = '', repo = '', ...more] = run.repository.split('/');
    const numbers = [run.id, run.attempt].every((text) => /^[1-9]\d{0,15}$/.test(text));
    if (!numbers || ![owner, repo].every((text) => /^[\w.-]+$/.test(text)) || more.length > 0)
        throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('INPUT', 'a bound Secret names no run of GitHub');
    let status;
    try {
        const { data } = await octokit.rest.actions.getWorkflowRunAttempt({
            owner,
            repo,
            run_id: Number(run.id),
            attempt_number: Number(run.attempt),
            request: { signal },
        });
        status = data.status;
    }
    catch (error) {
        const answer = typeof error === 'object' && error !== null && 'status' in error ? String(error.status) : 'no answer';
        throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('REFUSED', `${answer}; the token needs the right to read Actions of the repository`, { cause: error });
    }
    return status === 'completed';
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
