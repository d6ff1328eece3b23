export const id = 526;
export const ids = [526];
export const modules = {

/***/ 2526:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   annotations: () => (/* binding */ annotations),
/* harmony export */   junit: () => (/* binding */ junit)
/* harmony export */ });
/* harmony import */ var fast_xml_builder__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(9585);
/* harmony import */ var _base_quote_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(7541);
/* harmony import */ var _state_evidence_text_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(4741);
/* harmony import */ var _state_outcome_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(9773);
/* harmony import */ var _state_verdict_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(2696);





/** In characters. Each renewal adds a line: an hour has 4 renewals, a day 100. */
const LONGEST_DETAIL = 20_000;
const SCAN = 'the scan runs to its end';
const REVOKED = 'the credential is revoked';
/** One finding for each promise of kubepass. The scan's findings belong into the scan's own report. */
function findingsOf(evidence) {
    const { requested, granted, renewed, verified, revoked, proven } = evidence;
    const outcome = (0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_0__/* .credentialOutcome */ .kx)(evidence);
    return [
        {
            name: `a token for ${requested.service_account} is issued`,
            isKept: granted !== null,
            detail: granted &&
                [granted, ...renewed].map((each) => `${each.credential_id ?? 'without an id'}, until ${each.expires_at}`).join('; then '),
        },
        { name: 'the API server takes it for that ServiceAccount', isKept: verified !== null, detail: verified?.username },
        scanFinding(evidence),
        { name: REVOKED, isKept: revoked !== null, detail: outcome },
        { name: 'the credential is proven dead', isKept: proven !== null, detail: outcome },
    ];
}
function scanFinding(evidence) {
    const { recovered, used } = evidence;
    if (used === null)
        return { name: SCAN, isKept: false, detail: null };
    const { exit_code: exitCode, signal } = used;
    const scanError = (0,_state_outcome_js__WEBPACK_IMPORTED_MODULE_2__/* .scanErrorOf */ .lt)(evidence);
    const detail = [
        `exit code ${exitCode ?? 'unknown'}${signal === null ? '' : ` (${signal})`}`,
        ...(scanError === null ? [] : [`the run ended with ${scanError}`]),
        ...(recovered ? ['main had not finished its cleanup and its checks when another process took over'] : []),
    ].join('; ');
    return { name: SCAN, isKept: exitCode !== null && signal === null && !recovered && scanError === null, detail };
}
/**
 * In a failed run, the first promise that was not kept is the failed check, and so is a revocation that failed. A killed scan fails its
 * check without an error of the run.
 */
function checksOf(evidence) {
    const { used, finished, error } = evidence;
    const findings = findingsOf(evidence);
    const killed = used !== null && finished ? SCAN : undefined;
    const failed = error === null ? killed : findings.find(({ isKept }) => !isKept)?.name;
    return findings.map(({ name, isKept, detail }) => {
        const isFailed = !isKept && (name === failed || (name === REVOKED && error === 'NOT_REVOKED'));
        const reason = name === failed && error !== null ? `The run ended with ${error}: ${(0,_state_evidence_text_js__WEBPACK_IMPORTED_MODULE_0__/* .reasonText */ .uV)(evidence)}` : undefined;
        return {
            name,
            outcome: isKept ? 'passed' : isFailed ? 'failed' : 'not seen',
            detail: detail ? (0,_base_quote_js__WEBPACK_IMPORTED_MODULE_3__/* .escapeText */ .X1)(detail, LONGEST_DETAIL) : (0,_base_quote_js__WEBPACK_IMPORTED_MODULE_3__/* .unquoted */ .qZ)(reason ?? 'not seen', LONGEST_DETAIL),
        };
    });
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
    const xml = new fast_xml_builder__WEBPACK_IMPORTED_MODULE_4__/* ["default"] */ .A({ attributeNamePrefix: '@', ignoreAttributes: false, format: true }).build({ testsuites: { testsuite: suite } });
    return `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`;
}
/** https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsannotations */
function annotations(evidence, env) {
    // Before Kubernetes 1.30 a credential has no id.
    const id = evidence.granted === null ? 'no credential' : (evidence.granted.credential_id ?? 'a credential');
    const label = (0,_base_quote_js__WEBPACK_IMPORTED_MODULE_3__/* .escapeText */ .X1)(`${id} of ${evidence.requested.service_account}: ${(0,_state_verdict_js__WEBPACK_IMPORTED_MODULE_1__/* .verdictOf */ .V)(evidence)}`);
    const url = `${env['CI_PIPELINE_URL'] ?? ''}/test_report`;
    return `${JSON.stringify({ kubepass: URL.canParse(url) ? [{ external_link: { label, url } }] : [] })}\n`;
}


/***/ })

};
