export const id = 409;
export const ids = [409];
export const modules = {

/***/ 6409:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   isOverOnGitlab: () => (/* binding */ isOverOnGitlab)
/* harmony export */ });
/* harmony import */ var _base_errors_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(4758);
/* harmony import */ var _net_http_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(2188);
/* harmony import */ var _net_retry_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(7893);
/* harmony import */ var _net_web_exchange_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(8527);




const OVER = ['success', 'failed', 'canceled', 'skipped'];
/** https://docs.gitlab.com/api/jobs/#get-a-single-job */
async function isOverOnGitlab(run, auth, env, signal) {
    const url = urlOf(run, env);
    const headers = headersOf(auth);
    const exchange = (0,_net_web_exchange_js__WEBPACK_IMPORTED_MODULE_3__/* .openWebExchange */ .G)(url, env);
    try {
        const { last } = await (0,_net_retry_js__WEBPACK_IMPORTED_MODULE_2__/* .retry */ .L5)((attempt) => exchange.send({ url, method: 'GET', headers, signal: attempt }), signal, 
        // Prints no "trying again" line: the sweep reports a status that it does not get within seconds.
        { info: () => undefined, isNewHost: true });
        const answer = 'failure' in last ? (0,_net_retry_js__WEBPACK_IMPORTED_MODULE_2__/* .reasonOf */ .A3)(last.failure) : last.status;
        const status = 'failure' in last || last.status !== 200 ? undefined : statusIn(last.body);
        if (status === undefined)
            throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('REFUSED', `${answer}; the token needs the right to read jobs of the project`);
        return OVER.includes(status);
    }
    finally {
        exchange.close();
    }
}
/** Plain HTTP is for loopback addresses only. */
function urlOf(run, env) {
    if (!/^[1-9]\d{0,15}$/.test(run.id) || run.repository === '')
        throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('INPUT', 'a bound Secret names no job of GitLab');
    const api = env['CI_API_V4_URL'] ?? 'https://gitlab.com/api/v4';
    const url = URL.parse(`${api}/projects/${encodeURIComponent(run.repository)}/jobs/${run.id}`);
    if (url?.protocol === 'https:' || (url?.protocol === 'http:' && (0,_net_http_js__WEBPACK_IMPORTED_MODULE_1__/* .isLoopback */ .U9)(url)))
        return url;
    throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('INPUT', 'CI_API_V4_URL is not an https URL');
}
function headersOf(auth) {
    const token = 'personal' in auth ? { 'private-token': auth.personal.reveal() } : { 'job-token': auth.job.reveal() };
    return { accept: 'application/json', ...token };
}
function statusIn(body) {
    try {
        const { status } = JSON.parse(body);
        return typeof status === 'string' ? status : undefined;
    }
    catch {
        return undefined;
    }
}


/***/ })

};
