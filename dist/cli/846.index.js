export const id = 846;
export const ids = [846];
export const modules = {

/***/ 9846:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   isOverOnGitlab: () => (/* binding */ isOverOnGitlab)
/* harmony export */ });
/* harmony import */ var _base_errors_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(3375);
/* harmony import */ var _net_http_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(5466);
/* harmony import */ var _net_proxy_variables_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(3590);
/* harmony import */ var _net_retry_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(8096);




const OVER = ['success', 'failed', 'canceled', 'skipped'];
/** https://docs.gitlab.com/api/jobs/#get-a-single-job */
async function isOverOnGitlab(run, auth, env, signal) {
    if (!/^[1-9]\d{0,15}$/.test(run.id) || run.repository === '')
        throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('INPUT', 'a bound Secret names no job of GitLab');
    const url = URL.parse(`${env['CI_API_V4_URL'] ?? 'https://gitlab.com/api/v4'}/projects/${encodeURIComponent(run.repository)}/jobs/${run.id}`);
    const plain = url?.protocol === 'http:' && (0,_net_http_js__WEBPACK_IMPORTED_MODULE_1__/* .isLoopback */ .U9)(url);
    if (url === null || (url.protocol !== 'https:' && !plain))
        throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('INPUT', 'CI_API_V4_URL is not an https URL');
    const headers = {
        accept: 'application/json',
        ...('personal' in auth ? { 'private-token': auth.personal.reveal() } : { 'job-token': auth.job.reveal() }),
    };
    const http = new _net_http_js__WEBPACK_IMPORTED_MODULE_1__/* .Http */ .lw({ ca: undefined, serverName: undefined, proxyUrl: (0,_net_proxy_variables_js__WEBPACK_IMPORTED_MODULE_2__/* .proxyFor */ .iJ)(url, env) });
    try {
        const exchange = plain ? _net_http_js__WEBPACK_IMPORTED_MODULE_1__/* .exchangeOnLoopback */ .aW : http.exchange.bind(http);
        const { last } = await (0,_net_retry_js__WEBPACK_IMPORTED_MODULE_3__/* .retry */ .L5)((attempt) => exchange({ url, method: 'GET', headers, signal: attempt }), signal, 
        // Prints no "trying again" line: the sweep reports a status that it does not get within seconds.
        { info: () => undefined, isNewHost: true });
        const answer = 'failure' in last ? (0,_net_retry_js__WEBPACK_IMPORTED_MODULE_3__/* .reasonOf */ .A3)(last.failure) : last.status;
        const status = 'failure' in last || last.status !== 200 ? undefined : statusIn(last.body);
        if (status === undefined)
            throw new _base_errors_js__WEBPACK_IMPORTED_MODULE_0__/* .KubepassError */ .v3('REFUSED', `${answer}; the token needs the right to read jobs of the project`);
        return OVER.includes(status);
    }
    finally {
        http.close();
    }
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
