export const id = 947;
export const ids = [947];
export const modules = {

/***/ 6947:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   annotations: () => (/* binding */ annotations),
/* harmony export */   junit: () => (/* binding */ junit)
/* harmony export */ });
/* harmony import */ var fast_xml_builder__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(4041);
/* harmony import */ var _base_quote_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(9342);
/* harmony import */ var _state_evidence_text_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(235);



/** In characters. Each renewal adds a line: an hour has 4 renewals, a day 100. */
const LONGEST_DETAIL = 20_000;
/** One check for each promise of kubepass. The scan's findings belong into the scan's own report. */
function checksOf(evidence) {
    const { requested, granted, renewed, verified, used, revoked, proven, finished, error } = evidence;
    const scan = 'the scan runs to its end';
    const seen = [
        [
            `a token for ${requested.service_account} is issued`,
            granted !== null,
            granted && [granted, ...renewed].map((each) => `${each.credential_id ?? 'without an id'}, until ${each.expires_at}`).join('; then '),
        ],
        ['the API server takes it for that ServiceAccount', verified !== null, verified?.username],
        [
            scan,
            used !== null && used.exit_code !== null && used.signal === null && error !== 'TIMEOUT',
            used && `exit code ${used.exit_code ?? 'unknown'}${used.signal === null ? '' : ` (${used.signal})`}`,
        ],
        ['the credential is revoked', revoked !== null, (0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_0__/* .credentialOutcome */ .kx)(evidence)],
        ['the credential is proven dead', proven !== null, (0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_0__/* .credentialOutcome */ .kx)(evidence)],
    ];
    // In a failed run, the first check that has not passed is the failed one. A killed scan fails its check without an error of the run.
    const killed = used !== null && finished ? scan : undefined;
    const failed = error === null ? killed : seen.find(([, good]) => !good)?.[0];
    return seen.map(([name, good, detail]) => ({
        name,
        outcome: good ? 'passed' : name === failed ? 'failed' : 'not seen',
        detail: (0,_base_quote_js__WEBPACK_IMPORTED_MODULE_1__/* .quote */ .hD)(detail ?? (name === failed && error !== null ? `The run ended with ${error}.` : 'not seen'), LONGEST_DETAIL).slice(1, -1),
    }));
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
    // Before Kubernetes 1.30 a credential has no id.
    const id = evidence.granted === null ? 'no credential' : (evidence.granted.credential_id ?? 'a credential');
    const label = (0,_base_quote_js__WEBPACK_IMPORTED_MODULE_1__/* .quote */ .hD)(`${id} of ${evidence.requested.service_account}: ${(0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_0__/* .credentialOutcome */ .kx)(evidence)}`, 300).slice(1, -1);
    const url = `${env['CI_PIPELINE_URL'] ?? ''}/test_report`;
    return `${JSON.stringify({ kubepass: URL.canParse(url) ? [{ external_link: { label, url } }] : [] })}\n`;
}


/***/ })

};
