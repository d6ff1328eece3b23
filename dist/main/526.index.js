export const id = 526;
export const ids = [526];
export const modules = {

/***/ 2526:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   annotations: () => (/* binding */ annotations),
/* harmony export */   junit: () => (/* binding */ junit)
/* harmony export */ });
/* harmony import */ var fast_xml_builder__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(9585);
/* harmony import */ var _evidence_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(7082);
/* harmony import */ var _quote_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(4519);



/** What kubepass promises, one check each; a scan's own findings belong in its own report. */
function checksOf(evidence) {
    const { asked, granted, verified, used, revoked, missing, proven, dead_by, finished, error } = evidence;
    const check = (name, good, bad, detail) => ({
        name,
        outcome: good ? 'passed' : bad ? 'failed' : 'not seen',
        detail: detail === '' ? 'not seen' : (0,_quote_js__WEBPACK_IMPORTED_MODULE_1__/* .quote */ .h)(detail, 1000).slice(1, -1),
    });
    const failed = error === null ? '' : `The run ended with ${error}.`;
    const issued = dead_by !== null;
    return [
        check(`a token for ${asked.service_account} is issued`, granted !== null, error !== null, granted === null ? failed : `${granted.credential_id ?? 'without an id'}, until ${granted.expires_at}`),
        check('the API server takes it for that ServiceAccount', verified !== null, issued && error === 'RIGHTS', verified?.username ?? failed),
        check('the scan runs to its end', used !== null && used.exit_code !== null && used.signal === null, used !== null && finished, used === null ? failed : `exit code ${used.exit_code ?? 'unknown'}${used.signal === null ? '' : ` (${used.signal})`}`),
        check('the credential is revoked', revoked !== null, issued && finished && !missing, (0,_evidence_js__WEBPACK_IMPORTED_MODULE_0__/* .ending */ .K1)(evidence)),
        check('the credential is proven dead', proven !== null, false, (0,_evidence_js__WEBPACK_IMPORTED_MODULE_0__/* .ending */ .K1)(evidence)),
    ];
}
/** https://docs.gitlab.com/ci/testing/unit_test_reports/ */
function junit(evidence) {
    const checks = checksOf(evidence);
    const count = (outcome) => String(checks.filter((check) => check.outcome === outcome).length);
    const testcase = checks.map(({ name, outcome, detail }) => ({
        '@name': name,
        '@classname': 'kubepass',
        ...(outcome === 'failed' ? { failure: { '@message': detail } } : outcome === 'not seen' ? { skipped: { '@message': detail } } : {}),
        'system-out': detail,
    }));
    const suite = {
        '@name': 'kubepass',
        '@tests': String(checks.length),
        '@failures': count('failed'),
        '@skipped': count('not seen'),
        testcase,
    };
    const xml = new fast_xml_builder__WEBPACK_IMPORTED_MODULE_2__/* ["default"] */ .A({ attributeNamePrefix: '@', ignoreAttributes: false, format: true }).build({ testsuites: { testsuite: suite } });
    return `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`;
}
/** https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsannotations */
function annotations(evidence, env) {
    const id = evidence.granted?.credential_id ?? 'no credential';
    const label = (0,_quote_js__WEBPACK_IMPORTED_MODULE_1__/* .quote */ .h)(`${id} of ${evidence.asked.service_account}: ${(0,_evidence_js__WEBPACK_IMPORTED_MODULE_0__/* .ending */ .K1)(evidence)}`, 300).slice(1, -1);
    const url = `${env['CI_PIPELINE_URL'] ?? ''}/test_report`;
    return `${JSON.stringify({ kubepass: URL.canParse(url) ? [{ external_link: { label, url } }] : [] })}\n`;
}


/***/ })

};
