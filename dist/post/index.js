import { createRequire as __WEBPACK_EXTERNAL_createRequire } from "module";
/******/ var __webpack_modules__ = ({

/***/ 4758:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   $N: () => (/* binding */ codeOf),
/* harmony export */   A3: () => (/* binding */ reasonOf),
/* harmony export */   FO: () => (/* binding */ exitCodeOf),
/* harmony export */   UQ: () => (/* binding */ errnoOf),
/* harmony export */   fv: () => (/* binding */ errorCodes),
/* harmony export */   q0: () => (/* binding */ describe),
/* harmony export */   v3: () => (/* binding */ KubepassError)
/* harmony export */ });
/** The error codes with their exit codes. `npm run generate` writes the tables of README.md and docs/ from them. */
const table = {
    INPUT: {
        exit: 80,
        means: 'an input is wrong; nothing was sent to the network',
        todo: 'The message names each wrong input, its fault and a value that works. If a value was damaged by copying (quotes, lost line ends, a second base64, `REDACTED`), the message has the command that gives the right value. Correct all of them, then run the job again.',
    },
    IDENTITY: {
        exit: 81,
        means: 'the job has no identity, or more than one',
        todo: 'On GitHub the job needs `permissions: id-token: write`; on GitLab it needs the `id_tokens` of the template. If the job has two identities, set `identity`. If the audience is wrong, set `audience`. If an ID token of GitLab has expired, raise `timeout`. kubepass does not send a token that has expired or is not valid yet; the message shows its times. If an internal CA signed the certificate of the ID token service of GitHub, name that CA in `NODE_EXTRA_CA_CERTS`. If the program of a kubeconfig failed, the message shows the last lines of its standard error: to see all of them, run the program in an earlier step.',
    },
    REFUSED: {
        exit: 82,
        means: 'the API server refused',
        todo: 'For 403 the message has the RBAC rule to add, or the message of the admission policy; the API server also answers 403 if the namespace or the ServiceAccount does not exist. For 401 the API server gives no reason: compare the claims in the message with its `--authentication-config`, or its `--oidc` flags (issuer, audience, claim rules), or read its log. For 404 the message has the command that creates the namespace or the ServiceAccount. If the API server answered about another resource than the one in the request, `server` has a path that is not part of the URL.',
    },
    UNREACHABLE: {
        exit: 83,
        means: 'kubepass did not reach the API server, or something else answered in its place',
        todo: 'Check `server`, `certificate_authority` and `tls_server_name`; behind a proxy `proxy_url` or `HTTPS_PROXY`. kubepass trusts only the CA that you give. An answer that is no Kubernetes Status (HTML, other JSON) or a redirect comes from a gateway, a firewall, a captive portal or a login page in between. Before the scan, kubepass tries a host without an address for 5 s only; it retries after other failures until `deadline`. After 3 s the log says so.',
    },
    RIGHTS: {
        exit: 84,
        means: 'the token is not the one that was asked for',
        todo: 'kubepass revoked the token before any use. Look for a gateway that changes requests, or for a signing plugin of the API server.',
    },
    LEAK: { exit: 85, means: 'a secret leaked (reserved)', todo: 'Not in use yet.' },
    NOT_REVOKED: {
        exit: 86,
        means: 'the credential was not revoked; this code takes precedence over all others',
        todo: 'The message says when the token expires. To end it now, delete the Secret that the evidence names: `kubectl delete secret -n NAMESPACE NAME`. Then remove the cause that the message shows: a missing right to delete Secrets, a network failure, or an ID token that has expired.',
    },
    TAMPERED: {
        exit: 87,
        means: "the scan wrote to the runner's command files",
        todo: 'kubepass removed the text from the files, so that no later step uses it. If this was no attack, set variables and outputs for later steps in a separate step. Or name the file in `pass_env`: then the scan may write to it.',
    },
    TIMEOUT: {
        exit: 124,
        means: 'the scan took longer than `max_scan`, so kubepass ended it',
        todo: 'kubepass revoked the credential. Find out what the scan waits for; if it needs more time, raise `max_scan`.',
    },
    COMMAND_NOT_FOUND: {
        exit: 127,
        means: 'the command names no executable program; nothing was sent to the network',
        todo: 'The message names the program. Correct the name, install the program, or make the file executable. A shell also uses 127 for an unknown program.',
    },
    INTERRUPTED: {
        exit: 130,
        means: 'a signal ended the run: SIGHUP (129), SIGINT (130) or SIGTERM (143)',
        todo: 'The job was cancelled, or reached a time limit. kubepass revoked the credential; if it had no time for that, the post step did: read the log of the post step.',
    },
    INTERNAL: { exit: 1, means: 'a defect of kubepass', todo: 'Please report it with the log; the log holds no secret.' },
};
const errorCodes = table;
/** An error that a user can act on. Its texts hold no secret, no unquoted foreign bytes and no response body. */
class KubepassError extends Error {
    code;
    hint;
    noEffect;
    responseTooLarge;
    constructor(code, message, details = {}) {
        super(message, { cause: details.cause });
        this.name = 'KubepassError';
        this.code = code;
        this.hint = details.hint;
        this.noEffect = details.noEffect ?? false;
        this.responseTooLarge = details.responseTooLarge ?? false;
    }
}
function codeOf(error) {
    return error instanceof KubepassError ? error.code : 'INTERNAL';
}
function exitCodeOf(error) {
    return table[codeOf(error)].exit;
}
/** The code that Node.js gives a failed call, such as ENOENT; empty if the error has none. */
function errnoOf(error) {
    return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
/** Returns the message, the chain of causes and the hint, one a line; no stack, because a stack does not help a user. */
function describe(error) {
    const lines = messagesOf(error);
    if (error instanceof KubepassError && error.hint !== undefined)
        lines.push(error.hint);
    return lines.join('\n');
}
/** Returns the message and the chain of causes, without the hint, on one line. */
function reasonOf(error) {
    return messagesOf(error).join(' ').replaceAll(/\s+/g, ' ').trim();
}
/** The message, then the chain of causes. */
function messagesOf(error) {
    const messages = [messageOf(error)];
    for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause))
        messages.push(`Caused by: ${messageOf(cause)}`);
    return messages;
}
function messageOf(error) {
    return error instanceof Error ? error.message : String(error);
}
function causeOf(error) {
    return error instanceof Error ? error.cause : undefined;
}


/***/ }),

/***/ 7541:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   D9: () => (/* binding */ markdownCode),
/* harmony export */   TN: () => (/* binding */ oneLine),
/* harmony export */   UZ: () => (/* binding */ markdownCell),
/* harmony export */   X1: () => (/* binding */ escapeText),
/* harmony export */   cl: () => (/* binding */ quoteValue),
/* harmony export */   hD: () => (/* binding */ quote),
/* harmony export */   qZ: () => (/* binding */ unquoted)
/* harmony export */ });
/**
 * Makes foreign text (claims, branch names, server messages) safe for a log line: quoted, cut and on one line. The result cannot
 * issue a workflow command. The runner reads `::x::` at the start of a line only, but `##[x]` anywhere.
 */
function quote(text, longest = 300) {
    return onOneLine(JSON.stringify(cut(text, longest)));
}
/** Like quote(), without the quotes. */
function escapeText(text, longest = 300) {
    return quote(text, longest).slice(1, -1);
}
/** Like quote(), for any value of a JSON document. The result is JSON, so that no text in it is quoted twice. */
function quoteValue(value) {
    return typeof value === 'string' ? quote(value) : cut(onOneLine(JSON.stringify(value ?? null)), 300);
}
/** Returns the text on one line, cut and without control characters, for a place that shows it as it is. */
function oneLine(text, longest) {
    const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
    return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}
/** Makes foreign text safe for a log line. Unlike quote(), it adds no quotation marks and does not escape those of the text. */
function unquoted(text, longest) {
    return onOneLine(oneLine(text, longest));
}
function cut(text, longest) {
    return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
function onOneLine(json) {
    return json
        .replaceAll(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .replaceAll('##[', '##\\u005b');
}
/** Returns Markdown that shows the text literally in a cell of a table. Markdown removes the backslash before a pipe only inside a table. */
function markdownCell(text) {
    return markdownCode(text).replaceAll('|', '\\|');
}
/** Returns Markdown that shows the text literally outside of a table. */
function markdownCode(text) {
    const oneLine = text.replaceAll(/\s+/g, ' ');
    const longestRun = Math.max(0, ...[...oneLine.matchAll(/`+/g)].map((run) => run[0].length));
    const fence = '`'.repeat(longestRun + 1);
    const pad = longestRun > 0 ? ' ' : '';
    return `${fence}${pad}${oneLine}${pad}${fence}`;
}


/***/ }),

/***/ 6496:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   KW: () => (/* binding */ relativeTime),
/* harmony export */   Ly: () => (/* binding */ isoTime),
/* harmony export */   S5: () => (/* binding */ durationText),
/* harmony export */   dZ: () => (/* binding */ isIsoTime)
/* harmony export */ });
/** Describes a time relative to `now`, such as "in 5 minutes". Both are seconds since 1970. */
function relativeTime(seconds, now) {
    const between = Math.round(seconds - now);
    const [unit, size] = [
        ['day', 86400],
        ['hour', 3600],
        ['minute', 60],
    ].find(([, length]) => Math.abs(between) >= length) ?? ['second', 1];
    return new Intl.RelativeTimeFormat('en').format(Math.trunc(between / size), unit);
}
/** Describes the length of a time in whole units, such as "5 min 12 s". */
function durationText(seconds) {
    const whole = Math.round(seconds);
    if (whole < 1)
        return 'less than 1 s';
    if (whole < 60)
        return `${whole} s`;
    return whole < 3600
        ? `${Math.floor(whole / 60)} min ${whole % 60} s`
        : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
/** Whether a text from outside is a time as kubepass writes it. */
function isIsoTime(text) {
    return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) && !Number.isNaN(Date.parse(text));
}
/** @param seconds since 1970 */
function isoTime(seconds) {
    return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}


/***/ }),

/***/ 8812:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   h: () => (/* binding */ parseCertificate),
/* harmony export */   y: () => (/* binding */ parseCertificateAuthority)
/* harmony export */ });
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7598);
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_crypto__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _damage_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(885);
/* harmony import */ var _invalid_value_js__WEBPACK_IMPORTED_MODULE_5__ = __nccwpck_require__(6033);
/* harmony import */ var _path_or_content_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(8789);
/* harmony import */ var _pem_js__WEBPACK_IMPORTED_MODULE_4__ = __nccwpck_require__(1452);
/* harmony import */ var _small_file_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(400);






/** Returns the certificates as PEM. The input is PEM, its base64, or the path of a file with either. */
function parseCertificateAuthority(text, readFile = _small_file_js__WEBPACK_IMPORTED_MODULE_3__/* .readSmallFile */ .EW) {
    const pem = (0,_pem_js__WEBPACK_IMPORTED_MODULE_4__/* .pemOf */ ._)(text);
    if (pem === undefined && (0,_path_or_content_js__WEBPACK_IMPORTED_MODULE_2__/* .isNoPath */ .F)(text))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_5__/* .InvalidValue */ .h((0,_damage_js__WEBPACK_IMPORTED_MODULE_1__/* .damageOfPem */ .fZ)(text, 'certificate') ?? 'is neither a certificate nor the path of one');
    return parseCertificate(pem ?? readFile(text).trim());
}
/**
 * Returns the certificates in PEM or its base64, without any other block, such as a private key. As in the Go clients, unreadable
 * certificates are skipped, because the others trust no more than before.
 */
function parseCertificate(text) {
    const certificates = (0,_pem_js__WEBPACK_IMPORTED_MODULE_4__/* .pemBlocks */ .P)((0,_pem_js__WEBPACK_IMPORTED_MODULE_4__/* .pemOf */ ._)(text) ?? '')
        .filter(({ label, hasHeaders }) => label === 'CERTIFICATE' && !hasHeaders)
        .flatMap(({ der }) => certificateIn(der) ?? []);
    if (certificates.length === 0)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_5__/* .InvalidValue */ .h((0,_damage_js__WEBPACK_IMPORTED_MODULE_1__/* .damageOfPem */ .fZ)(text, 'certificate') ?? 'holds no certificate that can be read');
    return certificates.join('');
}
function certificateIn(der) {
    try {
        return new node_crypto__WEBPACK_IMPORTED_MODULE_0__.X509Certificate(der).toString();
    }
    catch {
        return undefined;
    }
}


/***/ }),

/***/ 885:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   KB: () => (/* binding */ damageOfKubeconfig),
/* harmony export */   Q8: () => (/* binding */ damageOfToken),
/* harmony export */   V6: () => (/* binding */ placeholderProblem),
/* harmony export */   fZ: () => (/* binding */ damageOfPem),
/* harmony export */   jf: () => (/* binding */ tokenIn)
/* harmony export */ });
/* harmony import */ var _inputs_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(4389);

// Users damage values when they copy them into an input. Each function returns the fault and the command that gives the right
// value. The caller puts the name of the input, or of the field, before that text. No text contains the value itself.
const STORE = "Store it as it is: printf %s 'TOKEN' | gh secret set NAME (GitLab: glab variable set NAME)";
const PEM = 'Store the file as it is: gh secret set NAME < FILE (GitLab: glab variable set NAME < FILE); or on one line: base64 -w0 FILE';
const KUBECONFIG = 'Store it on one line: kubectl config view --raw --flatten --minify | base64 -w0';
const TWICE = 'is base64 twice over';
const UTF_16 = 'is UTF-16, as > of Windows PowerShell writes it. In UTF-8: | Out-File -Encoding ascii FILE';
const JWT = /eyJ[\w-]{5,}\.[\w-]{2,}\.[\w-]+/;
const JWT_ALONE = new RegExp(`^${JWT.source}$`);
/** The tokens of OpenShift and EKS, which are no JWTs. */
const OPAQUE = /^(sha256~|k8s-aws-v1\.)[\w-]{16,}$/;
/** The fault if the text is a placeholder, such as a mask or the name of a variable; undefined if it is none. */
function placeholderProblem(text) {
    const bare = unquoted(text.trim());
    if (/^(REDACTED|DATA\+OMITTED)$/.test(bare))
        return `is ${bare}, which kubectl config view shows in place of the value. The value itself: kubectl config view --raw --flatten --minify`;
    if (/^(\*{3,}|\[MASKED\]|\[secret\]|<(redacted|hidden|sensitive)>)$/i.test(bare))
        return 'is the mask that a log shows in place of the value';
    if (/^(null|undefined|none|nil|<nil>|<none>|<no value>|<unset>)$/i.test(bare))
        return `is ${bare}, which a program prints when there is no value`;
    if (/^\$\{\{[^{}]*\}\}$/.test(bare))
        return 'is an expression that GitHub Actions evaluates in a workflow, and that was not evaluated here';
    if (/^\$(\w+|\{\w+\}|\(\w+\)|env:\w+)$|^%\w+%$/.test(bare))
        return 'is the name of a variable, not its value: is the variable set?';
    return _inputs_js__WEBPACK_IMPORTED_MODULE_0__/* .inputIds */ .Zp.some((id) => _inputs_js__WEBPACK_IMPORTED_MODULE_0__/* .inputs */ .QL[id].example.length >= 16 && _inputs_js__WEBPACK_IMPORTED_MODULE_0__/* .inputs */ .QL[id].example === bare)
        ? 'is the example of the documentation'
        : undefined;
}
/** The faults of a token. The first that a text has is reported. */
const TOKEN_DAMAGE = [
    { fault: UTF_16, isIn: isUtf16 },
    { fault: 'is a certificate or a key, not a token', isIn: isPem },
    { fault: 'is a JSON document, not the token in it. The token alone: jq -r .status.token FILE', isIn: (text) => text.startsWith('{') },
    {
        fault: 'is a kubeconfig, not a token: give it as kubeconfig',
        isIn: (text) => /(^|\s)(clusters|users|current-context):/.test(text),
    },
    { fault: `is in quotes. ${STORE}`, isIn: isQuoted },
    {
        fault: `begins with a word of the HTTP header, such as Bearer. ${STORE}`,
        isIn: (text) => /^(authorization:\s*)?(bearer|basic|token)(\s|%20)/i.test(text),
    },
    { fault: `ends with a line end that is written out, such as \\n. ${STORE}`, isIn: (text) => /(\\+[rn]|%0[aAdD])$/.test(text) },
    {
        fault: `begins with the name of a variable or a field. ${STORE}`,
        isIn: (text) => /^(export\s+)?[A-Za-z_]\w*\s*[=:]/.test(text) && JWT.test(text),
    },
    { fault: `is broken into parts by blanks or line ends. ${STORE}`, isIn: (text) => /\s/.test(text) && isToken(withoutSpace(text)) },
    {
        fault: "is the base64 of a token, as kubectl shows the data of a Secret. The token itself: kubectl get secret NAME -o jsonpath='{.data.token}' | base64 -d",
        isIn: (text) => decodings(text).some(isToken),
    },
];
/** The fault of a text that should be a token. */
function damageOfToken(text) {
    return TOKEN_DAMAGE.find(({ isIn }) => isIn(text))?.fault;
}
/** The token inside a damaged text. */
function tokenIn(text) {
    return [text, withoutSpace(text), ...decodings(text)].flatMap((each) => JWT.exec(each)?.[0] ?? [])[0];
}
/** The fault of a text in which Node.js finds no certificate, or no private key. */
function damageOfPem(text, wanted) {
    const common = damageOfAny(text);
    if (common !== undefined)
        return common;
    const [once = '', twice = ''] = decodings(text);
    const pem = [text, once, twice].find(isPem);
    if (pem === undefined) {
        const label = wanted.toUpperCase();
        return isDer(text) ? `lacks the lines -----BEGIN ${label}----- and -----END ${label}-----. ${PEM}` : undefined;
    }
    const damage = pem === twice ? TWICE : (damageOfBlock(pem) ?? damageAroundBlocks(pem));
    return damage === undefined ? contentInPlaceOf(wanted, pem) : `${damage}. ${PEM}`;
}
/** The fault of the line ends and of the end of the first block of a PEM. */
function damageOfBlock(pem) {
    if (/\\+[rn]/.test(pem))
        return 'has \\n as text in place of its line ends';
    if (/%0[ad]/i.test(pem))
        return 'has %0A as text in place of its line ends';
    const [block, label = ''] = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/.exec(pem) ?? [];
    if (block === undefined)
        return 'lacks its line -----END: it was cut off';
    if (/[\r\n]/.test(block))
        return undefined;
    const inside = block.slice(`-----BEGIN ${label}-----`.length, -`-----END ${label}-----`.length);
    return /\S\s+\S/.test(inside) ? 'has blanks in place of its line ends' : 'has lost its line ends';
}
function damageAroundBlocks(pem) {
    if (/^[ \t]+\S/m.test(pem))
        return 'has blanks before its lines';
    return isQuoted(pem) ? 'is in quotes' : undefined;
}
/** What an undamaged PEM holds, if that is not what was wanted. */
function contentInPlaceOf(wanted, pem) {
    const labels = [...new Set([...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, each = '']) => each.toLowerCase()))];
    return labels.some((each) => each.endsWith(wanted)) ? undefined : `holds no ${wanted} that can be read, but a ${labels.join(' and a ')}`;
}
/** The fault of a text that should be the content of a kubeconfig. */
function damageOfKubeconfig(text) {
    const common = damageOfAny(text);
    if (common !== undefined)
        return common;
    const [once = '', twice = ''] = decodings(text);
    const yaml = [text, once, twice].find(isKubeconfig);
    if (yaml === undefined)
        return undefined;
    const damage = yaml === twice ? TWICE : isQuoted(text) ? 'is in quotes' : damageOfLines(yaml);
    if (damage !== undefined)
        return `${damage}. ${KUBECONFIG}`;
    return yaml === once ? 'is base64, and must be decoded where a file holds it: base64 -d' : undefined;
}
/** The fault of the lines of a kubeconfig. A kubeconfig in JSON may be on one line. */
function damageOfLines(yaml) {
    const lines = yaml.trim().split(/\r\n|\n|\r/);
    if (lines.length < 3 && /\\+n/.test(yaml))
        return 'has \\n as text in place of its line ends';
    if (lines.length === 1)
        return yaml.trim().startsWith('{') ? undefined : 'is on one line: its line ends are lost';
    return lines.every((line) => !/^[\s{]/.test(line)) ? 'has lost the blanks at the beginning of its lines' : undefined;
}
/** The faults that a text of any kind can have. */
function damageOfAny(text) {
    return placeholderProblem(text) ?? (isUtf16(text) ? UTF_16 : undefined);
}
function isUtf16(text) {
    return /^\ufffd*([\t-~]\0){4}/.test(text) || /^\ufffd*(\0[\t-~]){4}/.test(text);
}
function isToken(text) {
    return JWT_ALONE.test(text.trim()) || OPAQUE.test(text.trim());
}
function isPem(text) {
    return text.includes('-----BEGIN');
}
function isKubeconfig(text) {
    return text.includes('clusters') && text.includes('contexts');
}
function isQuoted(text) {
    return /^\\?(["'`])[^]*\1$/.test(text.trim());
}
function unquoted(text) {
    return text.replaceAll(/^["'`]|["'`]$/g, '');
}
/** Whether a text looks like the base64 of DER. Most certificates and keys are an ASN.1 sequence with two bytes of length. */
function isDer(text) {
    return /^MI[A-Za-z0-9+/=\s]{100,}$/.test(text.trim());
}
function withoutSpace(text) {
    return text.replaceAll(/\s+/g, '');
}
/** Decodes base64 once and twice, as far as the result is text. */
function decodings(text) {
    const results = [];
    for (let encoded = unquoted(withoutSpace(text)); results.length < 2 && /^[\w+/-]{16,}={0,2}$/.test(encoded);) {
        const decoded = Buffer.from(encoded, 'base64').toString();
        if (/[^\P{Cc}\t\n\r]|\ufffd/u.test(decoded))
            break;
        results.push(decoded);
        encoded = withoutSpace(decoded);
    }
    return results;
}


/***/ }),

/***/ 4389:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   QL: () => (/* binding */ inputs),
/* harmony export */   Ql: () => (/* binding */ exampleOf),
/* harmony export */   Zp: () => (/* binding */ inputIds),
/* harmony export */   dQ: () => (/* binding */ NO_AUDIENCE)
/* harmony export */ });
/* unused harmony exports optionsOn, outputs */
const table = {
    server: {
        description: 'URL of the Kubernetes API server, https only; a path prefix, as in Rancher, is kept.',
        example: 'https://10.0.0.1:6443',
        default: '',
        required: 'unless kubeconfig or in-cluster',
        guard: String.raw `^(|https://[A-Za-z0-9.:/_~%\[\]-]+)$`,
    },
    certificate_authority: {
        description: "The API server's CA certificate: PEM text, its base64, or the path of a file with either. system: the public CAs that the system trusts, also with a kubeconfig that has no CA.",
        example: '/etc/kubernetes/pki/ca.crt',
        default: '',
        path: 'file',
        required: 'unless kubeconfig or in-cluster',
        guard: String.raw `^[A-Za-z0-9+/=._ \r\n-]*$`,
    },
    service_account: {
        description: 'The ServiceAccount whose token the scan gets, as NAMESPACE/NAME.',
        example: 'kubepass/scanner',
        default: '',
        required: true,
        guard: '^[a-z0-9.-]+/[a-z0-9.-]+$',
    },
    namespace: {
        description: "The default namespace in the scan's kubeconfig; the ServiceAccount's own when empty.",
        example: 'payments',
        default: '',
    },
    context_name: {
        description: "Name of cluster, context and user in the scan's kubeconfig, which scanners print as the account; the server's host and port when empty.",
        example: 'production',
        default: '',
    },
    command: {
        description: 'The scan, run by bash with -eo pipefail. On GitHub, without a command, later steps of the job can use the credential.',
        example: 'kubectl get pods',
        default: '',
    },
    shell: {
        description: 'The shell that runs the command. sh has no pipefail, so that a failure inside a pipe is lost.',
        example: 'bash',
        default: 'bash',
        options: ['bash', 'sh'],
    },
    accept_exit_codes: {
        description: 'Exit codes of the scan that count as success on a CI, separated by commas; 0,100,101 suits CINC Auditor.',
        example: '0,100,101',
        default: '0',
        ciOnly: true,
    },
    env: {
        description: "The scan's environment: inherit (without the runner's secrets) or clean (PATH, HOME, locale and pass_env only).",
        example: 'clean',
        default: 'inherit',
        options: ['inherit', 'clean'],
    },
    pass_env: {
        description: 'Names of variables that the scan gets although kubepass would withhold them, separated by commas or spaces.',
        example: 'AWS_REGION,HTTPS_PROXY',
        default: '',
    },
    isolate: {
        description: "Whether the scan runs in its own user and PID namespaces, so that an ordinary user's scan cannot reach kubepass: auto (if the machine allows it), required (not as root), or off (for sudo, rootless containers, ssh with root's included configuration, or a scan that sees other processes).",
        example: 'auto',
        default: 'auto',
        options: ['auto', 'required', 'off'],
        guard: '^(auto|required|off)$',
    },
    identity: {
        description: 'Who the job is to the API server. auto uses the given token or kubeconfig, else the only identity that the job has.',
        example: 'github-oidc',
        default: 'auto',
        options: ['auto', 'token', 'github-oidc', 'gitlab-oidc', 'kubeconfig', 'in-cluster'],
        optionsOnly: { 'github-oidc': 'github', 'gitlab-oidc': 'gitlab' },
        guard: '^[a-z-]*$',
    },
    token: {
        description: 'Identity "token": any bearer token that the API server accepts.',
        example: 'eyJhbGciOiJSUzI1NiIs...',
        default: '',
        secret: true,
    },
    token_file: {
        description: 'Identity "token": the path of a file with the token; in a terminal also a pipe or - (standard input).',
        example: '/var/run/secrets/token',
        default: '',
        path: 'file',
    },
    kubeconfig: {
        description: 'Identity "kubeconfig": the path of a kubeconfig; on a CI also its content or the base64 of it, in a terminal also a pipe or - (standard input). It also names the API server.',
        example: '/etc/kubepass/kubeconfig',
        default: '',
        path: 'file',
        secret: 'unless a path',
    },
    context: {
        description: 'Identity "kubeconfig": the context to use; its current-context when empty.',
        example: 'production',
        default: '',
        guard: '^[A-Za-z0-9.:@_/-]*$',
    },
    allow_exec: {
        description: 'Identity "kubeconfig": whether it may name a program (exec) that kubepass runs to get the credential.',
        example: 'true',
        default: 'false',
        options: ['true', 'false'],
        guard: '^(true|false)$',
    },
    allow_own_kubeconfig: {
        description: 'Whether the command may name a kubeconfig of the caller: a file of KUBECONFIG, ~/.kube/config, or the input kubeconfig.',
        example: 'true',
        default: 'false',
        options: ['true', 'false'],
        guard: '^(true|false)$',
    },
    allow: {
        description: 'Which requests of the scan may pass: granted (all that RBAC grants), read (get, list, watch, logs and self reviews), or RBAC rules as YAML or the path of a file. It can only narrow what RBAC grants.',
        example: 'read',
        default: 'granted',
        path: 'file',
        // Without quotes: a rule without apiGroups is for the core group.
        guard: String.raw `^[A-Za-z0-9._:/,*{}\[\] \r\n-]*$`,
    },
    audience: {
        description: "Audience of the job's ID token. Give the server's URL, so that no other cluster can use the token. On GitHub that is the default; on GitLab only the identity gitlab-oidc needs it.",
        example: 'https://10.0.0.1:6443',
        default: '',
        ciOnly: true,
        guard: String.raw `^[^'\s]*$`,
    },
    duration: {
        description: 'Life of the credential, from 10m: 15m, 900s, 1h or seconds.',
        example: '15m',
        default: '15m',
    },
    max_duration: {
        description: 'The longest allowed duration of one credential. max_scan limits how long a scan has access.',
        example: '2h',
        default: '60m',
    },
    rotate_grace: {
        description: 'If a scan outlives its credential: how long after the renewal kubepass revokes the old credential; when empty, the old one lives until its expiry. From 60s, only for scans that re-read the kubeconfig, as Go programs do.',
        example: '120s',
        default: '',
    },
    max_scan: {
        description: 'The longest time that the scan may take. Then kubepass ends the scan and revokes the credential.',
        example: '45m',
        default: '6h',
    },
    token_audiences: {
        description: "Audiences of the credential, separated by commas or spaces; the API server's own when empty.",
        example: 'https://vault.example.com',
        default: '',
    },
    revocation: {
        description: 'required: kubepass fails unless it can revoke, and does revoke, the credential. best-effort: if it cannot, it warns and goes on.',
        example: 'required',
        default: 'required',
        options: ['required', 'best-effort'],
    },
    prove: {
        description: 'When to prove that the credential is dead: wait (after the scan, up to 15 s), post (in the post step, on GitHub), off.',
        example: 'wait',
        default: 'wait',
        options: ['wait', 'post', 'off'],
        optionsOnly: { post: 'github' },
    },
    proof_samples: {
        description: 'How many refusals in a row, each on a new connection, make the proof. Give more for API servers behind a load balancer.',
        example: '3',
        default: '3',
    },
    delivery: {
        description: 'How the scan reaches the API server: through the API proxy of kubepass (proxy), so that it never gets the token; with the token in its kubeconfig (kubeconfig), for a scan that cannot reach 127.0.0.1; also with the token in a variable (env), or in the output "token" (output, on GitHub). auto: proxy with a command, else kubeconfig.',
        example: 'auto',
        default: 'auto',
        options: ['auto', 'proxy', 'kubeconfig', 'env', 'output'],
        optionsOnly: { output: 'github' },
        guard: '^(auto|proxy|kubeconfig|env|output)$',
    },
    token_variable: {
        description: 'Delivery "env": the variable\'s name. A second variable, which ends in _FILE, names the file of the token.',
        example: 'KUBE_TOKEN',
        default: 'KUBE_TOKEN',
    },
    directory: {
        description: "The folder in which kubepass creates the private directory of the kubeconfig; the runner's temp when empty, /dev/shm for memory only.",
        example: '/dev/shm',
        default: '',
        path: 'folder',
    },
    proxy_url: {
        description: 'HTTP proxy to the API server, for kubepass and the kubeconfig.',
        example: 'http://proxy.example.com:3128',
        default: '',
    },
    tls_server_name: {
        description: "The name in the API server's certificate, if it differs from the URL's host.",
        example: 'kubernetes.default.svc',
        default: '',
        guard: '^[A-Za-z0-9.-]*$',
    },
    deadline: {
        description: 'Time limit for everything before the scan, and again for the revocation after it.',
        example: '60s',
        default: '60s',
    },
    evidence: {
        description: 'File to write the evidence to, as JSON (schema: docs/evidence.schema.json); kubepass creates its folder. In a terminal - is standard output.',
        example: 'kubepass-evidence.json',
        default: '',
        path: 'file',
    },
    requests: {
        description: 'File with one line of JSON for each request of the scan; kubepass creates its folder. It needs the API proxy.',
        example: 'kubepass-requests.jsonl',
        default: '',
        path: 'file',
    },
    report: {
        description: 'Where kubepass shows the evidence besides the log: summary (of the job), or check (also a check run; needs checks: write).',
        example: 'check',
        default: 'summary',
        options: ['summary', 'check'],
        ciOnly: true,
        only: 'github',
    },
    github_token: {
        description: 'The token that creates the check run.',
        example: '${{ github.token }}',
        default: '',
        actionDefault: '${{ github.token }}',
        secret: true,
        ciOnly: true,
        only: 'github',
    },
    allow_debug_trace: {
        description: 'Run although CI_DEBUG_TRACE shows every variable, and so the ID token, in the log.',
        example: 'false',
        default: 'false',
        options: ['true', 'false'],
        ciOnly: true,
        only: 'gitlab',
        guard: '^(true|false)$',
    },
};
const inputs = table;
const inputIds = Object.keys(table);
/** The options that a platform does not refuse; undefined if the input has no options. */
function optionsOn(platform, id) {
    const { options, optionsOnly = {} } = inputs[id];
    return options?.filter((option) => [undefined, platform].includes(optionsOnly[option]));
}
/** The part of a message that shows a valid value. */
function exampleOf(id) {
    return `for example: ${inputs[id].example}`;
}
/**
 * The audience on GitLab if the job gives none, because its identity needs no ID token. GitLab issues an ID token anyway, and no
 * cluster accepts a token with this audience.
 */
const NO_AUDIENCE = 'no-audience.invalid';
/** The outputs of the action, for later steps of a GitHub job. */
const outputs = {
    kubeconfig: { description: 'Path of the kubeconfig (without command).' },
    expires_at: { description: 'When the credential expires by itself, ISO 8601.' },
    credential_id: { description: "The credential's id as the audit log writes it: JTI=..." },
    exit_code: { description: "The scan's own exit code (with command)." },
    token: { description: 'The token itself, masked; only with delivery: output.' },
    token_file: { description: 'Path of the file with the token; only with delivery: output.' },
};


/***/ }),

/***/ 6033:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   D: () => (/* binding */ explainInvalid),
/* harmony export */   h: () => (/* binding */ InvalidValue)
/* harmony export */ });
/** The fault of a value. The message follows the name of the input or of the field, such as "is too short". */
class InvalidValue extends Error {
}
/**
 * Reads a value.
 * @param toError makes the error for the user from the fault of an invalid value
 * @throws what `toError` returns, or any other error of `read`
 */
function explainInvalid(read, toError) {
    try {
        return read();
    }
    catch (error) {
        throw error instanceof InvalidValue ? toError(error.message) : error;
    }
}


/***/ }),

/***/ 4358:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   E9: () => (/* binding */ parseDuration),
/* harmony export */   HU: () => (/* binding */ parseChoice),
/* harmony export */   I8: () => (/* binding */ parseExitCodes),
/* harmony export */   LM: () => (/* binding */ parseNamespace),
/* harmony export */   O0: () => (/* binding */ parseDeadline),
/* harmony export */   OE: () => (/* binding */ parseVariableNames),
/* harmony export */   QA: () => (/* binding */ parseAudience),
/* harmony export */   Vv: () => (/* binding */ parseMaxScan),
/* harmony export */   XJ: () => (/* binding */ parseTokenVariable),
/* harmony export */   YA: () => (/* binding */ parseServiceAccount),
/* harmony export */   YR: () => (/* binding */ parseProxy),
/* harmony export */   ey: () => (/* binding */ parseServerName),
/* harmony export */   g1: () => (/* binding */ parseContextName),
/* harmony export */   kx: () => (/* binding */ parseGrace),
/* harmony export */   ld: () => (/* binding */ parseServer),
/* harmony export */   rI: () => (/* binding */ parseSamples),
/* harmony export */   ry: () => (/* binding */ splitList),
/* harmony export */   w6: () => (/* binding */ parseLife)
/* harmony export */ });
/* unused harmony exports isLabel, isSubdomain */
/* harmony import */ var node_net__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7030);
/* harmony import */ var node_net__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_net__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _base_quote_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(7541);
/* harmony import */ var _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(6033);



function parseServiceAccount(text) {
    const [namespace = '', name = '', ...more] = text.split('/');
    if (more.length > 0 || !isLabel(namespace) || !isSubdomain(name))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not NAMESPACE/NAME`);
    return { namespace, name };
}
function parseNamespace(text) {
    if (!isLabel(text))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not the name of a namespace`);
    return text;
}
/** The allowed characters are few, because clients print the name, use it in file names and take it as an argument. */
function parseContextName(text) {
    if (text.length > 253 || !/^[A-Za-z0-9[][A-Za-z0-9.:@_/[\]-]*$/.test(text))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not a name of letters, digits and . : @ _ / [ ] -, of at most 253 characters`);
    return text;
}
function parseDuration(text) {
    const [, number = '', unit = ''] = /^(\d{1,7})(s|m|h|)$/.exec(text) ?? [];
    if (number === '')
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not a duration`);
    return Number(number) * { s: 1, m: 60, h: 3600, '': 1 }[unit];
}
function parseDeadline(text) {
    const seconds = parseDuration(text);
    if (seconds < 1 || seconds > 600)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not from 1s to 10m`);
    return seconds;
}
function parseGrace(text) {
    const seconds = parseDuration(text);
    // https://github.com/kubernetes/kubernetes/blob/v1.36.2/staging/src/k8s.io/client-go/transport/token_source.go
    if (seconds < 60)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}: Go programs re-read a token once a minute, so that a shorter time cuts them off`);
    return seconds;
}
function parseMaxScan(text) {
    const seconds = parseDuration(text);
    if (seconds < 1 || seconds > 24 * 3600)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not from 1s to 24h`);
    return seconds;
}
function parseLife(text, longest, nameOfLongest) {
    const seconds = parseDuration(text);
    if (seconds < 600)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}: the API server issues no token for less than 10 minutes`);
    if (seconds > longest)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, over the limit of ${longest} s; to allow it, raise ${nameOfLongest}`);
    return seconds;
}
function parseExitCodes(text) {
    return splitList(text).map((word) => {
        const code = Number(word);
        if (!Number.isInteger(code) || code < 0 || code > 255)
            throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`holds ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(word)}, not a number from 0 to 255`);
        return code;
    });
}
function parseSamples(text) {
    const samples = Number(text);
    if (!Number.isInteger(samples) || samples < 1 || samples > 20)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not a number from 1 to 20`);
    return samples;
}
function splitList(text) {
    return text.split(/[\s,]+/).filter((word) => word !== '');
}
/** @returns the text, which is one of the allowed words */
function parseChoice(text, allowed) {
    if (!allowed.includes(text))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not one of ${allowed.join(', ')}`);
    return text;
}
function parseAudience(text) {
    if (/[\s\p{Cc}]/u.test(text))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h('holds white space or control characters');
    return text;
}
function parseVariableNames(text) {
    const names = splitList(text);
    const wrong = names.find((name) => !isVariableName(name));
    if (wrong !== undefined)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`holds ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(wrong)}, not the name of a variable`);
    return names;
}
function parseTokenVariable(text) {
    if (!isVariableName(text) || /^(PATH|HOME|NODE_OPTIONS|KUBECONFIG|KUBE_CONFIG_PATH|GITHUB_.*|RUNNER_.*|KUBEPASS_.*|LD_.*)$/.test(text)) {
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, not a name that a token may have`);
    }
    return text;
}
function isVariableName(text) {
    return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}
function parseServer(text) {
    const url = parseUrl(text);
    if (url.username !== '' || url.password !== '')
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h('holds a user name or password');
    if (url.protocol !== 'https:')
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}: only https carries a token`);
    if (url.search !== '' || url.hash !== '')
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h('holds a query or fragment');
    return url.href.replace(/\/$/, '');
}
function parseProxy(text) {
    const url = parseUrl(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h('is neither http nor https');
    if (url.username !== '' || url.password !== '')
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h('holds a user name or password, which the kubeconfig would show to the scan');
    return url;
}
function parseUrl(text) {
    if (/[\s\p{Cc}]/u.test(text))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h('holds white space or control characters');
    const url = URL.parse(text);
    // The message does not quote the text, because it may contain a password.
    if (url === null)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h('is not a URL (such as https://10.0.0.1:6443)');
    return url;
}
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
function isLabel(text) {
    return text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);
}
function isSubdomain(text) {
    return text.length <= 253 && text.split('.').every((part) => part !== '' && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(part));
}
function parseServerName(text) {
    if (!isSubdomain(text.toLowerCase()) && (0,node_net__WEBPACK_IMPORTED_MODULE_0__.isIP)(text) === 0)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_1__/* .InvalidValue */ .h(`is ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_2__/* .quote */ .hD)(text)}, neither a host name nor an IP address`);
    return text;
}


/***/ }),

/***/ 8789:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   F: () => (/* binding */ isNoPath),
/* harmony export */   r: () => (/* binding */ kubeconfigContent)
/* harmony export */ });
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(6760);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__nccwpck_require__.n(node_path__WEBPACK_IMPORTED_MODULE_1__);


/** A run of letters and digits that looks random: mixed and 12 or longer, or 24 or longer. */
const RANDOM = /(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{12,}|[a-z\d]{24,}/i;
/** The content of a kubeconfig from the text or its base64; undefined if the text can only be a path. */
function kubeconfigContent(text) {
    const decoded = /^[\w+/=\s-]*$/.test(text) ? Buffer.from(text, 'base64').toString() : '';
    if (/\bclusters\b/.test(decoded))
        return decoded;
    return /[\n\r{]|:\s/.test(text) ? text : undefined;
}
/** Whether the text may be a token or a key in place of the path of its file. Then no message may quote it. */
function isNoPath(text, folder = '') {
    if ((0,node_fs__WEBPACK_IMPORTED_MODULE_0__.existsSync)((0,node_path__WEBPACK_IMPORTED_MODULE_1__.resolve)(folder, text)))
        return false;
    if (/^eyJ|^LS0tLS1CRUdJTi|-----BEGIN|\n/.test(text) || text.length > 200)
        return true;
    if (/^(\.{0,2}|~)\//.test(text))
        return false;
    return RANDOM.test(text) || !(text.includes('/') || /^[\w.-]+$/.test(text));
}


/***/ }),

/***/ 1452:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   P: () => (/* binding */ pemBlocks),
/* harmony export */   _: () => (/* binding */ pemOf)
/* harmony export */ });
/**
 * The body ends before five dashes, so that the search takes linear time in a text with many BEGIN lines. A header may contain
 * single dashes.
 */
const BLOCK = /^[ \t]*-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n((?:[^-]|-(?!----))*)-----END \1-----/gm;
/** The blocks of a PEM text, in order. As in Go and OpenSSL, text between the blocks is skipped. */
function pemBlocks(text) {
    return [...text.matchAll(BLOCK)].map(([, label = '', body = '']) => ({
        label,
        der: Buffer.from(body, 'base64'),
        hasHeaders: body.includes(':'),
    }));
}
/** The PEM in the text or in its base64; undefined if neither is PEM. */
function pemOf(text) {
    if (text.includes('-----BEGIN'))
        return text;
    const decoded = Buffer.from(text, 'base64').toString('latin1');
    return decoded.includes('-----BEGIN') ? decoded : undefined;
}


/***/ }),

/***/ 4074:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   FD: () => (/* binding */ sealKey),
/* harmony export */   ce: () => (/* binding */ checkKeyPair),
/* harmony export */   fh: () => (/* binding */ sealToken)
/* harmony export */ });
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(7598);
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_crypto__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _damage_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(885);
/* harmony import */ var _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(6033);
/* harmony import */ var _pem_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(1452);




/** API servers accept no header of this size. */
const LONGEST_TOKEN = 64 * 1024;
/** Reads the first private key in PEM or its base64, even if its label names the wrong format. Returns it as PKCS#8. */
function sealKey(text, seal) {
    const pem = (0,_pem_js__WEBPACK_IMPORTED_MODULE_2__/* .pemOf */ ._)(text);
    if (pem === undefined) {
        if (text.length >= 16)
            seal(text);
        throw noKeyIn(text);
    }
    const sealed = seal(pem);
    // Sealed as the kubeconfig has it, too: the base64 of a kubeconfig contains the base64 of this text.
    if (pem !== text)
        seal(text.replaceAll(/\s/g, ''));
    const block = (0,_pem_js__WEBPACK_IMPORTED_MODULE_2__/* .pemBlocks */ .P)(pem).find(({ label }) => / ?PRIVATE KEY$/.test(label));
    if (block?.label === 'ENCRYPTED PRIVATE KEY' || block?.hasHeaders === true)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h('is encrypted, and kubepass cannot ask for its password: decrypt it (openssl pkey)');
    const key = block && keyIn(block.der);
    if (key === undefined)
        throw noKeyIn(text);
    const usable = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    return usable.trim() === pem.trim() ? sealed : seal(usable);
}
function noKeyIn(text) {
    return new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h((0,_damage_js__WEBPACK_IMPORTED_MODULE_1__/* .damageOfPem */ .fZ)(text, 'private key') ?? 'holds no private key that can be read');
}
/** Tries each format, because tools disagree on the label. */
function keyIn(der) {
    for (const type of ['pkcs1', 'pkcs8', 'sec1']) {
        try {
            return (0,node_crypto__WEBPACK_IMPORTED_MODULE_0__.createPrivateKey)({ key: der, format: 'der', type });
        }
        catch {
            // The key has another format.
        }
    }
    return undefined;
}
function sealToken(text, seal) {
    const token = text.trim();
    const placeholder = (0,_damage_js__WEBPACK_IMPORTED_MODULE_1__/* .placeholderProblem */ .V6)(token);
    if (placeholder !== undefined)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h(placeholder);
    if (token.length < 16)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h('is too short to be a token');
    if (token.length > LONGEST_TOKEN)
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h('is too long to be a token');
    // Sealed before the checks, so that no message can show it.
    const sealed = seal(token);
    const damage = (0,_damage_js__WEBPACK_IMPORTED_MODULE_1__/* .damageOfToken */ .Q8)(token);
    if (damage !== undefined) {
        seal((0,_damage_js__WEBPACK_IMPORTED_MODULE_1__/* .tokenIn */ .jf)(token) ?? token);
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h(damage);
    }
    if (!/^[\x21-\x7e]+$/.test(token))
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h('holds characters that no bearer token has (white space, line ends, non-ASCII)');
    return sealed;
}
/** @throws InvalidValue if the key does not belong to the certificate */
function checkKeyPair(pair) {
    if (new node_crypto__WEBPACK_IMPORTED_MODULE_0__.X509Certificate(pair.certificate).checkPrivateKey((0,node_crypto__WEBPACK_IMPORTED_MODULE_0__.createPrivateKey)(pair.key.reveal())))
        return pair;
    throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_3__/* .InvalidValue */ .h('does not belong to its key');
}


/***/ }),

/***/ 400:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   EW: () => (/* binding */ readSmallFile),
/* harmony export */   K7: () => (/* binding */ LARGEST_FILE),
/* harmony export */   r7: () => (/* binding */ textIn)
/* harmony export */ });
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _base_errors_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(4758);
/* harmony import */ var _base_quote_js__WEBPACK_IMPORTED_MODULE_3__ = __nccwpck_require__(7541);
/* harmony import */ var _invalid_value_js__WEBPACK_IMPORTED_MODULE_2__ = __nccwpck_require__(6033);




/** Every file that kubepass needs is smaller. */
const LARGEST_FILE = 1024 * 1024;
function readSmallFile(path, largest = LARGEST_FILE) {
    try {
        const about = (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.statSync)(path);
        if (about.isFIFO())
            throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_2__/* .InvalidValue */ .h(`names ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_3__/* .quote */ .hD)(path)}, a pipe, which can be read only once: give a file`);
        if (!about.isFile())
            throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_2__/* .InvalidValue */ .h(`names ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_3__/* .quote */ .hD)(path)}, which is no file`);
        if (about.size > largest)
            throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_2__/* .InvalidValue */ .h(`names ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_3__/* .quote */ .hD)(path)}, which is over ${largest / LARGEST_FILE} MiB`);
        return textIn((0,node_fs__WEBPACK_IMPORTED_MODULE_0__.readFileSync)(path));
    }
    catch (error) {
        if (error instanceof _invalid_value_js__WEBPACK_IMPORTED_MODULE_2__/* .InvalidValue */ .h)
            throw error;
        throw new _invalid_value_js__WEBPACK_IMPORTED_MODULE_2__/* .InvalidValue */ .h(`names ${(0,_base_quote_js__WEBPACK_IMPORTED_MODULE_3__/* .quote */ .hD)(path, 120)}, which cannot be read (${(0,_base_errors_js__WEBPACK_IMPORTED_MODULE_1__/* .errnoOf */ .UQ)(error)})`);
    }
}
/** Decodes a file. A byte order mark selects UTF-16, because Windows PowerShell writes it. */
function textIn(bytes) {
    const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
    return new TextDecoder(encoding).decode(bytes);
}


/***/ }),

/***/ 4741:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {


// EXPORTS
__nccwpck_require__.d(__webpack_exports__, {
  vA: () => (/* binding */ asJson),
  e1: () => (/* binding */ asText),
  kx: () => (/* binding */ credentialOutcome),
  sp: () => (/* binding */ jobSummary),
  x9: () => (/* binding */ joinBlocks),
  YS: () => (/* binding */ markdownParts),
  uV: () => (/* binding */ reasonText)
});

// EXTERNAL MODULE: ./src/base/quote.ts
var quote = __nccwpck_require__(7541);
;// CONCATENATED MODULE: ./src/state/access-text.ts

/** Requests that the API server or kubepass allowed. The evidence file has all. */
const SHOWN_USES = 10;
const SHOWN_REFUSALS = 50;
const LONGEST_NAME = 100;
/** How the scan reached the API server; undefined where it did not. */
function accessText({ api_access, delivered_to_later_steps, used }) {
    if (api_access === null)
        return used === null && !delivered_to_later_steps ? undefined : 'the scan had the token';
    const { ended_at, requests, streams_cut } = api_access;
    if (ended_at === null)
        return 'through the API proxy';
    const cut = streams_cut === 0 ? '' : `, which cut ${counted(streams_cut, 'open stream')}`;
    return `through the API proxy, ${counted(requests ?? 0, 'request')}; ended ${ended_at}${cut}`;
}
function counted(count, noun) {
    return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
/** The most frequent requests, and the refused ones. */
function listOf({ api_access }) {
    const { uses = [], not_listed: notListed = 0 } = api_access ?? {};
    const frequent = uses.filter(({ refused_by }) => refused_by === null).slice(0, SHOWN_USES);
    const refused = uses.filter(({ refused_by }) => refused_by !== null).slice(0, SHOWN_REFUSALS);
    return { frequent, refused, more: uses.length - frequent.length - refused.length, notListed };
}
/** For the log: one line for each request. */
function accessLines(evidence) {
    const list = listOf(evidence);
    return [...list.frequent, ...list.refused].map((use) => `${use.count} x ${requestText(use)}: ${answerText(use)}`).concat(endText(list));
}
/** For a summary: a table; empty where the scan sent no request through the API proxy. */
function accessTable(evidence) {
    const list = listOf(evidence);
    const rows = [...list.frequent, ...list.refused].map((use) => `| ${use.count} | ${(0,quote/* markdownCell */.UZ)(requestText(use))} | ${answerText(use)} |`);
    if (rows.length === 0)
        return '';
    return ['| Count | Request of the scan | Answer |', '| --: | :-- | :-- |', ...rows, ...endText(list).flatMap((line) => ['', line])].join('\n');
}
function endText({ more, notListed }) {
    return [
        ...(more > 0 ? [`${more} more: see the evidence file.`] : []),
        ...(notListed > 0 ? [`The evidence does not list ${counted(notListed, 'request')}.`] : []),
    ];
}
function requestText({ verb, group, resource, subresource, namespace, name, path }) {
    if (resource === null)
        return `${verb} ${cut(path ?? '')}`;
    const kind = `${cut(resource)}${group === null || group === '' ? '' : `.${cut(group)}`}`;
    const object = `${kind}${subresource === null ? '' : `/${cut(subresource)}`}${name === null ? '' : ` ${cut(name)}`}`;
    return `${verb} ${object}${namespace === null || resource === 'namespaces' ? '' : ` in ${cut(namespace)}`}`;
}
/** A name is foreign text. */
function cut(text) {
    return (0,quote/* escapeText */.X1)(text, LONGEST_NAME);
}
function answerText({ refused_by, statuses }) {
    if (refused_by === 'kubepass')
        return 'refused by kubepass';
    const codes = Object.keys(statuses).join(', ');
    if (refused_by === 'api-server')
        return `refused by the API server (${codes})`;
    return codes === '' ? 'no answer' : codes;
}

// EXTERNAL MODULE: ./src/state/verdict.ts
var verdict = __nccwpck_require__(2696);
;// CONCATENATED MODULE: ./src/state/evidence-text.ts



/** One line for the state that the credential is in; it never claims more than was seen. */
function credentialOutcome({ finished, missing, revoked, proven, dead_by }) {
    if (dead_by === null)
        return 'none was issued';
    const atLatest = `dead by ${dead_by} at the latest`;
    if (!finished)
        return `in use; ${atLatest}`;
    if (revoked === null && !missing)
        return `NOT REVOKED; ${atLatest}`;
    const revocation = revoked === null ? 'its Secret did not exist' : `revoked ${revoked.at}`;
    if (proven === null)
        return `${revocation}, not proven; ${atLatest}`;
    return `${revocation}, proven dead ${proven.dead_at} (${proven.samples} refusals, the last ${proven.seconds_after_revocation.toFixed(1)} s after)`;
}
/** The end of the command; undefined when there was none. */
function scanOutcome({ used }) {
    if (used === null)
        return undefined;
    if (used.exit_code === null)
        return `started ${used.started_at}; its end was not seen`;
    return `exit code ${used.exit_code}${used.signal === null ? '' : ` (${used.signal})`}, ${used.started_at} to ${used.ended_at}`;
}
function renewalText({ renewed, renewed_not_listed }) {
    const last = renewed.at(-1);
    if (last === undefined)
        return undefined;
    const count = renewed.length + renewed_not_listed;
    return `${count === 1 ? 'once' : `${count} times`}; the last credential: ${grantText(last)}, ${boundText(last)}`;
}
function grantText({ issued_at, expires_at }) {
    return `${issued_at}, expires ${expires_at}`;
}
function boundText({ bound_to }) {
    return bound_to === null ? 'bound to nothing: it cannot be revoked' : `Secret ${bound_to}`;
}
function isolationText({ isolated, why_not, as_root }) {
    if (!isolated)
        return `no: ${why_not ?? 'unknown'}`;
    return as_root ? "yes, as root: the machine's files and settings are open to it" : 'yes';
}
const CREDENTIAL = 'Credential';
/** More warnings than people read. The evidence file and the log have all. */
const SHOWN_WARNINGS = 10;
const LONGEST_WARNING = 600;
/** At most ten. The evidence file has all facts. */
function tableRows(evidence) {
    const { identity, granted, verified, isolation, run } = evidence;
    const all = [
        ['Scan', scanOutcome(evidence)],
        [CREDENTIAL, credentialOutcome(evidence)],
        ['Isolated', isolation && isolationText(isolation)],
        ['Access', accessText(evidence)],
        ['Issued', granted && `${grantText(granted)}, ${boundText(granted)}`],
        ['Renewed', renewalText(evidence)],
        ['Credential id', granted?.credential_id],
        ['Accepted as', verified && (verified.username ?? 'unknown: SelfSubjectReview is forbidden')],
        ['Identity', identity && `${identity.kind} (${identity.why})`],
        ['Run', `${run.repository} ${run.id}/${run.attempt} ${run.job}`.trim()],
    ];
    return all.filter((row) => row[1] !== null && row[1] !== undefined && row[1] !== '');
}
function warningsOf({ warnings }) {
    const left = warnings.length - SHOWN_WARNINGS;
    const shown = warnings.slice(0, SHOWN_WARNINGS).map((warning) => (0,quote/* oneLine */.TN)(warning, LONGEST_WARNING));
    return { shown, more: left > 0 ? `${left} more: see the evidence file or the log.` : undefined };
}
/** For a log, which has the end of the credential in a line of its own. */
function asText(evidence) {
    const { error, requested, server } = evidence;
    const { shown, more } = warningsOf(evidence);
    const facts = [
        ['ServiceAccount', requested.service_account],
        ['Server', server],
        ...tableRows(evidence).filter(([name]) => name !== CREDENTIAL || !evidence.finished),
    ];
    const warnings = more === undefined ? shown : [...shown, more];
    const lines = [
        (0,verdict/* verdictOf */.V)(evidence),
        ...(error === null ? [] : [textLine('Error', (0,quote/* unquoted */.qZ)(`${error}: ${reasonText(evidence)}`, LONGEST_WARNING))]),
        // Branch, job and claims are foreign text.
        ...facts.map(([name, value]) => textLine(name, (0,quote/* escapeText */.X1)(value, 1000))),
        ...accessLines(evidence).map((line) => textLine('Request', line)),
        ...warnings.map((warning) => textLine('Warning', (0,quote/* unquoted */.qZ)(warning, LONGEST_WARNING))),
    ];
    return lines.map((line) => `  ${line}`).join('\n');
}
function textLine(name, value) {
    return `${name.padEnd(15)} ${value}`;
}
function markdownParts(evidence) {
    const { error, requested, server } = evidence;
    const { shown, more } = warningsOf(evidence);
    const list = [...shown.map((warning) => `- ${(0,quote/* markdownCode */.D9)(warning)}`), ...(more === undefined ? [] : [`- ${more}`])];
    return {
        verdict: (0,verdict/* verdictOf */.V)(evidence),
        reason: error === null ? '' : `**${error}**: ${(0,quote/* markdownCode */.D9)(reasonText(evidence))}`,
        subject: `kubepass, ServiceAccount ${(0,quote/* markdownCode */.D9)(requested.service_account)}, API server ${(0,quote/* markdownCode */.D9)(server)}`,
        table: ['| Fact | Value |', '| :-- | :-- |', ...tableRows(evidence).map(tableLine)].join('\n'),
        access: accessTable(evidence),
        warnings: list.length === 0 ? '' : ['**Warnings**', '', ...list].join('\n'),
    };
}
/** The name stays on one line, however long the value is. */
function tableLine([name, value]) {
    return `| ${name.replaceAll(' ', '&nbsp;')} | ${(0,quote/* markdownCell */.UZ)(value)} |`;
}
/** Replaces escaped double quotes by single quotes, so that people can read the reason. */
function reasonText({ error_reason }) {
    return (error_reason ?? '').replaceAll('\\"', "'");
}
/** For the summary of a job. */
function jobSummary(evidence) {
    const { verdict, reason, subject, table, access, warnings } = markdownParts(evidence);
    return joinBlocks(`### ${verdict}`, reason, subject, table, access, warnings);
}
function joinBlocks(...blocks) {
    return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}
function asJson(evidence) {
    return `${JSON.stringify(evidence, undefined, 2)}\n`;
}


/***/ }),

/***/ 9773:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   ZM: () => (/* binding */ mayLiveOn),
/* harmony export */   lt: () => (/* binding */ scanErrorOf),
/* harmony export */   sG: () => (/* binding */ outcomeOf)
/* harmony export */ });
function outcomeOf(facts) {
    const { delivered_to_later_steps: isDelivered, error, finished, recovered, used } = facts;
    if (!finished)
        return isDelivered && error === null ? 'in_use' : 'unfinished';
    if (mayLiveOn(facts))
        return 'not_revoked';
    if (error !== null)
        return 'failed';
    if (used === null)
        return isDelivered ? 'revoked' : 'unfinished';
    if (used.accepted === null || recovered)
        return 'unfinished';
    return used.accepted ? 'passed' : 'scan_failed';
}
/** The error that decides about the scan. A revocation that fails afterwards does not change the result of the scan. */
function scanErrorOf({ earlier_error, error }) {
    return earlier_error ?? (error === 'NOT_REVOKED' ? null : error);
}
/** Whether the cleanup left a credential that the API server can accept. */
function mayLiveOn({ dead_by, finished, missing, revoked }) {
    return finished && dead_by !== null && revoked === null && !missing;
}


/***/ }),

/***/ 2696:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   V: () => (/* binding */ verdictOf)
/* harmony export */ });
/* harmony import */ var _base_time_js__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(6496);
/* harmony import */ var _outcome_js__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(9773);


/** A sentence about the end of the scan, then one about the end of the credential. The text never claims more than was seen. */
function verdictOf(evidence) {
    return `${scanSentence(evidence)} ${credentialSentence(evidence)}`;
}
function scanSentence(evidence) {
    const { recovered, used } = evidence;
    const error = (0,_outcome_js__WEBPACK_IMPORTED_MODULE_0__/* .scanErrorOf */ .lt)(evidence);
    if (used === null)
        return sentenceWithoutScan(evidence, error);
    if (used.exit_code === null)
        return error === null ? 'The scan started, but kubepass did not see its end.' : `The scan started, and the run ended with ${error}.`;
    const how = used.signal === null ? `exit code ${used.exit_code}` : `${used.signal}, exit code ${used.exit_code}`;
    if (error !== null)
        return `${scanEnds[error] ?? `Scan ended, and the run failed with ${error}`} (${how}).`;
    if (recovered)
        return `Scan ended (${how}), but main had not finished its cleanup and its checks when another process took over.`;
    if (used.accepted !== true)
        return `Scan failed (${how}).`;
    return used.exit_code === 0 ? 'Scan passed.' : `Scan passed (${how}).`;
}
function sentenceWithoutScan({ delivered_to_later_steps: isDelivered, finished }, error) {
    if (isDelivered) {
        const use = `Later steps of the job ${finished ? 'could' : 'can'} use the credential`;
        return error === null ? `${use}.` : `${use}, and the run ended with ${error}.`;
    }
    return error === null ? 'No scan started, and the run ended without a result.' : `No scan started: the run ended with ${error}.`;
}
const scanEnds = {
    TIMEOUT: 'Scan ended by kubepass after max_scan',
    INTERRUPTED: 'Run interrupted, scan ended',
    TAMPERED: "Scan tampered with the runner's command files",
};
function credentialSentence(evidence) {
    const { dead_by, finished, granted, missing } = evidence;
    if (dead_by === null)
        return 'No credential was issued.';
    const number = numberOf(evidence);
    const subject = number > 1 ? `The ${number} credentials` : granted === null ? 'The credential, if it was issued,' : 'The credential';
    if (!finished)
        return `${subject} can live until ${dead_by}.`;
    if ((0,_outcome_js__WEBPACK_IMPORTED_MODULE_0__/* .mayLiveOn */ .ZM)(evidence)) {
        const living = number > 1 ? `At least one of ${number} credentials` : subject;
        return `${living} was NOT revoked and can live until ${dead_by}.`;
    }
    return `${subject} ${missing ? absenceText(evidence) : revocationText(evidence)}.`;
}
function absenceText(evidence) {
    const object = numberOf(evidence) > 1 ? 'them' : 'it';
    return `had no Secret left to delete; ${evidence.proven === null ? unprovenText(evidence, object) : `the API server refuses ${object}`}`;
}
function revocationText(evidence) {
    const isOne = numberOf(evidence) <= 1;
    const { parts, refusal } = hasExpired(evidence) ? expiryParts(evidence, isOne) : lifeParts(evidence, isOne);
    if (evidence.proven === null)
        return `${parts.join(' and ')}; ${unprovenText(evidence, isOne ? 'it' : 'them')}`;
    return `${parts.join(', ')}${parts.length > 1 ? ',' : ''} and ${refusal} refused by the API server`;
}
function unprovenText({ api_access, recovered }, object) {
    const isLost = recovered && api_access !== null;
    const end = isLost ? `: the token was only in the memory of main, which is gone` : '';
    return `kubepass ${isLost ? 'could' : 'did'} not prove that the API server refuses ${object}${end}`;
}
function numberOf({ granted, renewed, renewed_not_listed }) {
    return (granted === null ? 0 : 1) + renewed.length + renewed_not_listed;
}
/** Whether the last token expired before kubepass deleted its Secret: the life then ended at the expiry. */
function hasExpired({ granted, renewed, revoked }) {
    return granted !== null && revoked !== null && lastExpiry([granted, ...renewed]) < Date.parse(revoked.at);
}
function lastExpiry(grants) {
    return Math.max(...grants.map(({ expires_at }) => Date.parse(expires_at)));
}
/** The clock of the API server set both ends of this life. */
function expiryParts({ error, granted, renewed }, isOne) {
    const [one, ...others] = granted === null ? renewed : [granted, ...renewed];
    const life = one === undefined ? '' : (0,_base_time_js__WEBPACK_IMPORTED_MODULE_1__/* .durationText */ .S5)((lastExpiry([one, ...others]) - Date.parse(one.issued_at)) / 1000);
    return isOne
        ? { parts: [`expired after ${life}`, `its Secret was deleted${retryText(error)}`], refusal: 'it is' }
        : {
            parts: [`expired (${life} from the first issue to the last expiry)`, `their Secrets were deleted${retryText(error)}`],
            refusal: 'they are',
        };
}
/** The clock of this machine set both ends of this life, if kubepass saw that the API server accepted the token. */
function lifeParts({ error, granted, revoked, verified }, isOne) {
    const revocation = `${isOne ? 'was' : 'were'} revoked${retryText(error)}`;
    const refusal = isOne ? 'is' : 'are';
    const begin = verified?.at ?? granted?.issued_at;
    if (granted === null || begin === undefined || revoked === null)
        return { parts: [revocation], refusal };
    const life = (0,_base_time_js__WEBPACK_IMPORTED_MODULE_1__/* .durationText */ .S5)((Date.parse(revoked.at) - Date.parse(begin)) / 1000);
    return { parts: [`lived ${life}${isOne ? '' : ' from the first issue to the last revocation'}`, revocation], refusal };
}
/** An earlier process ended with NOT_REVOKED, and a later one revoked. */
function retryText(error) {
    return error === 'NOT_REVOKED' ? ' after a failed attempt' : '';
}


/***/ }),

/***/ 4319:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   Kp: () => (/* binding */ findProgram),
/* harmony export */   Vd: () => (/* binding */ isProgram)
/* harmony export */ });
/* unused harmony export SYSTEM_PATH */
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(6760);
/* harmony import */ var node_path__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__nccwpck_require__.n(node_path__WEBPACK_IMPORTED_MODULE_1__);


function isProgram(name, path) {
    return findProgram(name, path) !== undefined;
}
/** @returns the path at which a shell with this PATH would find the program */
function findProgram(name, path) {
    const places = name.includes('/') ? [name] : path.split(node_path__WEBPACK_IMPORTED_MODULE_1__.delimiter).map((directory) => (0,node_path__WEBPACK_IMPORTED_MODULE_1__.join)(directory || '.', name));
    return places.find((place) => {
        try {
            (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.accessSync)(place, node_fs__WEBPACK_IMPORTED_MODULE_0__.constants.X_OK);
            return (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.statSync)(place).isFile();
        }
        catch {
            return false;
        }
    });
}
/** The folders of the programs that kubepass itself starts. It does not use PATH, because earlier steps of the job can set it. */
const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin';


/***/ }),

/***/ 1203:
/***/ ((__unused_webpack_module, __webpack_exports__, __nccwpck_require__) => {

/* harmony export */ __nccwpck_require__.d(__webpack_exports__, {
/* harmony export */   E: () => (/* binding */ killQuietly),
/* harmony export */   O: () => (/* binding */ ProcessHandle)
/* harmony export */ });
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0__ = __nccwpck_require__(3024);
/* harmony import */ var node_fs__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__nccwpck_require__.n(node_fs__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var node_timers_promises__WEBPACK_IMPORTED_MODULE_1__ = __nccwpck_require__(8500);
/* harmony import */ var node_timers_promises__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__nccwpck_require__.n(node_timers_promises__WEBPACK_IMPORTED_MODULE_1__);


/**
 * A process, known by its PID and start time, so that a later process with the same PID is not mistaken for it. When a process
 * ends, its memory is freed before its sockets are closed. PID 1 of a PID namespace ends after all other processes in it.
 */
class ProcessHandle {
    /** The ID of its process group; undefined if the process had ended before. */
    group;
    #pid;
    #since;
    constructor(pid) {
        this.#pid = pid;
        const { group, since } = readStat(pid) ?? {};
        this.group = group;
        this.#since = since;
    }
    get hasEnded() {
        return this.#since === undefined || readStat(this.#pid)?.since !== this.#since;
    }
    /** @returns whether the process ended within this time */
    async waitForEnd(milliseconds) {
        for (const deadline = Date.now() + milliseconds; !this.hasEnded; await (0,node_timers_promises__WEBPACK_IMPORTED_MODULE_1__.setTimeout)(5))
            if (Date.now() > deadline)
                return false;
        return true;
    }
}
/** The process group and the start time; undefined if the process has ended, also if it is still a zombie. */
function readStat(pid) {
    try {
        // The name in the second field may contain spaces and parentheses.
        const stat = (0,node_fs__WEBPACK_IMPORTED_MODULE_0__.readFileSync)(`/proc/${pid}/stat`, 'latin1');
        const { 0: state = '', 2: group, 19: since = '' } = stat.replace(/^.*\) /s, '').split(' ');
        return 'ZX'.includes(state) ? undefined : { group: Number(group), since };
    }
    catch {
        return undefined;
    }
}
/** Sends a signal to a process, or to a process group if `pid` is negative. Ignores errors. */
function killQuietly(pid, signal) {
    try {
        process.kill(pid, signal);
    }
    catch {
        // The process has already ended.
    }
}


/***/ }),

/***/ 8136:
/***/ ((module, __unused_webpack_exports, __nccwpck_require__) => {

var x = (y) => {
	var x = {}; __nccwpck_require__.d(x, y); return x
} 
var y = (x) => (() => (x))
module.exports = import("../kubeconfig/index.js");

/***/ }),

/***/ 2613:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("assert");

/***/ }),

/***/ 181:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("buffer");

/***/ }),

/***/ 5317:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("child_process");

/***/ }),

/***/ 6982:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("crypto");

/***/ }),

/***/ 4434:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("events");

/***/ }),

/***/ 9896:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("fs");

/***/ }),

/***/ 8611:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("http");

/***/ }),

/***/ 5692:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("https");

/***/ }),

/***/ 9278:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("net");

/***/ }),

/***/ 4589:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:assert");

/***/ }),

/***/ 6698:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:async_hooks");

/***/ }),

/***/ 4573:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:buffer");

/***/ }),

/***/ 1421:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:child_process");

/***/ }),

/***/ 7540:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:console");

/***/ }),

/***/ 7598:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:crypto");

/***/ }),

/***/ 3053:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:diagnostics_channel");

/***/ }),

/***/ 610:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:dns");

/***/ }),

/***/ 8474:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:events");

/***/ }),

/***/ 3024:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs");

/***/ }),

/***/ 7067:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http");

/***/ }),

/***/ 2467:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http2");

/***/ }),

/***/ 7030:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:net");

/***/ }),

/***/ 6760:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:path");

/***/ }),

/***/ 643:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:perf_hooks");

/***/ }),

/***/ 1792:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:querystring");

/***/ }),

/***/ 7075:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:stream");

/***/ }),

/***/ 8500:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:timers/promises");

/***/ }),

/***/ 1692:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:tls");

/***/ }),

/***/ 3136:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:url");

/***/ }),

/***/ 7975:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util");

/***/ }),

/***/ 3429:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util/types");

/***/ }),

/***/ 5919:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:worker_threads");

/***/ }),

/***/ 8522:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:zlib");

/***/ }),

/***/ 857:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("os");

/***/ }),

/***/ 6928:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("path");

/***/ }),

/***/ 932:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("process");

/***/ }),

/***/ 3193:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("string_decoder");

/***/ }),

/***/ 3557:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("timers");

/***/ }),

/***/ 4756:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("tls");

/***/ }),

/***/ 9023:
/***/ ((module) => {

module.exports = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("util");

/***/ })

/******/ });
/************************************************************************/
/******/ // The module cache
/******/ var __webpack_module_cache__ = {};
/******/ 
/******/ // The require function
/******/ function __nccwpck_require__(moduleId) {
/******/ 	// Check if module is in cache
/******/ 	var cachedModule = __webpack_module_cache__[moduleId];
/******/ 	if (cachedModule !== undefined) {
/******/ 		return cachedModule.exports;
/******/ 	}
/******/ 	// Create a new module (and put it into the cache)
/******/ 	var module = __webpack_module_cache__[moduleId] = {
/******/ 		// no module.id needed
/******/ 		// no module.loaded needed
/******/ 		exports: {}
/******/ 	};
/******/ 
/******/ 	// Execute the module function
/******/ 	var threw = true;
/******/ 	try {
/******/ 		__webpack_modules__[moduleId].call(module.exports, module, module.exports, __nccwpck_require__);
/******/ 		threw = false;
/******/ 	} finally {
/******/ 		if(threw) delete __webpack_module_cache__[moduleId];
/******/ 	}
/******/ 
/******/ 	// Return the exports of the module
/******/ 	return module.exports;
/******/ }
/******/ 
/******/ // expose the modules object (__webpack_modules__)
/******/ __nccwpck_require__.m = __webpack_modules__;
/******/ 
/************************************************************************/
/******/ /* webpack/runtime/asset-relocator-loader */
/******/ if (typeof __nccwpck_require__ !== 'undefined') __nccwpck_require__.ab = decodeURIComponent(new URL('.', import.meta.url).pathname).slice(import.meta.url.match(/^file:\/\/\/\w:/) ? 1 : 0, -1) + "/";
/******/ 
/******/ /* webpack/runtime/compat get default export */
/******/ (() => {
/******/ 	// getDefaultExport function for compatibility with non-harmony modules
/******/ 	__nccwpck_require__.n = (module) => {
/******/ 		var getter = module && module.__esModule ?
/******/ 			() => (module['default']) :
/******/ 			() => (module);
/******/ 		__nccwpck_require__.d(getter, { a: getter });
/******/ 		return getter;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/create fake namespace object */
/******/ (() => {
/******/ 	var getProto = Object.getPrototypeOf ? (obj) => (Object.getPrototypeOf(obj)) : (obj) => (obj.__proto__);
/******/ 	var leafPrototypes;
/******/ 	// create a fake namespace object
/******/ 	// mode & 1: value is a module id, require it
/******/ 	// mode & 2: merge all properties of value into the ns
/******/ 	// mode & 4: return value when already ns object
/******/ 	// mode & 16: return value when it's Promise-like
/******/ 	// mode & 8|1: behave like require
/******/ 	__nccwpck_require__.t = function(value, mode) {
/******/ 		if(mode & 1) value = this(value);
/******/ 		if(mode & 8) return value;
/******/ 		if(typeof value === 'object' && value) {
/******/ 			if((mode & 4) && value.__esModule) return value;
/******/ 			if((mode & 16) && typeof value.then === 'function') return value;
/******/ 		}
/******/ 		var ns = Object.create(null);
/******/ 		__nccwpck_require__.r(ns);
/******/ 		var def = {};
/******/ 		leafPrototypes = leafPrototypes || [null, getProto({}), getProto([]), getProto(getProto)];
/******/ 		for(var current = mode & 2 && value; typeof current == 'object' && !~leafPrototypes.indexOf(current); current = getProto(current)) {
/******/ 			Object.getOwnPropertyNames(current).forEach((key) => (def[key] = () => (value[key])));
/******/ 		}
/******/ 		def['default'] = () => (value);
/******/ 		__nccwpck_require__.d(ns, def);
/******/ 		return ns;
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/define property getters */
/******/ (() => {
/******/ 	// define getter functions for harmony exports
/******/ 	__nccwpck_require__.d = (exports, definition) => {
/******/ 		for(var key in definition) {
/******/ 			if(__nccwpck_require__.o(definition, key) && !__nccwpck_require__.o(exports, key)) {
/******/ 				Object.defineProperty(exports, key, { enumerable: true, get: definition[key] });
/******/ 			}
/******/ 		}
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/ensure chunk */
/******/ (() => {
/******/ 	__nccwpck_require__.f = {};
/******/ 	// This file contains only the entry chunk.
/******/ 	// The chunk loading function for additional chunks
/******/ 	__nccwpck_require__.e = (chunkId) => {
/******/ 		return Promise.all(Object.keys(__nccwpck_require__.f).reduce((promises, key) => {
/******/ 			__nccwpck_require__.f[key](chunkId, promises);
/******/ 			return promises;
/******/ 		}, []));
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/get javascript chunk filename */
/******/ (() => {
/******/ 	// This function allow to reference async chunks
/******/ 	__nccwpck_require__.u = (chunkId) => {
/******/ 		// return url for filenames based on template
/******/ 		return "" + chunkId + ".index.js";
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/hasOwnProperty shorthand */
/******/ (() => {
/******/ 	__nccwpck_require__.o = (obj, prop) => (Object.prototype.hasOwnProperty.call(obj, prop))
/******/ })();
/******/ 
/******/ /* webpack/runtime/make namespace object */
/******/ (() => {
/******/ 	// define __esModule on exports
/******/ 	__nccwpck_require__.r = (exports) => {
/******/ 		if(typeof Symbol !== 'undefined' && Symbol.toStringTag) {
/******/ 			Object.defineProperty(exports, Symbol.toStringTag, { value: 'Module' });
/******/ 		}
/******/ 		Object.defineProperty(exports, '__esModule', { value: true });
/******/ 	};
/******/ })();
/******/ 
/******/ /* webpack/runtime/import chunk loading */
/******/ (() => {
/******/ 	// no baseURI
/******/ 	
/******/ 	// object to store loaded and loading chunks
/******/ 	// undefined = chunk not loaded, null = chunk preloaded/prefetched
/******/ 	// [resolve, Promise] = chunk loading, 0 = chunk loaded
/******/ 	var installedChunks = {
/******/ 		792: 0
/******/ 	};
/******/ 	
/******/ 	var installChunk = (data) => {
/******/ 		var {ids, modules, runtime} = data;
/******/ 		// add "modules" to the modules object,
/******/ 		// then flag all "ids" as loaded and fire callback
/******/ 		var moduleId, chunkId, i = 0;
/******/ 		for(moduleId in modules) {
/******/ 			if(__nccwpck_require__.o(modules, moduleId)) {
/******/ 				__nccwpck_require__.m[moduleId] = modules[moduleId];
/******/ 			}
/******/ 		}
/******/ 		if(runtime) runtime(__nccwpck_require__);
/******/ 		for(;i < ids.length; i++) {
/******/ 			chunkId = ids[i];
/******/ 			if(__nccwpck_require__.o(installedChunks, chunkId) && installedChunks[chunkId]) {
/******/ 				installedChunks[chunkId][0]();
/******/ 			}
/******/ 			installedChunks[ids[i]] = 0;
/******/ 		}
/******/ 	
/******/ 	}
/******/ 	
/******/ 	__nccwpck_require__.f.j = (chunkId, promises) => {
/******/ 			// import() chunk loading for javascript
/******/ 			var installedChunkData = __nccwpck_require__.o(installedChunks, chunkId) ? installedChunks[chunkId] : undefined;
/******/ 			if(installedChunkData !== 0) { // 0 means "already installed".
/******/ 	
/******/ 				// a Promise means "currently loading".
/******/ 				if(installedChunkData) {
/******/ 					promises.push(installedChunkData[1]);
/******/ 				} else {
/******/ 					if(true) { // all chunks have JS
/******/ 						// setup Promise in chunk cache
/******/ 						var promise = import("./" + __nccwpck_require__.u(chunkId)).then(installChunk, (e) => {
/******/ 							if(installedChunks[chunkId] !== 0) installedChunks[chunkId] = undefined;
/******/ 							throw e;
/******/ 						});
/******/ 						var promise = Promise.race([promise, new Promise((resolve) => (installedChunkData = installedChunks[chunkId] = [resolve]))])
/******/ 						promises.push(installedChunkData[1] = promise);
/******/ 					}
/******/ 				}
/******/ 			}
/******/ 	};
/******/ 	
/******/ 	// no prefetching
/******/ 	
/******/ 	// no preloaded
/******/ 	
/******/ 	// no external install chunk
/******/ 	
/******/ 	// no on chunks loaded
/******/ })();
/******/ 
/************************************************************************/
var __webpack_exports__ = {};

;// CONCATENATED MODULE: external "node:os"
const external_node_os_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:os");
// EXTERNAL MODULE: ./src/base/errors.ts
var errors = __nccwpck_require__(4758);
// EXTERNAL MODULE: ./src/config/inputs.ts
var config_inputs = __nccwpck_require__(4389);
// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __nccwpck_require__(7598);
// EXTERNAL MODULE: external "node:util"
var external_node_util_ = __nccwpck_require__(7975);
;// CONCATENATED MODULE: ./src/redact/sealed-string.ts

/**
 * Holds a value in a private field, so that no print, template, JSON, inspect, spread or clone shows it. Only the redactor makes
 * sealed values, so that it knows each of them.
 */
class SealedValue {
    #value;
    constructor(value) {
        this.#value = value;
    }
    /** Returns the value itself. A contract test lists every caller. */
    reveal() {
        return this.#value;
    }
    /** The length of the value as a string. */
    get length() {
        return this.#value.length;
    }
    toString() {
        return '[secret]';
    }
    toJSON() {
        return '[secret]';
    }
    [external_node_util_.inspect.custom]() {
        return '[secret]';
    }
}
/** Only the redactor may call this function. */
function sealedString(value) {
    return new SealedValue(value);
}

;// CONCATENATED MODULE: ./src/redact/search-module.ts
/** Written by `npm run generate` from src/redact/assembly: WebAssembly in base64. */
const searchModule = 'AGFzbQEAAAABMglgAn9/AX9gAX8Bf2ABfwBgA39/fwF/YAR/f39/AX9gA397ewF/YAAAYAJ/fwBgAAF/AxYVAAEAAwQAAwIAAAUBAgYBAAcCAQgBBQMBAAEGehh/AUEAC38BQQALfwFBAAt/AUEAC38BQQALfwFBAAt/AUEAC38BQf8AC38BQQALfwFBAAt/AUEAC38BQQALfwFBAAt/AUEAC38BQQALfwFBAAt/AUEAC38BQQALfwFBAAt/AUEAC38BQQALfwFBAAt/AUEAC38BQQALB04HB2FkZFRleHQAEwhtYXJrUnVucwARCW1hcmtEdW1wcwASC2luZGV4T2ZQYWlyAAMIbmV4dE1hcmsADwdyZXNlcnZlAA4GbWVtb3J5AgAIAQ0MAQwK9zMVrgYDCX8DfgF7IwYhByMDQQJ2QQFrZ61CIHwhDCMHIQgDQCAAIgVBEGogAU0EQCAA/QAEACAI/Q8iDv0r/WSsIAD9AAQQIA79K/1krEIQhoQgAP0ABCAgDv0r/WSsQiCGhCAA/QAEMCAO/Sv9ZKxCMIaEIgsgC0IBiIMiCyALQgKIgyILIAtCBIiDIgsgC0IIiINC////////P4MhCwNAIAtCAFIEQCAHIAt6pyIJIAVqQQpqIgApAwBC////////P4NClfip+pe33puef34iDSAMiKdBAnRqKAIAIA1CIIindkEBcQRAQQAhAgJAIwYgAEEFaykDAEL///////8/g0KV+Kn6l7fem55/fiINIwNBAnZBAWtnrUIgfIinQQJ0aigCACANQiCIp3ZBAXEEf0EBBSMGIAApAwVC////////P4NClfip+pe33puef34iDSMDQQJ2QQFrZ61CIHyIp0ECdGooAgAgDUIgiKd2QQFxC0UNACAAIAFBEGsiAiAAIAJJGyEEIABBCmshAgNAIAIgBE0EQCAC/QAEACEOIAIpAwggAikDAEKV+Kn6l7fem55/foVClfip+pe33puef34jA0EBa2etQiB8iKchAwNAIwQgA0ECdGoiACgCACIGBH8gBv0ABAAgDv0j/WMFQQELRQRAIANBAWojA0EBa3EhAwwBCwsgACgCACIGBEAgAiEDA0ACQCADQRBqIQQgBkEQaiEGA0AgASAESwR/IAYtAAAFQQALBH8gBC0AACAGLQAARgVBAAsEQCAEQQFqIQQgBkEBaiEGDAELCyAEQQ9rIQMgBCABIgBGDQAgA/0ABAAhDiADKQMIIAMpAwBClfip+pe33puef36FQpX4qfqXt96bnn9+IwNBAWtnrUIgfIinIQADQCMEIABBAnRqIgooAgAiBgR/IAb9AAQAIA79I/1jBUEBC0UEQCAAQQFqIwNBAWtxIQAMAQsLIAQhACAKKAIAIgYNAQsLIAAkCQwDCyACQQFqIQIMAQsLQQAhAgsFQQAhAgsgAgRAIAIPCyALQn8gCUELaq2GgyELDAELCyAFQTBqIQAMAQsLQQALswEBA38jAEEPakFwcSIBQQxqJAAjAEH//wNqQRB2PwBrIgJBAEoEfyACQABBAEgFQQALBEAACyMAQQ9qQXBxIgIgAEFAa2okACMAQf//A2pBEHY/AGsiA0EASgR/IANAAEEASAVBAAsEQAALIAEgAjYCACMAQQ9qQXBxIgIgAEFAa0ECdGokACMAQf//A2pBEHY/AGsiAEEASgR/IABAAEEASAVBAAsEQAALIAEgAjYCBCABC78BAQZ/IABBEGohBwNAIAFBFGsoAhBBAXYiAyAESgRAIAAgAyAETQR/QX8FIAEgBEEBdGovAQALQQR2aiEFIAcgBCABQRRrKAIQQQF2TwR/QX8FIAEgBEEBdGovAQALQQ9xaiEGIAUtAAAgAnEiA0UEQCAAKAIgQQFqIgNBgAFKBEAACyAAIAAoAiAgA3I2AiAgAiADciECCyAFIAUtAAAgA3I6AAAgBiAGLQAAIANyOgAAIARBAWohBAwBCwsgAgvgAQIBfwJ7IwogAGohAANAIABBQGsiAyMLSQRAIAD9AAQAIAH9DyIE/SMgAP0ABAEgAv0PIgX9I/1OIAD9AAQQIAT9IyAA/QAEESAF/SP9Tv1QIAD9AAQgIAT9IyAA/QAEISAF/SP9TiAA/QAEMCAE/SMgAP0ABDEgBf0j/U79UP1Q/VNFBEAgAyEADAILCwsDQCMLIABBAWpLBEAgAP0ABAAgAf0P/SMgAP0ABAEgAv0P/SP9Tv1kIgMEQEF/IAAgA2hqIgAjCmsjCyAAQQFqTRsPCyAAQRBqIQAMAQsLQX8LpAMCAnsDfwN/IAMoAgAiBv0ABAAgAv0ABAAiBEEE/W39DiAG/QAEECAE/QwPDw8PDw8PDw8PDw8PDw8P/U79Dv1OIgUgAywABf0P/U79DAAAAAAAAAAAAAAAAAAAAAD9I/1kQX9zQf8BcSEGIAUgAywABP0P/U79DAAAAAAAAAAAAAAAAAAAAAD9I/1kQX9zQf//A3FBf3NB/wFxIQdBASACQQhqIAFPIAYbBH8gACgCCCIDIAAoAgBqIAQjESAHQQEgASACayIBIAZBgAJyaCIGIAEgBkgbIgF0QQFrcSIGQQN0av1dAwAiBP0O/VsDAAAgACgCBCADQQJ0aiIHIAL9ESIFIAT9iQEiBP2pAf2uAf0LBAAgByAFIAT9qgH9rgH9CwQQIAAgAyAGaWo2AgggASACagUgACgCCCIGIAAoAgBqIAQjESAHQQN0av1dAwAiBP0O/VsDAAAgACgCBCAGQQJ0aiIIIAL9ESIFIAT9iQEiBP2pAf2uAf0LBAAgCCAFIAT9qgH9rgH9CwQQIAAgBiAHaWo2AgggAkEIaiECDAELCwutAQEBfyAAQQJqIQIgAC0AASIAQdsARgRAA0AgASACSwR/IAItAABBwABJBH9BAQUgAi0AAEH+AEsLBUEACwRAIAJBAWohAgwBCwsFIABB3QBGBEADQCABIAJLBH8gAi0AAEEHRwVBAAsEfyACQQFrLQAAQRtHBUEACwRAIAJBAWohAgwBCwsFIAJBAWsgAiAAQSlHIABBKEdxGyECCwsgAkEBaiIAIAEgACABSRsLmgICAn8EeyMB/QAEACEFIwH9AAQQIQYgACEDA0AgA0EMaiABTQRAIAUgA/0ABAAiB0EE/W39DiAGIAf9DA8PDw8PDw8PDw8PDw8PDw/9Tv0O/U4iCP0MAAAAAAAAAAAAAAAAAAAAAP0j/WRB/x9xBH9BAAUgCCMC/Q/9Tv0MAAAAAAAAAAAAAAAAAAAAAP0j/WRBf3NBD3ELIAf9DCAgICAgICAgICAgICAgICD9I/1kIAf9DAAAAAAAAAAAAAAAAAAAAAD9I/1kckH/AXEiBEH/AUcgBGlBBE9xcgR/IAMgBSAGEAoFQQALBEAgAw8LIAIgA2ohAwwBCwsgAUEMayICQQAgAEEMaiABTQR/IAIgBSAGEAoFQQALGwvnAQEHfyAAKAIAIgEgACgCCGohAyABIAMQACECA0AgAgRAA0AgAiMJSQRAIAAoAgQiBiACIAAoAgAiB2tBAnRqKAIAIgEhBCMNIAEjCmtqQQEgAUEBaiACQQFqIgUjCUkEfyAGIAUgB2tBAnRqKAIABSABQQFqCyIFAn8DQCABIAVJBEBBASABLQAAQQpGDQIaIAFBAWohAQwBCwtBAAsbIgEgBGv8CwAjDyIFIAQjCmsiBCAEIAVLGyQPIxAiBCABIwprIgEgASAESRskECACQQFqIQIMAQsLIwlBDmsgAxAAIQIMAQsLC40BAQN/IwBBD2pBcHEiAkEGaiQAIwBB//8DakEQdj8AayIDQQBKBH8gA0AAQQBIBUEACwRAAAsjAEEPakFwcSIDQSRqJAAjAEH//wNqQRB2PwBrIgRBAEoEfyAEQABBAEgFQQALBEAACyACIAM2AgAgAiACKAIAIAAQAjoABCACIAIoAgAgARACOgAFIAILJwADQCAAIAFJBH8gAC0AAEEbRgVBAAsEQCAAIAEQBSEADAELCyAAC+YCAgF+AX8gASAA/QAEACIBQQT9bf0OIAIgAf0MDw8PDw8PDw8PDw8PDw8PD/1O/Q79TiIC/QwAAAAAAAAAAAAAAAAAAAAA/SP9ZEH/H3FFBEAgAiMC/Q/9Tv0MAAAAAAAAAAAAAAAAAAAAAP0j/WRBf3NB//8DcSIEQf8BcUH/AUdBACAEQQ9xGwRAQQEPCwsgACkDACIDpyADQiCIp3MhAEEBIANCgIGChIiQoMCAf4NCAFIgAAR/IABBgP6DeHFBACAAQf+B/AdxGwVBAQsbBH9BAAUgAf0MICAgICAgICAgICAgICAgIP0j/WRB/wFxIgBBuwFGIABB9wBGciAAQd0BRnIgAEHuAUZyIABB1QBGciAAQaoBRnIEf0EBBSAB/QwAAAAAAAAAAAAAAAAAAAAA/SP9ZEH/AXEiAEG7AUYgAEH3AEZyIABB3QFGciAAQe4BRnIgAEHVAEZyIABBqgFGcgsLC4EBAQF/IAAjCmtBG0HbABADIQADQCAAQQBOBEAjCyMKIABqIgFBAmpGBH9BAQUgAS0AAiIBQT9NIAFBME9xBH9BAQUgAUHaAE0gAUHBAE9xCwR/QQEFIAFB+gBNIAFB4QBPcQsLBEAjCiAAag8LIABBAmpBG0HbABADIQAMAQsLQQALbQECfyMKQYABaiIBIAAgACABSRtBgAFrIwsiASAAQYABaiIAIAAgAUsbQQEQBiIBBEAjDiMKQYAEaiIAIAEgACABSxtBgARrIgIjCmtqQQEjCyIAIAFBgARqIgEgACABSRsgAmv8CwBBASQXCwveAgEEf0G8CiQAQeQKJABBAT8AayIAQQBKBH8gAEAAQQBIBUEACwRAAAtBwAokAUHACkGgCBACwCQCQcAKQeAIEAIaQYAIJAMjAEEPakFwcSIAQYAgaiQAIwBB//8DakEQdj8AayIBQQBKBH8gAUAAQQBIBUEACwRAAAsgACQEIwBBD2pBcHEiACMDaiQAIwBB//8DakEQdj8AayIBQQBKBH8gAUAAQQBIBUEACwRAAAsgACQGIwBBD2pBcHEiA0GAEGokACMAQf//A2pBEHY/AGsiAEEASgR/IABAAEEASAVBAAsEQAALA0AgAkGAAkgEQEEAIQBBACEBA0AgAUEISARAIAIgAXZBAXEEQCADIAJBA3RqIABqIAE6AAAgAEEBaiEACyABQQFqIQEMAQsLIAJBAWohAgwBCwsgAyQRQbAJQeAJEAgkEkGQCkGwChAIJBNBABABJBVBABABJBYL8AEBA38gACMMSwRAIwBBD2pBcHEiASAAIwxBAXQiAiAAIAJLGyICQUBraiQAIwBB//8DakEQdj8AayIDQQBKBH8gA0AAQQBIBUEACwRAAAsgASQKIwBBD2pBcHEiASACQUBraiQAIwBB//8DakEQdj8AayIDQQBKBH8gA0AAQQBIBUEACwRAAAsgASQNIwBBD2pBcHEiASACQUBraiQAIwBB//8DakEQdj8AayIDQQBKBH8gA0AAQQBIBUEACwRAAAsgASQOIAIkDAUjEARAIw0jD2pBACMQIw9r/AsACwsjDCQPQQAkECMKIABqJAsjCgtvAQR/IAAjEE8EQEF/DwsjECEEIw0jEGohAiMNIAAjDyIDIAAgA0sbaiEDAkADQCACIANLBEAgAyAD/QAEACAB/Q/9I/1kIgVoaiEAIAUNAiADQRBqIQMMAQsLIAIhAAsgBCAAIw1rIgAgACAEShsLjQkCBH8BeyMUIwxJBEAjDBABJBUjDBABJBYjDCQUCyMWQQA2AggjFUEANgIIA0AgACABSQRAIAAhAgJAIwH9AAQAIAAgARAJIgP9AAQAIgZBBP1t/Q4jAf0ABBAgBv0MDw8PDw8PDw8PDw8PDw8PD/1O/Q79TiMC/Q/9Tv0MAAAAAAAAAAAAAAAAAAAAAP0j/WRBf3NB//8DcUF/c0GAgARyaCIEQQZJIAMgBGogAU9yBH9BAQUjAf0ABAAgAyAEav0ABAAiBkEE/W39DiMB/QAEECAG/QwPDw8PDw8PDw8PDw8PDw8P/U79Dv1OIwL9D/1O/QwAAAAAAAAAAAAAAAAAAAAA/SP9ZEF/c0EBcQsNACADIARqIAEQCSIDIAFPDQAgAy0AAEE6RiADQQFqIgIgAUlxBH8gAy0AAUEgRgVBAAsNACADIAAgAy0AAEEgRhshAgsgACACRgR/IAEFIAJBAWstAABBOkYhAyACIQACfwNAIAAgAUkEQCAA/QAEACIG/QwKCgoKCgoKCgoKCgoKCgoK/SP9ZCEEIAMEfyAG/QwgICAgICAgICAgICAgICAg/SP9ZCAA/QAEAf0MICAgICAgICAgICAgICAgIP0j/WRxBSAG/Qx8fHx8fHx8fHx8fHx8fHx8/SP9ZCAG/Qw+Pj4+Pj4+Pj4+Pj4+Pj4+/SP9ZHILIARyIgQEQCAAIARoaiIAIAEgACABSQR/IAAtAABBCkcFQQALGwwDCyAAQRBqIQAMAQsLIAELCyEDAkADfyADIxUgAyACIxIQBCIATQ0BIAAtAAAiAkEKRgR/IABBAWoFIAJBG0YEfyAAIAMQBQUgAEEBay0AACEEIAAtAAAiBUElRgR/IABBAWoFIAVBJkYEfyAAQQNBACAALQABQSNGBH8gAC0AAkEgckH4AEYFQQALG2oFIAVBIHJB+ABGBH8gACAEQTBGIARB3ABGcmoFIABBA0EAIARB3ABGBH8gAC0AAUEwRgVBAAsEfyAALQACQTBGBUEACxtqCwsLIgQgACAAIARJIARBAWogA0lxBH8jAf0ABAAgBP0ABAAiBkEE/W39DiMB/QAEECAG/QwPDw8PDw8PDw8PDw8PDw8P/U79Dv1OIwL9D/1O/QwAAAAAAAAAAAAAAAAAAAAA/SP9ZEF/c0EDcUEDRgVBAAsbIgQgAEYEQCMVIgUoAgAgBSgCCGogAjoAACAFKAIEIAUoAghBAnRqIAA2AgAgBSAFKAIIQQFqNgIIBSACQSZHIAJBJUdxBH8jFSgCCAVBAAsEQCMVIxUoAghBAWs2AggLCyAEIABBAWoiACAAIARJGwshAgwBCwshAAsgACADRiAAIAFJcQRAIxYoAgghAyMWIAEgAEEBaiMTEAQhAgNAIAEgAksEfyACLQAAQRtGBUEACwRAIxYgASACIAEQBSMTEAQhAgwBCwsgAkEBay0AACIEQTxGIARB/ABGcgR/IAAtAABBIEcFQQALBH8gAyMWKAIISQVBAAsEQCMWIxYoAghBAWs2AggLIAIhAAsMAQsLIxUQByMWEAcLZgECfyMKQRAgACAAQRBNG2pBEGsjCxAAIQADQCAABEAgACMKayIBIw1qQQEjCSICIABr/AsAIw8iACABIAAgAUkbJA8jECIAIAIjCmsiASAAIAFLGyQQIwlBDmsjCxAAIQAMAQsLCwkAIwogAGoQFAvaBgMKfwF+AXsjCyMKa0EQSQRAQQAPCyMAQQ9qQXBxIgEjCyMKayIJQQlqaiQAIwBB//8DakEQdj8AayIAQQBKBH8gAEAAQQBIBUEACwRAAAsgAUEIaiIAQQhrIwg2AgAgAEEEayAJNgIAIAAjCiAJ/AoAACAAJAggACEBA0AgASAAIAlqSQRAIwciAyABLAAAIgIgAiADShskByABQQFqIQEMAQsLIAAhAQNAIAFBBmogACAJak0EQCMGIAEpAwBC////////P4NClfip+pe33puef34iCiMDQQJ2QQFrZ61CIHyIp0ECdGoiAiACKAIAQQEgCkIgiKd0cjYCACABQQFqIQEMAQsLIAAhAQNAIAFBEGogACAJak0EQCAB/QAEACELIAEpAwggASkDAEKV+Kn6l7fem55/foVClfip+pe33puef34jA0EBa2etQiB8iKchAwNAIwQgA0ECdGoiBCgCACICBH8gAv0ABAAgC/0j/WMFQQELRQRAIANBAWojA0EBa3EhAwwBCwsgBCgCAEUEQCAEIAE2AgAjBUEBaiQFIwMjBUEBdEkEQCMDIgRBAXQkAyMAQQ9qQXBxIgMjA0ECdGokACMAQf//A2pBEHY/AGsiAkEASgR/IAJAAEEASAVBAAsEQAALIwQhByADJARBACEDA0AgAyAESQRAIAcgA0ECdGooAgAiAgRAIAL9AAQAIQsgAikDCCACKQMAQpX4qfqXt96bnn9+hUKV+Kn6l7fem55/fiMDQQFrZ61CIHyIpyEIA0AjBCAIQQJ0aiIGKAIAIgUEfyAF/QAEACAL/SP9YwVBAQtFBEAgCEEBaiMDQQFrcSEIDAELCyAGIAI2AgALIANBAWohAwwBCwsjAEEPakFwcSIDIwNqJAAjAEH//wNqQRB2PwBrIgJBAEoEfyACQABBAEgFQQALBEAACyADJAYjCCEDA0AgAwRAIANBBGsoAgAhBSADIQIDQCACQQZqIAMgBWpNBEAjBiACKQMAQv///////z+DQpX4qfqXt96bnn9+IgojA0ECdkEBa2etQiB8iKdBAnRqIgQgBCgCAEEBIApCIIindHI2AgAgAkEBaiECDAELCyADQQhrKAIAIQMMAQsLCwsgAUEBaiEBDAELC0EBC+QDAQh/IwojC0EXEAYhBANAIAQEQCMOIwpBgARqIgEgBCABIARLG0GABGsiASMKa2pBASMLIgIgBEGABGoiAyACIANJGyABa/wLAEEBJBcgBEGAAmojC0EXEAYhBAwBCwsgABAMIwsQDCMKEAshAANAIAAEQCMOIwpBQGsiASAAIAAgAUkbQUBqIgEjCmtqQQEjCyICIABBQGsiAyACIANJGyABa/wLAEEBJBcgAEECahALIQAMAQsLIxdFBEBBAA8LQQAhBCMLIwprIgUjDmohASMOIQICQANAIAEgAksEQCACIAL9AAQA/QwBAQEBAQEBAQEBAQEBAQEB/SP9ZCIDaGohACADDQIgAkEQaiECDAELCyABIQALA0AgACABSQRAIwogACMOa2ojCiAAIQICQANAIAEgAksEQCACIAL9AAQA/QwAAAAAAAAAAAAAAAAAAAAA/SP9ZCIIaGohAyAIDQIgAkEQaiECDAELCyABIQMLIAEgAyABIANJGyICIw5rahAQIAQgAiAAa2ohBAJAA0AgASACSwRAIAIgAv0ABAD9DAEBAQEBAQEBAQEBAQEBAQH9I/1kIgNoaiEAIAMNAiACQRBqIQIMAQsLIAEhAAsMAQsLIw5BACAF/AsAQQAkFyAECwuDAgwAQYwICwE8AEGYCAszAgAAACwAAAAwADEAMgAzADQANQA2ADcAOAA5AEEAQgBDAEQARQBGAGEAYgBjAGQAZQBmAEHMCAsBTABB2AgLNwIAAAAwAAAACQAKAAsADAANACAAAAA6ACwAOwAiACcAXAB4AFgAdQBVACUAJgAjACQAfAB7AH0AQZwJCwEsAEGoCQsdAgAAABYAAAAJAAsADAANACAAAAA6ACwAOwAiACcAQcwJCwEsAEHYCQsXAgAAABAAAAAKABsAeABYAHUAVQAlACYAQfwJCwEcAEGICgsJAgAAAAIAAAAgAEGcCgsBHABBqAoLDQIAAAAGAAAACgANABs=';

;// CONCATENATED MODULE: ./src/redact/text-search.ts


function newInstance() {
    try {
        return new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(searchModule, 'base64'))).exports;
    }
    catch (cause) {
        throw new errors/* KubepassError */.v3('INPUT', 'Node.js cannot run WebAssembly here. kubepass needs it to find secrets in outputs.', {
            hint: 'Some releases of Node.js 24 reserve 10 GB of address space for WebAssembly: raise the limit that `ulimit -v` shows, or use a later release.',
            cause,
        });
    }
}
/**
 * Holds every 16 neighbouring bytes of the added texts. The search marks where the input has such bytes. The folder assembly/ has
 * the source of the WebAssembly module that does the work.
 */
class TextSearch {
    #instance;
    #start = 0;
    #length = 0;
    // Created at the first use, because unsafe NODE_OPTIONS can disable WebAssembly, and kubepass must be able to report them.
    get #exports() {
        this.#instance ??= newInstance();
        return this.#instance;
    }
    /** @returns false if the text has fewer than 16 bytes, so that the search cannot find it */
    addText(input) {
        this.setInput(input);
        return this.#exports.addText() === 1;
    }
    /** Replaces the text to search, and removes all marks. */
    setInput(...parts) {
        this.#length = parts.reduce((sum, part) => sum + part.length, 0);
        this.#start = this.#exports.reserve(this.#length);
        let end = 0;
        const text = this.text();
        for (const part of parts) {
            text.set(part, end);
            end += part.length;
        }
    }
    /** The input. It is valid until the next call of `addText`, `setInput` or `markDumpedRuns`, because each may grow the memory. */
    text() {
        return Buffer.from(this.#exports.memory.buffer, this.#start, this.#length);
    }
    /** Marks the runs that end at or after the index `cut` of the input. */
    markRuns(cut) {
        this.#exports.markRuns(cut);
    }
    /**
     * Marks runs whose characters are separated, where the input looks like a dump.
     * @param cut the index at which a piece of the output begins: only a few lines of a dump may stand there and at the end
     * @returns how many bytes look like a dump
     */
    markDumpedRuns(cut) {
        return this.#exports.markDumps(cut);
    }
    /** The marked runs, in order. Runs that overlap or touch are merged. */
    markedRuns() {
        const exports = this.#exports;
        const runs = [];
        for (let start = exports.nextMark(0, 1); start >= 0;) {
            const end = exports.nextMark(start, 0);
            runs.push({ start, end });
            start = exports.nextMark(end, 1);
        }
        return runs;
    }
    /** The first index of the input, from `from` on, where the bytes `first` and `second` stand in this order; -1 if there is none. */
    indexOfPair(first, second, from) {
        return this.#exports.indexOfPair(from, first, second);
    }
}

;// CONCATENATED MODULE: ./src/redact/redactor.ts


const SHORTEST_SECRET = 4;
const MASK = Buffer.from('***');
/** Every known form of dump shows 16 characters in at most this many bytes. */
const CONTEXT = 1024;
/**
 * Finds every run of at least 16 neighbouring characters of a secret: plain, URI- or JSON-escaped, in base64 and base64url at
 * each alignment, and in hex. The redactor keeps every secret as long as it exists.
 */
class Redactor {
    #shown;
    #values = new Set();
    /** Other filters of the same outputs share this search, because each instance of WebAssembly reserves much address space. */
    search = new TextSearch();
    /** The spellings of fewer than 16 characters. The redactor masks only the whole spelling. */
    #shortSpellings = new Set();
    /** @param shown texts of kubepass itself; redact() keeps them, although a secret may contain a part of one */
    constructor(shown = []) {
        this.#shown = shown;
    }
    /** Learns every spelling of the value, then seals it, so that no other code handles a secret that the redactor does not know. */
    seal = (value) => {
        if (value.length < SHORTEST_SECRET)
            throw new RangeError('a secret of fewer than 4 characters cannot be told from other text');
        if (!this.#values.has(value)) {
            for (const spelling of spellings(value)) {
                if (!this.search.addText(Buffer.from(spelling)))
                    this.#shortSpellings.add(spelling);
            }
            this.#values.add(value);
        }
        return sealedString(value);
    };
    redact(text) {
        if (this.#values.size === 0)
            return text;
        this.search.setInput(Buffer.from(text));
        this.search.markRuns(0);
        const bytes = this.search.text();
        const runs = this.#secretRuns(bytes).filter((run) => !this.#isShown(bytes, run));
        return runs.length === 0
            ? text
            : masked({ bytes, runs, from: 0, continues: false }, Buffer.alloc(mostMasked(bytes.length, runs))).toString();
    }
    #isShown(bytes, { start, end }) {
        return this.#shown.some((text) => {
            const at = bytes.indexOf(text, Math.max(0, end - Buffer.byteLength(text)));
            return at !== -1 && at <= start;
        });
    }
    /**
     * Returns a filter for one output. The filter remembers the last bytes, so that it finds a secret across any split of writes. It
     * shows fewer than 16 characters of a secret before it finds the secret.
     */
    filter() {
        let recent = Buffer.alloc(0);
        let endsMasked = false;
        // Reused, because new memory for each piece would cost more than the search.
        let memory = Buffer.alloc(0);
        return (piece) => {
            if (piece.length === 0)
                return piece;
            const cut = recent.length;
            this.search.setInput(recent, piece);
            this.search.markRuns(cut);
            this.search.markDumpedRuns(cut);
            const bytes = this.search.text();
            const runs = this.#secretRuns(bytes);
            recent = Buffer.from(bytes.subarray(-CONTEXT));
            const continues = endsMasked;
            endsMasked = runs.at(-1)?.end === bytes.length;
            if (runs.length === 0)
                return piece;
            const most = mostMasked(piece.length, runs);
            if (memory.length < most)
                memory = Buffer.alloc(most);
            return masked({ bytes, runs, from: cut, continues }, memory);
        };
    }
    /** The runs that the search found in `bytes`, and the short spellings, in order. Runs that overlap or touch are merged. */
    #secretRuns(bytes) {
        const runs = this.search.markedRuns();
        if (this.#shortSpellings.size === 0)
            return runs;
        for (const spelling of this.#shortSpellings)
            for (let at = bytes.indexOf(spelling); at >= 0; at = bytes.indexOf(spelling, at + 1))
                runs.push({ start: at, end: at + Buffer.byteLength(spelling) });
        return merged(runs);
    }
}
/** Sorts the runs and merges those that overlap or touch. */
function merged(runs) {
    const result = [];
    for (const run of runs.sort((a, b) => a.start - b.start)) {
        const last = result.at(-1);
        if (last === undefined || last.end < run.start)
            result.push(run);
        else
            last.end = Math.max(last.end, run.end);
    }
    return result;
}
const SHORTEST_IN_DUMPS = 16;
/** The characters that the search drops from a dump, as in assembly/read-dump.ts. */
const DROPPED = /[\t\v\f\r \0:,;"']/g;
/** The spellings in which an output may show a value. */
function spellings(value) {
    const body = sensitivePart(value);
    const bytes = Buffer.from(body);
    const plain = [body, encodeURIComponent(body), JSON.stringify(body).slice(1, -1)];
    // The search looks in dumps for 16 characters. A shorter spelling would only mask words that are no secrets.
    const inDumps = [body.replaceAll(' ', ''), body.replaceAll(DROPPED, '')].filter((text) => text.length >= SHORTEST_IN_DUMPS);
    const encoded = [0, 1, 2].flatMap((shift) => base64Alignment(bytes.subarray(shift)));
    const hex = [bytes.toString('hex'), bytes.toString('hex').toUpperCase()];
    return [...new Set([...plain, ...inDumps, ...encoded, ...hex])].filter((text) => text.length >= SHORTEST_SECRET);
}
/** The base64 and base64url characters that depend on these bytes alone, not on what follows. */
function base64Alignment(bytes) {
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3));
    return [...new Set([whole.toString('base64'), whole.toString('base64url')])];
}
/** The part of a secret to search for. For a JWT the header is left out, because all tokens of a server share it. */
function sensitivePart(value) {
    return /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(value) ? value.slice(value.indexOf('.') + 1) : value;
}
/** The most bytes of a masked text. A mask may be longer than its run, because a dump can have one character on each line. */
function mostMasked(length, runs) {
    return length + runs.length * MASK.length;
}
/**
 * Copies `bytes` from `from` on into `memory`, with one mask for each run. A run that the previous piece has masked gets no
 * second mask.
 * @param memory with space for mostMasked() bytes
 * @returns the written part of `memory`
 */
function masked({ bytes, runs, from, continues }, memory) {
    let [at, length] = [from, 0];
    for (const { start, end } of runs) {
        if (end <= from)
            continue;
        length += bytes.copy(memory, length, at, Math.max(at, start));
        if (start >= from || !continues)
            length += MASK.copy(memory, length);
        at = end;
    }
    length += bytes.copy(memory, length, at);
    return memory.subarray(0, length);
}

// EXTERNAL MODULE: ./src/state/evidence-text.ts + 1 modules
var evidence_text = __nccwpck_require__(4741);
;// CONCATENATED MODULE: ./src/state/job-info.ts
const PLATFORMS = (/* unused pure expression or super */ null && (['github', 'gitlab', 'terminal']));
/** A ref of Git can have some hundred characters; the other texts are shorter. */
const MAX_TRIGGER_LENGTH = 500;
/** Bounds the variables, because a job can set them to any text. */
function triggerOf(variables) {
    const bounded = (text = '') => text.slice(0, MAX_TRIGGER_LENGTH);
    const { actor, commit, ref, event } = variables;
    return { actor: bounded(actor), commit: bounded(commit), ref: bounded(ref), event: bounded(event) };
}
function isPlatformName(text) {
    return PLATFORMS.includes(text);
}
/** Whether the text is a key from which the names of a run follow: 16 hex digits. */
function isRunKey(text) {
    return /^[0-9a-f]{16}$/.test(text);
}
/** The beginning of the names of all bound Secrets of an attempt of a run, and of no others. */
function boundSecretPrefix(run) {
    return `kubepass-${nameable(run.id)}-${nameable(run.attempt)}-`;
}
/** A part of an object's name: lower-case letters, digits and dashes. */
function nameable(text) {
    return (text
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, '-')
        .replaceAll(/^-+|-+$/g, '')
        .slice(0, 40) || '0');
}

// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __nccwpck_require__(3024);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __nccwpck_require__(6760);
// EXTERNAL MODULE: ./src/base/quote.ts
var base_quote = __nccwpck_require__(7541);
;// CONCATENATED MODULE: ./src/system/restore-access.ts




/**
 * Does `work` on a path. The scan runs as the same user and can change modes. After EACCES this function restores the
 * owner's rights and does the work again.
 * @param tell gets the result of restoreAccess(), if it is not empty
 */
function withRestoredAccess(path, work, tell = () => undefined) {
    try {
        return work();
    }
    catch (error) {
        const closed = (0,errors/* errnoOf */.UQ)(error) === 'EACCES' ? restoreAccess(path) : [];
        if (closed.length === 0)
            throw error;
        tell(closed);
        return work();
    }
}
/**
 * Restores the owner's rights: to pass the folders that lead to a path, to change the last folder, and to change the path itself.
 * @returns each folder or file that the owner could not use, with its former mode
 */
function restoreAccess(path) {
    const folders = [];
    for (let folder = (0,external_node_path_.dirname)(path); folder !== (0,external_node_path_.dirname)(folder); folder = (0,external_node_path_.dirname)(folder))
        folders.unshift(folder);
    return [
        ...folders.slice(0, -1).flatMap((folder) => restore_access_open(folder, folderAt, 0o100)),
        ...folders.slice(-1).flatMap((folder) => restore_access_open(folder, folderAt, 0o700)),
        ...restore_access_open(path, external_node_fs_.lstatSync, 0o600),
    ];
}
/** Gives the owner all rights if a needed right is missing. */
function restore_access_open(path, look, needed) {
    try {
        const about = look(path);
        const [mode, all] = [about.mode & 0o7777, about.isDirectory() ? 0o700 : 0o600];
        if (about.isSymbolicLink() || (mode & needed) === needed)
            return [];
        (0,external_node_fs_.chmodSync)(path, mode | all);
        return [`${(0,base_quote/* quote */.hD)(path)} (mode ${mode.toString(8).padStart(4, '0')})`];
    }
    catch {
        return [];
    }
}
function folderAt(path) {
    const about = (0,external_node_fs_.statSync)(path);
    if (!about.isDirectory())
        throw Object.assign(new Error('it is no folder'), { code: 'ENOTDIR' });
    return about;
}
/** Removes a file, or a folder with its content. */
function removeTree(path) {
    const remove = () => (0,external_node_fs_.rmSync)(path, { recursive: true, force: true });
    try {
        withRestoredAccess(path, remove);
    }
    catch (error) {
        if ((0,errors/* errnoOf */.UQ)(error) !== 'EACCES')
            throw error;
        for (const folder of foldersIn(path))
            restore_access_open(folder, external_node_fs_.lstatSync, 0o700);
        remove();
    }
}
/** A folder and all folders below it. The caller gets each folder before this function lists the folder. */
function* foldersIn(top) {
    const waiting = [top];
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
        yield folder;
        for (const entry of listed(folder))
            if (entry.isDirectory())
                waiting.push((0,external_node_path_.join)(folder, entry.name));
    }
}
/** Lists a folder. It does not follow a link, because a link may lead anywhere. */
function listed(folder) {
    try {
        if (!(0,external_node_fs_.lstatSync)(folder).isDirectory())
            return [];
        return (0,external_node_fs_.readdirSync)(folder, { withFileTypes: true });
    }
    catch {
        return [];
    }
}
/** Why kubepass could not change or remove a path: a folder or file belongs to another user, or else the code of the error. */
function obstacleAt(path, error, uid) {
    const within = function* () {
        yield (0,external_node_path_.dirname)(path);
        yield path;
        for (const folder of foldersIn(path))
            for (const { name } of listed(folder))
                yield (0,external_node_path_.join)(folder, name);
    };
    if ((0,errors/* errnoOf */.UQ)(error) === 'EACCES' || (0,errors/* errnoOf */.UQ)(error) === 'EPERM')
        for (const place of within()) {
            const owner = ownerOf(place);
            if (owner !== undefined && owner !== uid)
                return `${(0,base_quote/* quote */.hD)(place)} belongs to another user (uid ${owner})`;
        }
    return (0,errors/* errnoOf */.UQ)(error) || 'unknown reason';
}
function ownerOf(path) {
    try {
        return (0,external_node_fs_.lstatSync)(path).uid;
    }
    catch {
        return undefined;
    }
}

;// CONCATENATED MODULE: ./src/system/files.ts




const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = external_node_fs_.constants;
/**
 * Creates a file that only its owner can read, from the first byte on. It follows no link and replaces no file. If a write fails,
 * it removes the file.
 */
function files_writePrivate(path, content, mode = 0o600) {
    const file = (0,external_node_fs_.openSync)(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    try {
        writeAll(file, content);
    }
    catch (error) {
        (0,external_node_fs_.rmSync)(path);
        throw error;
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
/**
 * Writes a private file beside the file that it will replace. It removes what an earlier call left there.
 * @returns the function that does the replacement
 */
function files_stageReplacement(path, text, next = stagingPath(path), mode) {
    withRestoredAccess(next, () => {
        (0,external_node_fs_.rmSync)(next, { recursive: true, force: true });
        files_writePrivate(next, text, mode);
    });
    return () => {
        try {
            withRestoredAccess(path, () => (0,external_node_fs_.renameSync)(next, path));
        }
        catch (error) {
            (0,external_node_fs_.rmSync)(next, { force: true });
            throw error;
        }
    };
}
function stagingPath(path) {
    return `${path}.next`;
}
/**
 * Appends the whole text or nothing. It follows no link and writes to no pipe.
 * @param tell gets each file or folder whose access was restored
 */
function appendAtomically(path, text, tell) {
    // With O_NONBLOCK the opening of a pipe without a reader fails; without it, it would block for ever.
    const file = withRestoredAccess(path, () => (0,external_node_fs_.openSync)(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644), tell);
    try {
        const about = (0,external_node_fs_.fstatSync)(file);
        if (!about.isFile())
            throw Object.assign(new Error('it is no file'), { code: 'ENOTSUP' });
        try {
            writeAll(file, text);
        }
        catch (error) {
            (0,external_node_fs_.ftruncateSync)(file, about.size);
            throw error;
        }
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
/**
 * Replaces a file atomically. If the path is a link, it replaces the link, not the target. Another process may replace the same
 * file at the same time.
 * @param path a path from resolveRealPath(); if its folder has become a link since then, nothing is written
 */
function replaceFile(path, text) {
    const folder = (0,external_node_path_.dirname)(path);
    if (withRestoredAccess(path, () => (0,external_node_fs_.realpathSync)(folder)) !== folder)
        throw Object.assign(new Error('its folder is behind a link'), { code: 'ELOOP' });
    files_stageReplacement(path, text, (0,external_node_path_.join)(folder, `.${(0,external_node_path_.basename)(path).slice(0, 200)}.${(0,external_node_crypto_.randomBytes)(6).toString('hex')}`), 0o644)();
}
/** Makes a folder and its missing parents. The recursive mkdir of Node.js never returns below /proc. */
function makeFolder(path) {
    const isThere = () => (0,external_node_fs_.statSync)(path, { throwIfNoEntry: false })?.isDirectory() === true;
    if (isThere())
        return;
    makeFolder((0,external_node_path_.dirname)(path));
    try {
        (0,external_node_fs_.mkdirSync)(path);
    }
    catch (error) {
        // Another process may make it at the same time.
        if (!isThere())
            throw error;
    }
}
/** Resolves all links in a path. Its last part need not exist. */
function resolveRealPath(path) {
    return (0,external_node_fs_.existsSync)(path) ? (0,external_node_fs_.realpathSync)(path) : (0,external_node_path_.join)((0,external_node_fs_.realpathSync)((0,external_node_path_.dirname)(path)), (0,external_node_path_.basename)(path));
}
/** Replaces the content of a file in place, because its folder may belong to another user. It follows no link. */
function overwrite(path, content) {
    const file = (0,external_node_fs_.openSync)(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
        if (!(0,external_node_fs_.fstatSync)(file).isFile())
            throw Object.assign(new Error('it is no file'), { code: 'ENOTSUP' });
        (0,external_node_fs_.ftruncateSync)(file);
        writeAll(file, content);
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
/** Writes in a loop, because on a nearly full disk one call may write only a part of the bytes. */
function writeAll(file, content) {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length;)
        at += (0,external_node_fs_.writeSync)(file, bytes, at);
}

;// CONCATENATED MODULE: ./src/system/own-user.ts
/** The user id of this process, which owns the files that kubepass writes; -1 where the system has no user ids. */
function ownUid() {
    return process.getuid?.() ?? -1;
}

;// CONCATENATED MODULE: ./src/system/print.ts


const STDOUT = 1;
const STDERR = 2;
/**
 * Writes synchronously and never throws, because the revocation must go on even if the reader of the output is gone. It does not
 * use the streams of Node.js, which cost 3 ms and 2 MiB at their first use.
 */
function print(stream, text) {
    printWhole(stream, text);
}
/** @returns whether the whole text was written */
function printWhole(stream, text) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) {
        try {
            at += (0,external_node_fs_.writeSync)(stream, bytes, at);
        }
        catch (error) {
            if ((0,errors/* errnoOf */.UQ)(error) !== 'EAGAIN')
                return false;
            // The pipe is full and non-blocking: wait 1 ms for its reader.
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        }
    }
    return true;
}

;// CONCATENATED MODULE: ./src/platform/command-files.ts





/**
 * The files through which a step sends commands to its runner. The scan does not get their paths, but can find them. The runner
 * would take the scan's lines for those of kubepass: variables of later steps, outputs, the state for the post step.
 */
class CommandFiles {
    #paths;
    /** While a scan may run: the expected content of each file; undefined if there was no file. */
    #kept = new Map();
    /** The folders of these files, except symbolic links. */
    #folders = new Set();
    /** The paths whose access the scan removed and append() restored, with their modes. */
    #closed = [];
    /** @param names the variables that hold the paths of the files */
    constructor(env, names) {
        this.#paths = new Map(names.map((name) => [name, env[name] ?? '']).filter(([, path]) => path !== ''));
    }
    /** @param given the variables of the files that the scan may write to */
    guard(given) {
        for (const [name, path] of this.#paths) {
            if (given.includes(name))
                continue;
            try {
                this.#kept.set(name, contentOf(path));
                if (isFolder((0,external_node_path_.dirname)(path)))
                    this.#folders.add((0,external_node_path_.dirname)(path));
            }
            catch {
                // A path that is not a readable file has no content that restore() could write.
            }
        }
    }
    append(name, text) {
        const path = this.#paths.get(name);
        if (path === undefined)
            throw Object.assign(new Error(`${name} is not set`), { code: 'ENOENT' });
        appendAtomically(path, text, (closed) => {
            // A mode that was changed before guard() was not changed by the scan.
            if (this.#kept.size > 0)
                this.#closed.push(...closed);
        });
        if (this.#kept.has(name))
            this.#kept.set(name, Buffer.concat([this.#kept.get(name) ?? Buffer.alloc(0), Buffer.from(text)]));
    }
    /** Restores the files, with what append() has added since guard(). Call it when no process of the scan is left. */
    restore(uid) {
        const tampered = { changed: [], left: [] };
        const why = [];
        const closed = this.#closed.splice(0);
        for (const [name, kept] of this.#kept) {
            const path = this.#paths.get(name) ?? '';
            closed.push(...restoreAccess(path));
            try {
                if (!this.#isBehindLink(path) && isAsKept(path, kept))
                    continue;
                tampered.changed.push(name);
                this.#putBack(path, kept);
            }
            catch (error) {
                tampered.left.push(name);
                why.push(obstacleAt(path, error, uid));
            }
        }
        this.#kept.clear();
        this.#folders.clear();
        return { ...tampered, ...(why.length > 0 && { why }), ...(closed.length > 0 && { closed }) };
    }
    /** If the scan replaced the file's folder by a link, it could change a file behind the link later, too. */
    #isBehindLink(path) {
        return this.#folders.has((0,external_node_path_.dirname)(path)) && (0,external_node_fs_.lstatSync)((0,external_node_path_.dirname)(path), { throwIfNoEntry: false })?.isSymbolicLink() === true;
    }
    /** Writes a new file with the mode that the runner gave the old one. The old file may have a second hard link. */
    #putBack(path, kept) {
        try {
            if (this.#isBehindLink(path))
                removeTree((0,external_node_path_.dirname)(path));
            removeTree(path);
            if (kept === undefined)
                return;
            makeFolder((0,external_node_path_.dirname)(path));
            files_writePrivate(path, kept, 0o644);
        }
        catch (error) {
            // In a folder of another user kubepass cannot replace the file, but it can overwrite a file of its own.
            if ((0,errors/* errnoOf */.UQ)(error) !== 'EACCES')
                throw error;
            overwrite(path, kept ?? Buffer.alloc(0));
        }
    }
}
function isFolder(path) {
    return (0,external_node_fs_.lstatSync)(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
function isAsKept(path, kept) {
    const about = (0,external_node_fs_.lstatSync)(path, { throwIfNoEntry: false });
    if (about === undefined)
        return kept === undefined;
    // An empty file holds no command, so it does not matter which process made it.
    if (kept === undefined)
        return about.isFile() && about.size === 0;
    return about.isFile() && about.size === kept.length && contentOf(path)?.equals(kept) === true;
}
/**
 * @returns undefined when the path does not exist
 * @throws when the path is not a regular file, or cannot be read
 */
function contentOf(path) {
    let file;
    try {
        file = (0,external_node_fs_.openSync)(path, external_node_fs_.constants.O_RDONLY | external_node_fs_.constants.O_NOFOLLOW | external_node_fs_.constants.O_NONBLOCK);
    }
    catch (error) {
        if ((0,errors/* errnoOf */.UQ)(error) === 'ENOENT')
            return undefined;
        throw error;
    }
    try {
        if (!(0,external_node_fs_.fstatSync)(file).isFile())
            throw new Error('it is no file');
        return (0,external_node_fs_.readFileSync)(file);
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}

;// CONCATENATED MODULE: ./src/platform/workflow-commands.ts
/** U+200B in UTF-8. */
const ZERO_WIDTH_SPACE = Buffer.from('\u200b');
const PREFIX = Buffer.from('##[');
const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const HASH = 0x23;
const BRACKET = 0x5b;
/**
 * Makes a filter that hides workflow commands from the runner by a zero-width space. The runner reads `::name::` as a command at
 * the start of a line, `##[name]` anywhere.
 * https://github.com/actions/runner/blob/v2.336.0/src/Runner.Common/ActionCommand.cs
 */
function neutralizeCommands(search) {
    let line = { blank: true, colon: false, hashes: 0 };
    return (piece) => {
        if (piece.length === 0)
            return piece;
        const places = [...colonPositions(piece, line, search), ...bracketPositions(piece, line)].sort((a, b) => a - b);
        line = lineAfter(piece, line);
        return places.length === 0 ? piece : withSpaces(piece, places);
    };
}
/** The positions of the second colon of each `::` that only white space precedes on its line. */
function colonPositions(piece, line, search) {
    const places = [];
    if (line.colon && piece[0] === COLON)
        places.push(0);
    // Faster than Buffer.indexOf(), which would stop at each single colon: most logs have many.
    search.setInput(piece);
    for (let at = search.indexOfPair(COLON, COLON, 0); at >= 0; at = search.indexOfPair(COLON, COLON, lineEnd(piece, at + 2))) {
        const before = lastNotBlank(piece, at);
        if (before < 0 ? line.blank : isLineEnd(piece[before]))
            places.push(at + 1);
    }
    return places;
}
/** The positions of the bracket of each `##[`. */
function bracketPositions(piece, { hashes }) {
    const places = [];
    if (hashes === 2 && piece[0] === BRACKET)
        places.push(0);
    if (hashes >= 1 && piece[0] === HASH && piece[1] === BRACKET)
        places.push(1);
    for (let at = piece.indexOf(PREFIX); at >= 0; at = piece.indexOf(PREFIX, at + 3))
        places.push(at + 2);
    return places;
}
function lineAfter(piece, before) {
    const { length } = piece;
    const colon = piece[length - 1] === COLON;
    const end = colon ? length - 1 : length;
    // Fast for most lines: they hold more than white space, so the search ends after a few bytes.
    const last = lastNotBlank(piece, end);
    const onlyBlank = last < 0 ? before.blank : isLineEnd(piece[last]);
    let hashes = 0;
    while (hashes < 2 && hashes < length && piece[length - 1 - hashes] === HASH)
        hashes += 1;
    if (hashes === length)
        hashes = Math.min(2, hashes + before.hashes);
    return { blank: onlyBlank && !colon, colon: onlyBlank && colon, hashes };
}
/** The position of the last byte before `end` that is not white space within a line; -1 if there is none. */
function lastNotBlank(piece, end) {
    let at = end - 1;
    while (at >= 0 && isBlank(piece[at] ?? 0))
        at -= 1;
    return at;
}
/** The runner skips white space, also characters of several bytes in UTF-8. So every byte from 0x80 on counts as white space. */
function isBlank(byte) {
    return byte === 0x20 || byte >= 0x80 || byte === 0x09 || byte === 0x0b || byte === 0x0c;
}
function isLineEnd(byte) {
    return byte === LF || byte === CR;
}
function lineEnd(piece, at) {
    while (at < piece.length && !isLineEnd(piece[at]))
        at += 1;
    return at;
}
function withSpaces(piece, places) {
    const result = Buffer.allocUnsafe(piece.length + places.length * ZERO_WIDTH_SPACE.length);
    let from = 0;
    let to = 0;
    for (const place of places) {
        to += piece.copy(result, to, from, place);
        to += ZERO_WIDTH_SPACE.copy(result, to);
        from = place;
    }
    piece.copy(result, to, from);
    return result;
}

;// CONCATENATED MODULE: ./src/platform/github.ts










const STATE_KEY = 'run_state';
/** Without GITHUB_STEP_SUMMARY: the runner only shows it, so a scan that writes to it changes no later step. */
const COMMAND_FILES = ['GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STATE', 'GITHUB_OUTPUT'];
/**
 * GitHub Actions. Loading @actions/core takes as long as all requests to the API server. So this file does what is needed before
 * the scan itself, and loads @actions/core only to set outputs and variables.
 */
function githubPlatform(env, redact) {
    const core = () => {
        // @actions/core prints through Node's stream. If the reader of stdout is gone, an unhandled error would end the process.
        if (process.stdout.listenerCount('error') === 0)
            process.stdout.on('error', () => undefined);
        return Promise.all(/* import() */[__nccwpck_require__.e(119), __nccwpck_require__.e(421)]).then(__nccwpck_require__.bind(__nccwpck_require__, 6421));
    };
    const ownerUid = ownUid();
    const commandFiles = new CommandFiles(env, COMMAND_FILES);
    const info = (text) => print(STDOUT, `${redact(text)}\n`);
    /** While the runner ignores workflow commands: the word that ends this. */
    let fence;
    // One write that begins with a line end: no output of the scan can come between the lines, or before them on the same line.
    const command = (lines) => {
        if (fence === undefined)
            return print(STDOUT, lines);
        const lifted = `\n::${fence}::\n`;
        fence = (0,external_node_crypto_.randomUUID)();
        print(STDOUT, `${lifted}${lines}::stop-commands::${fence}\n`);
    };
    const annotate = (kind, text) => Promise.resolve(command(`::${kind} title=kubepass::${escapeData(redact(text))}\n`));
    return {
        // Only INPUT_*: an earlier step can set every other variable through GITHUB_ENV.
        input: (id) => env[`INPUT_${id.toUpperCase()}`],
        nameOf: (id) => id,
        argv: [],
        temp: (env['RUNNER_TEMP'] ?? '') || (0,external_node_os_namespaceObject.tmpdir)(),
        workspace: env['GITHUB_WORKSPACE'],
        path: env['PATH'] ?? '',
        hasLaterSteps: true,
        hasPost: true,
        postFailsJob: true,
        debugTraceVariable: undefined,
        stdin: undefined,
        isCI: true,
        env,
        ownerUid,
        job: {
            platform: 'github',
            id: env['GITHUB_RUN_ID'] ?? '0',
            attempt: env['GITHUB_RUN_ATTEMPT'] ?? '1',
            job: env['GITHUB_JOB'] ?? '',
            repository: env['GITHUB_REPOSITORY'] ?? '',
            instance: env['GITHUB_SERVER_URL'] ?? '',
            ...triggerOf({
                // A person can start an attempt of a run that another one started.
                actor: (env['GITHUB_TRIGGERING_ACTOR'] ?? '') || env['GITHUB_ACTOR'],
                commit: env['GITHUB_SHA'],
                ref: env['GITHUB_REF'],
                event: env['GITHUB_EVENT_NAME'],
            }),
        },
        // Two steps of a job must not use the same names, and no variable of the runner differs between them.
        runKey: undefined,
        idTokens: {
            instructions: 'Add to the job:\n  permissions:\n    id-token: write',
            request(seal) {
                const url = env['ACTIONS_ID_TOKEN_REQUEST_URL'];
                const bearer = env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
                return url && bearer && URL.canParse(url) ? { url: new URL(url), bearer: seal(bearer) } : undefined;
            },
        },
        mask: (secret) => command(maskedForms(secret)
            .map((form) => `::add-mask::${escapeData(form)}\n`)
            .join('')),
        log: { info, warn: (text) => annotate('warning', text), error: (text) => annotate('error', text) },
        savedState: {
            // A synchronous append, so that the state is complete whenever a signal kills kubepass. For the runner, the last line of a name counts.
            save: (state) => commandFiles.append('GITHUB_STATE', `${STATE_KEY}=${state === 'none' ? state : JSON.stringify(state)}\n`),
            load: () => env[`STATE_${STATE_KEY}`],
        },
        commandFiles: { guard: (given) => commandFiles.guard(given), restore: () => commandFiles.restore(ownerUid) },
        scanOutputs() {
            fence = (0,external_node_crypto_.randomUUID)();
            // On stdout only, after the masks: the runner may read stderr before stdout, and would then ignore the masks.
            print(STDOUT, `::stop-commands::${fence}\n`);
            return {
                stdout: () => process.stdout,
                stderr: () => process.stderr,
                // stop-commands is not enough: the runner does not keep the order of stdout and stderr.
                filters: (search) => [neutralizeCommands(search)],
                close(complete) {
                    // If the output is not complete, more may follow, also from the middle of a line. So the runner must go on ignoring commands.
                    if (fence === undefined || !complete)
                        return;
                    print(STDOUT, `\n::${fence}::\n`);
                    fence = undefined;
                },
            };
        },
        stepOutputs: {
            setOutput: async (id, value) => (await core()).setOutput(id, plain(value)),
            exportVariable: async (name, value) => (await core()).exportVariable(name, plain(value)),
        },
        publishCheck: async (evidence, token) => (await Promise.all(/* import() */[__nccwpck_require__.e(119), __nccwpck_require__.e(413), __nccwpck_require__.e(88)]).then(__nccwpck_require__.bind(__nccwpck_require__, 2088))).publishCheck(evidence, token, env),
        report: (evidence) => Promise.resolve(info(`What happened:\n${(0,evidence_text/* asText */.e1)(evidence)}`)),
        writeSummary(evidence) {
            // This is what the summary of @actions/core does. Loading @actions/core for it would double the time of the post step.
            // The blank line ends a paragraph of the scan.
            if (env['GITHUB_STEP_SUMMARY'])
                appendAtomically(env['GITHUB_STEP_SUMMARY'], redact(`\n${(0,evidence_text/* jobSummary */.sp)(evidence)}`));
        },
    };
}
/** The token, its two secret segments, and the base64 forms that the runner does not mask by itself. */
function maskedForms(secret) {
    const value = secret.reveal();
    const body = sensitivePart(value);
    const segments = body === value ? [] : body.split('.');
    const encoded = [0, 1, 2].flatMap((shift) => base64Alignment(Buffer.from(body).subarray(shift)));
    return [...new Set([value, ...segments, ...encoded].flatMap(linesOf))];
}
/** The runner masks each line of a mask, however short. So of a PEM key only the lines that occur in no other text are masked. */
function linesOf(form) {
    return form.includes('\n') ? form.split('\n').filter((line) => line.length >= 16 && !line.startsWith('-----')) : [form];
}
function plain(value) {
    return typeof value === 'string' ? value : value.reveal();
}
// https://github.com/actions/runner/blob/v2.336.0/src/Runner.Common/ActionCommand.cs
function escapeData(text) {
    return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

;// CONCATENATED MODULE: ./src/config/flags.ts




/** The flags in a terminal. Secrets are no flags, because every user of the machine can read argv. */
const terminalInputs = config_inputs/* inputIds */.Zp.filter((id) => config_inputs/* inputs */.QL[id].secret !== true && !config_inputs/* inputs */.QL[id].ciOnly);
/** The flags in a GitLab job. They are flags, because everybody who may run a pipeline can set any variable. */
const gitlabInputs = config_inputs/* inputIds */.Zp.filter((id) => config_inputs/* inputs */.QL[id].guard !== undefined);
const extraFlagTable = {
    quiet: { description: 'Print only warnings and errors.' },
    'dry-run': { description: 'Delete nothing, and show what would be deleted.' },
    json: { description: 'Print JSON in place of a table.' },
    'github-token-file': { description: 'File with a token for the API of GitHub; without it GITHUB_TOKEN.', path: 'file' },
    'gitlab-token-file': { description: 'File with a token for the API of GitLab; without it GITLAB_TOKEN or CI_JOB_TOKEN.', path: 'file' },
    check: {
        description: 'Manifest with Roles: exit with 1 if a right was used that it does not grant, and list what was not used.',
        path: 'file',
    },
};
const extraFlags = (/* unused pure expression or super */ null && (extraFlagTable));
function flagName(id) {
    return `--${id.replaceAll('_', '-')}`;
}
/** The name of the variable that holds an input, on GitLab and in a terminal. */
function variableName(id) {
    return `KUBEPASS_${id.toUpperCase()}`;
}
/** Whether the flag of the input needs no value: alone it means true. */
function isSwitch(id) {
    return inputs[id].options?.join() === 'true,false';
}
/**
 * The flags that GitLab's template passes. This code runs in a job before its scan, so it does not load the parser of a terminal.
 * @throws INPUT
 */
function parseGitlabFlags(words) {
    const options = Object.fromEntries(gitlabInputs.map((id) => [flagName(id).slice(2), { type: 'string' }]));
    const { values, positionals } = parse([...words], options);
    const [stray] = positionals;
    if (stray !== undefined)
        throw wrongFlags(`${(0,base_quote/* quote */.hD)(stray)} is no flag.`);
    return new Map(gitlabInputs.flatMap((id) => {
        const value = values[flagName(id).slice(2)];
        return value === undefined ? [] : [[id, value]];
    }));
}
function parse(args, options) {
    try {
        const { values, positionals } = (0,external_node_util_.parseArgs)({ args, options, allowPositionals: true });
        return { values: values, positionals };
    }
    catch (error) {
        throw wrongFlags(error instanceof Error ? error.message : 'The flags cannot be read.');
    }
}
function wrongFlags(fact) {
    return new errors/* KubepassError */.v3('INPUT', fact, { hint: 'gitlab/scan.yml gives these flags; is it of the same version as the program?' });
}

;// CONCATENATED MODULE: ./src/platform/gitlab-workspace.ts

/** The folder in which the runner looks for artifacts. CI_PROJECT_DIR may name a folder that exists only in the runner's containers. */
function gitlabWorkspace(env) {
    const named = env['CI_PROJECT_DIR'] ?? '';
    return named !== '' && (0,external_node_fs_.statSync)(named, { throwIfNoEntry: false })?.isDirectory() === true ? named : process.cwd();
}

;// CONCATENATED MODULE: ./src/platform/gitlab-timeouts.ts
/** The runner's default for RUNNER_AFTER_SCRIPT_TIMEOUT. */
const AFTER_SCRIPT_S = 300;
/**
 * Compares the time limits in the variables of GitLab and its runner with each other and with max_scan.
 * https://docs.gitlab.com/runner/configuration/configure_runners/#ensuring-after_script-execution
 * @param maxScan seconds; undefined when the input is not set
 * @returns a warning for each pair that does not fit
 */
function timeoutWarnings(env, maxScan, now = Date.now()) {
    const script = secondsOf(env['RUNNER_SCRIPT_TIMEOUT']);
    const job = Number(env['CI_JOB_TIMEOUT']);
    const passed = (now - Date.parse(env['CI_JOB_STARTED_AT'] ?? '')) / 1000;
    // An impossible time comes from a wrong clock, and is ignored.
    const begun = passed > 0 && passed < job ? Math.round(passed) : 0;
    if (script === undefined)
        return withoutScriptTimeout(job, begun, maxScan);
    const afterScript = secondsOf(env['RUNNER_AFTER_SCRIPT_TIMEOUT']) ?? AFTER_SCRIPT_S;
    const warnings = [];
    if (job > 0 && begun + script + afterScript > job) {
        const before = begun === 0 ? '' : `, ${begun} s of which have passed`;
        warnings.push(`script_timeout (${script} s) and after_script_timeout (${afterScript} s) do not fit into timeout (${job} s${before}): ` +
            'if the script uses its time, the runner cuts after_script off or does not start it. Then a token that the script left lives until it expires.');
    }
    if (maxScan !== undefined && maxScan > script)
        warnings.push(`max_scan (${maxScan} s) is longer than script_timeout (${script} s): the runner ends the scan earlier.`);
    return warnings;
}
/**
 * Without RUNNER_SCRIPT_TIMEOUT the script may use the job's whole time, and then the runner starts no after_script. A user may want
 * that, so only a max_scan that is too long gets a warning.
 */
function withoutScriptTimeout(job, begun, maxScan) {
    if (maxScan === undefined || begun + maxScan <= job || Number.isNaN(job))
        return [];
    return [`max_scan (${maxScan} s) is longer than timeout (${job} s): the runner ends the job earlier and starts no after_script.`];
}
/** Parses a duration of Go's form (1h30m); undefined if the runner does not take it for a limit. */
function secondsOf(text = '') {
    if (!/^(\d+(\.\d+)?(h|m|s))+$/.test(text))
        return undefined;
    const seconds = [...text.matchAll(/([\d.]+)([hms])/g)].reduce((sum, [, number, unit]) => sum + Number(number) * { h: 3600, m: 60, s: 1 }[unit], 0);
    return seconds > 0 ? seconds : undefined;
}

;// CONCATENATED MODULE: ./src/platform/gitlab.ts













/** The folder from which the template takes the reports. */
const REPORTS = 'kubepass-reports';
/**
 * GitLab CI: main is the job's script, post its after_script. The runner accepts no masks from a job, so only the redactor keeps
 * secrets out of the log. Code of @actions/* must not run here: its add-mask command would print the token.
 */
function gitlabPlatform(words, env, redact) {
    const flags = parseGitlabFlags(words);
    const workspace = gitlabWorkspace(env);
    const hasAudience = flags.get('audience') !== config_inputs/* NO_AUDIENCE */.dQ;
    const jobId = env['CI_JOB_ID'] ?? '0';
    const ownerUid = ownUid();
    const commandFiles = new CommandFiles(env, ['GITLAB_ENV']);
    const info = (text) => print(STDOUT, `${redact(text)}\n`);
    const colour = (code, text) => print(STDOUT, `\x1b[${code};1m${redact(text)}\x1b[0m\n`);
    // https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
    const section = (edge, name, header) => print(STDOUT, `\x1b[0Ksection_${edge}:${Math.floor(Date.now() / 1000)}:${name}\r\x1b[0K${header}\n`);
    let loaded;
    const reports = () => (loaded ??= Promise.all(/* import() */[__nccwpck_require__.e(585), __nccwpck_require__.e(526)]).then(__nccwpck_require__.bind(__nccwpck_require__, 2526)));
    return {
        input(id) {
            const { guard, only } = config_inputs/* inputs */.QL[id];
            if (only === 'github')
                return undefined;
            return guard === undefined ? env[variableName(id)] : flags.get(id);
        },
        nameOf: (id) => (config_inputs/* inputs */.QL[id].secret ? variableName(id) : id),
        argv: [],
        temp: (0,external_node_os_namespaceObject.tmpdir)(),
        workspace,
        path: env['PATH'] ?? '',
        hasLaterSteps: false,
        hasPost: true,
        postFailsJob: false,
        // The values that the runner takes for true.
        debugTraceVariable: /^(1|t|true)$/i.test(env['CI_DEBUG_TRACE'] ?? '') ? 'CI_DEBUG_TRACE' : undefined,
        stdin: undefined,
        isCI: true,
        env,
        ownerUid,
        job: {
            platform: 'gitlab',
            id: jobId,
            // A retried job has another id.
            attempt: '1',
            job: env['CI_JOB_NAME'] ?? '',
            repository: env['CI_PROJECT_PATH'] ?? '',
            instance: env['CI_SERVER_URL'] ?? '',
            ...triggerOf({
                actor: env['GITLAB_USER_LOGIN'],
                commit: env['CI_COMMIT_SHA'],
                ref: refOf(env),
                event: env['CI_PIPELINE_SOURCE'],
            }),
        },
        runKey: (0,external_node_crypto_.createHash)('sha256')
            .update(`${env['CI_SERVER_URL'] ?? ''} ${jobId}`)
            .digest('hex')
            .slice(0, 16),
        timeoutWarnings: (maxScan) => timeoutWarnings(env, maxScan),
        idTokens: {
            instructions: hasAudience
                ? "Add to the job, with the API server's URL:\n  id_tokens:\n    KUBEPASS_ID_TOKEN:\n      aud: https://k8s.example.com:6443"
                : "Give the template's input audience, the API server's URL:\n  audience: https://k8s.example.com:6443",
            token(seal) {
                const token = env['KUBEPASS_ID_TOKEN'];
                const sealed = token ? seal(token) : undefined;
                return hasAudience ? sealed : undefined;
            },
        },
        log: {
            info,
            warn: (text) => Promise.resolve(colour(33, `kubepass: warning: ${text}`)),
            error: (text) => Promise.resolve(colour(31, `kubepass: error: ${text}`)),
        },
        savedState: {
            // Only some runners pass GITLAB_ENV on to after_script, so the post step does not rely on this state.
            save(state) {
                try {
                    commandFiles.append('GITLAB_ENV', `KUBEPASS_RUN_STATE=${state === 'none' ? state : JSON.stringify(state)}\n`);
                }
                catch {
                    // The post step derives the names from the job's id.
                }
            },
            load: () => env['KUBEPASS_RUN_STATE'],
        },
        commandFiles: { guard: (given) => commandFiles.guard(given), restore: () => commandFiles.restore(ownerUid) },
        scanOutputs() {
            // Loaded before the scan starts: the scan, or an after_script that runs at the same time, can remove the program's files.
            void reports().catch(() => undefined);
            section('start', 'kubepass_scan', 'The scan');
            return {
                stdout: () => process.stdout,
                stderr: () => process.stderr,
                filters: () => [],
                close: () => section('end', 'kubepass_scan', ''),
            };
        },
        async report(evidence) {
            section('start', 'kubepass_evidence[collapsed=true]', 'What happened');
            info((0,evidence_text/* asText */.e1)(evidence));
            section('end', 'kubepass_evidence', '');
            const { annotations, junit } = await reports();
            // If the scan replaced the folder by a link, kubepass writes nothing behind the link.
            const folder = (0,external_node_path_.join)(resolveRealPath(workspace), REPORTS);
            makeFolder(folder);
            replaceFile((0,external_node_path_.join)(folder, 'junit.xml'), redact(junit(evidence)));
            replaceFile((0,external_node_path_.join)(folder, 'annotations.json'), redact(annotations(evidence, env)));
        },
    };
}
/**
 * The full name of the ref, because a branch and a tag can have the same name. CI_COMMIT_REF_NAME is no full name.
 * https://docs.gitlab.com/ci/variables/predefined_variables/
 */
function refOf(env) {
    const ofMergeRequest = env['CI_MERGE_REQUEST_REF_PATH'];
    if (ofMergeRequest)
        return ofMergeRequest;
    const [branch, tag] = [env['CI_COMMIT_BRANCH'], env['CI_COMMIT_TAG']];
    if (tag)
        return `refs/tags/${tag}`;
    return branch ? `refs/heads/${branch}` : undefined;
}

;// CONCATENATED MODULE: ./src/platform/detect.ts



/**
 * The CI platform of this job.
 * @param words the arguments after the command. GitLab's template passes `gitlab` first, because a pipeline's
 *   variables can override every variable of the runner, GITLAB_CI included
 * @throws INPUT
 */
function detect(env, words, redact) {
    const isTemplate = words[0] === 'gitlab';
    const [onGithub, onGitlab] = [env['GITHUB_ACTIONS'] === 'true', isTemplate || env['GITLAB_CI'] === 'true'];
    if (onGithub && onGitlab) {
        throw new errors/* KubepassError */.v3('INPUT', "GITHUB_ACTIONS is true in a GitLab job: GitHub's command that masks a secret would show the secret in GitLab's log.", {
            hint: 'Unset GITHUB_ACTIONS, or GITLAB_CI if this is a GitHub job.',
        });
    }
    if (onGithub)
        return githubPlatform(env, redact);
    if (onGitlab)
        return gitlabPlatform(isTemplate ? words.slice(1) : words, env, redact);
    throw new errors/* KubepassError */.v3('INPUT', 'This command is for a CI runner, but neither GITHUB_ACTIONS nor GITLAB_CI is true.', {
        hint: 'In a terminal use: kubepass run -- COMMAND',
    });
}

;// CONCATENATED MODULE: ./src/system/node-runtime.ts



/** Node.js reads these before kubepass starts, and prints HTTP headers or writes files about the program. The scan inherits them. */
const UNSAFE_VARIABLES = ['NODE_DEBUG', 'NODE_DEBUG_NATIVE', 'NODE_V8_COVERAGE', 'NODE_COMPILE_CACHE'];
/** The safe options of NODE_OPTIONS. Node.js accepts `_` in place of `-`, and a space in place of the `=` of its own options. */
const SAFE_OPTIONS = new RegExp(`^(?:${[
    // Memory.
    '--(?:max-old-space-size(?:-percentage)?|max-semi-space-size|max-heap-size|max-http-header-size|v8-pool-size)=\\d+',
    // The CAs that TLS trusts for other servers than the API server, such as the ID token service.
    '--use-(?:openssl|system|bundled)-ca',
    '--tls-min-v1\\.[23]',
    // Name resolution and the choice of the address.
    '--dns-result-order=\\w+',
    '--(?:enable-)?network-family-autoselection',
    '--network-family-autoselection-attempt-timeout=\\d+',
    // Warnings, and features that are switched off.
    '--(?:trace-)?(?:warnings|deprecation)',
    '--disable-(?:warning=\\w+|sigusr1)',
    '--no-[a-z0-9.-]+',
    // Options that jobs of Node.js projects often set for all their steps.
    '--(?:enable-source-maps|experimental-vm-modules|openssl-legacy-provider)',
].join('|')})$`);
function requireSupportedNode() {
    if (process.platform !== 'linux')
        throw new errors/* KubepassError */.v3('INPUT', `kubepass runs on Linux, not on ${process.platform}.`);
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    // Since 24.5 the Agent of Node.js supports the proxy variables.
    if (major < 24 || (major === 24 && minor < 5)) {
        throw new errors/* KubepassError */.v3('INPUT', `Node.js 24.5 or later is needed; this is ${process.versions.node}.`);
    }
}
/** Executes the program again without the variables that make Node.js show what the program does. */
function reexecWithoutNodeVariables() {
    const unsafe = UNSAFE_VARIABLES.filter((name) => process.env[name] !== undefined);
    if (unsafe.length > 0)
        reexecWithout(unsafe);
}
/** Main refuses unsafe NODE_OPTIONS, so that the user learns of them before the credential exists. */
function rejectUnsafeNodeOptions(env) {
    const [first, ...more] = unsafeNodeOptions(env);
    if (first === undefined)
        return;
    throw new KubepassError('INPUT', `NODE_OPTIONS holds ${[first, ...more].map((option) => quote(option, 60)).join(', ')}.`, {
        hint: "Such an option can load code, or write secrets of kubepass to a file. Unset NODE_OPTIONS for this step (env: NODE_OPTIONS: ''), or remove these options from it: options for memory, CAs, DNS and warnings are fine.",
    });
}
/** Commands that revoke must work with any NODE_OPTIONS: they execute the program again without unsafe options. */
function reexecWithoutNodeOptions(env) {
    if (unsafeNodeOptions(env).length > 0)
        reexecWithout(['NODE_OPTIONS']);
}
/**
 * Returns the names of the options that are not known to be harmless, without their values, which may be secrets. The standalone
 * program ignores NODE_OPTIONS. Options on the command line are not checked, because the caller of the program chose them.
 */
function unsafeNodeOptions(env) {
    const given = env['NODE_OPTIONS'] ?? '';
    if (given === '' || isStandalone())
        return [];
    const options = given.split(/ +(?=-)/).map((option) => option.replace(/^ +| +$/g, ''));
    return options
        .filter((option) => option !== '' && !SAFE_OPTIONS.test(option.replace(/ +/, '=').replace(/^[^=]+/, (name) => name.replaceAll('_', '-'))))
        .map((option) => option.split(/[\s="]/, 1)[0] ?? '');
}
/** Executes the program again without these variables. That happens once only, because the new process has none of them. */
function reexecWithout(names) {
    // An older Node.js has no execve; requireSupportedNode() refuses it later.
    if (typeof process.execve !== 'function')
        return;
    print(STDERR, `kubepass: ignores ${names.join(', ')}, because Node.js would show or change what kubepass does.\n`);
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)));
    // In the standalone program argv has the program itself in place of the script; Node.js adds it again.
    const args = isStandalone() ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
    // Otherwise Node.js would write the coverage files at this point.
    process.getBuiltinModule('node:v8').stopCoverage();
    process.execve(process.execPath, [process.execPath, ...args], env);
}
function ownProgram() {
    if (isStandalone())
        return { path: '/proc/self/exe', isExecutable: true };
    return { path: process.argv[1] ?? '', isExecutable: false };
}
function isStandalone() {
    return process.getBuiltinModule('node:sea').isSea();
}

;// CONCATENATED MODULE: ./src/commands/execute.ts







/** GitHub sends a second signal 7.5 s after the first. Before that, kubepass must have revoked and reported. */
const HARD_DEADLINE_MS = 4_200;
/** After a second signal in a terminal, kubepass waits for nothing but the revocation, and no longer than this. */
const SECOND_SIGNAL_DEADLINE_MS = 3_000;
/** Two signals within this time count as one: npm passes on a signal that the terminal also sends to kubepass. */
const SAME_SIGNAL_MS = 250;
/** @param words the words after the command of a CI job */
function jobPlatform(words) {
    return (redact) => detect(process.env, words, redact);
}
/**
 * Runs a command. Everything inside throws; this function alone prints an error and sets the exit code.
 * @param open makes the platform; its texts pass through `redact`
 */
async function execute(command, open = jobPlatform(process.argv.slice(2))) {
    // The exit code of a program that ends before it has a result.
    process.exitCode = (0,errors/* exitCodeOf */.FO)(undefined);
    reexecWithoutNodeVariables();
    const redactor = new Redactor(config_inputs/* inputIds */.Zp.map(config_inputs/* exampleOf */.Ql));
    const stop = new AbortController();
    const hardDeadline = new AbortController();
    const immediate = new AbortController();
    let platform;
    let stoppedBy;
    let stoppedAt = 0;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
        process.on(name, () => {
            if (stoppedBy === undefined)
                stoppedAt = Date.now();
            // A second signal of a CI's runner is routine. A second signal of a person means: end now.
            else if (platform?.isCI === false && Date.now() - stoppedAt > SAME_SIGNAL_MS)
                immediate.abort();
            stoppedBy ??= name;
            stop.abort(new errors/* KubepassError */.v3('INTERRUPTED', `Stopped by ${stoppedBy}.`));
            const left = immediate.signal.aborted ? SECOND_SIGNAL_DEADLINE_MS : HARD_DEADLINE_MS;
            setTimeout(() => hardDeadline.abort(new errors/* KubepassError */.v3('INTERRUPTED', 'There was no more time.')), left).unref();
        });
    }
    // Without a handler, Node.js opens a debugger on this signal.
    process.on('SIGUSR1', () => undefined);
    let context;
    let isOver = false;
    const printError = async (error) => {
        const text = redactor.redact((0,errors/* describe */.q0)(error));
        await (platform === undefined ? print(STDERR, `kubepass: error: ${text}\n`) : platform.log.error(text));
    };
    process.on('beforeExit', () => {
        // Before Node.js ends by itself it removes the handlers, so that a further signal would decide the exit code.
        if (isOver)
            process.exit();
        isOver = true;
        void endWithoutResult();
    });
    process.on('uncaughtException', (cause) => {
        const error = defect('An error occurred outside of the run.', cause);
        // The run ends as after a signal, so that its error handling revokes the credential.
        if (!isOver && !stop.signal.aborted)
            return stop.abort(error);
        process.exitCode = (0,errors/* exitCodeOf */.FO)(error);
        void printError(error);
    });
    try {
        requireSupportedNode();
        const here = open((text) => redactor.redact(text));
        platform = here;
        const seal = (value) => {
            const secret = redactor.seal(value);
            here.mask?.(secret);
            return secret;
        };
        context = {
            platform,
            redactor,
            seal,
            signal: stop.signal,
            hardDeadline: hardDeadline.signal,
            immediate: immediate.signal,
            emergencyCleanup: undefined,
        };
        const exitCode = await command(context);
        if (stop.signal.aborted && (0,errors/* codeOf */.$N)(stop.signal.reason) === 'INTERNAL')
            throw stop.signal.reason;
        endWith(exitCode);
    }
    catch (error) {
        await printError(error);
        const ownExitCode = (0,errors/* exitCodeOf */.FO)(error);
        endWith(stoppedBy === undefined || ['NOT_REVOKED', 'TAMPERED'].includes((0,errors/* codeOf */.$N)(error)) ? ownExitCode : 128 + external_node_os_namespaceObject.constants.signals[stoppedBy]);
    }
    /** Once a defect has set the exit code, a run that goes on to revoke its credential does not change the code. */
    function endWith(exitCode) {
        if (!isOver)
            process.exitCode = exitCode;
        isOver = true;
    }
    /** Node.js has nothing left to do, although the run waits for something. */
    async function endWithoutResult() {
        const error = defect('The run ended without a result.');
        await printError(error);
        const failure = await context?.emergencyCleanup?.(error);
        if (failure === undefined)
            return;
        await printError(failure);
        process.exitCode = (0,errors/* exitCodeOf */.FO)(failure);
    }
}
function defect(fact, cause) {
    return new errors/* KubepassError */.v3('INTERNAL', `${fact} This is a defect of kubepass.`, {
        hint: 'Please report it with the log; the log holds no secret.',
        cause,
    });
}

// EXTERNAL MODULE: ./src/config/invalid-value.ts
var invalid_value = __nccwpck_require__(6033);
;// CONCATENATED MODULE: ./src/config/paths.ts






/** The value of `evidence` that means standard output. */
const STANDARD_OUTPUT = '-';
function parseEvidencePath(text, source, purpose) {
    if (text === STANDARD_OUTPUT) {
        if (source.isCI)
            throw new invalid_value/* InvalidValue */.h("is -, but a job's standard output is its log: name a file");
        return text;
    }
    return parseReportPath(text, source, purpose);
}
/** The path of a file that kubepass writes for people. The folder of the file is made. */
function parseReportPath(text, source, purpose) {
    if (text.includes('\0') || text.includes('\n'))
        throw new invalid_value/* InvalidValue */.h('holds a NUL or a line end');
    const file = (0,external_node_path_.resolve)(source.workspace ?? '', text);
    if (purpose === 'finish')
        return resolveRealPathOr(file);
    try {
        if (text.endsWith('/') || (0,external_node_fs_.statSync)(file, { throwIfNoEntry: false })?.isDirectory() === true)
            throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(text)}, which names a folder`);
        makeFolder((0,external_node_path_.dirname)(file));
        (0,external_node_fs_.accessSync)((0,external_node_path_.dirname)(file), external_node_fs_.constants.W_OK);
        return resolveRealPath(file);
    }
    catch (error) {
        if (error instanceof invalid_value/* InvalidValue */.h)
            throw error;
        throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(text)}, where no file can be written (${(0,errors/* errnoOf */.UQ)(error)})`);
    }
}
function resolveRealPathOr(path) {
    try {
        return resolveRealPath(path);
    }
    catch {
        return path;
    }
}
/** Refuses a directory in the workspace, because files there end up in artifacts, caches and commits. */
function parseDirectory(path, workspace) {
    let real;
    try {
        real = (0,external_node_fs_.realpathSync)(path);
        if (!(0,external_node_fs_.statSync)(real).isDirectory())
            throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(path)}, which is no directory`);
        (0,external_node_fs_.accessSync)(real, external_node_fs_.constants.W_OK);
    }
    catch (error) {
        if (error instanceof invalid_value/* InvalidValue */.h)
            throw error;
        throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(path)}, which cannot be used (${(0,errors/* errnoOf */.UQ)(error)})`);
    }
    if (workspace !== undefined && isInside(real, realpathOr(workspace)))
        throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(path)}, which lies in the workspace`);
    if (real.includes(external_node_path_.delimiter))
        throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(real)}, with a "${external_node_path_.delimiter}": KUBECONFIG is a list, so that clients would look for two other files`);
    if (/\p{Cc}/u.test(real))
        throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(real)}, with a control character`);
    return real;
}
/** The folder of a run's private directory. The folder may no longer exist. */
function baseDirectory(source) {
    const given = (source.input('directory') ?? '').trim();
    return realpathOr(given === '' ? source.temp : given);
}
function realpathOr(path) {
    try {
        return (0,external_node_fs_.realpathSync)(path);
    }
    catch {
        return (0,external_node_path_.resolve)(path);
    }
}
function isInside(path, parent) {
    const rest = (0,external_node_path_.relative)(parent, path);
    return rest !== '..' && !rest.startsWith('../') && !(0,external_node_path_.isAbsolute)(rest);
}

;// CONCATENATED MODULE: ./src/base/deadline.ts
/**
 * Returns a signal that aborts after a time, or when one of the given signals aborts. The listener prevents a fault of Node.js
 * (24.21), which can forget a timeout inside `AbortSignal.any` if the combined signal has no listener.
 */
function deadlineAfter(milliseconds, ...signals) {
    const deadline = AbortSignal.any([...signals, AbortSignal.timeout(milliseconds)]);
    deadline.addEventListener('abort', () => undefined);
    return Object.assign(deadline, { endsAt: Math.min(Date.now() + milliseconds, ...signals.map(endOfDeadline)) });
}
/** The time at which a deadline aborts, in ms since 1970; Infinity for any other signal. */
function endOfDeadline(signal) {
    return 'endsAt' in signal ? signal.endsAt : Infinity;
}

;// CONCATENATED MODULE: ./src/state/credential-state.ts
/** The same credential in another phase. */
function withPhase({ number, slot, deadBy }, phase) {
    return { number, slot, deadBy, ...phase };
}
/** The phase before kubepass began to revoke the credential. */
function livePhaseOf(credential) {
    if (credential.phase === 'deletion-requested' || credential.phase === 'revoked' || credential.phase === 'absent')
        return credential.last;
    const { number, slot, deadBy, ...live } = credential;
    return live;
}
/** Whether a token of the credential may exist or have existed. */
function hasToken(credential) {
    return ['token-requested', 'issued'].includes(livePhaseOf(credential).phase);
}
/**
 * Whether nothing of the credential can exist: no request was sent; or the response to the creation of the Secret was lost, and an earlier
 * DELETE found no Secret.
 */
function neverExisted(credential) {
    const { phase } = livePhaseOf(credential);
    return phase === 'planned' || (phase === 'secret-requested' && credential.phase === 'absent');
}
/** Undefined where the response with the uid was lost. */
function uidOf(credential) {
    const live = livePhaseOf(credential);
    return live.phase === 'planned' || live.phase === 'secret-requested' ? undefined : live.uid;
}
/** Whether a further DELETE changes no fact: the credential is revoked, or its Secret is absent and its token proven dead. */
function isConcluded(credential) {
    return credential.phase === 'revoked' || (credential.phase === 'absent' && credential.proof !== undefined);
}
/**
 * Whether kubepass has nothing left to do for the credential, although its Secret may have been absent. A credential that is bound to
 * nothing cannot be revoked.
 */
function isSettled(credential) {
    return credential.slot === 'unbound' || ['planned', 'revoked', 'absent'].includes(credential.phase);
}
function tokenFactsOf(credential) {
    const live = livePhaseOf(credential);
    return live.phase === 'issued' ? live.token : undefined;
}
function acceptanceOf(credential) {
    const live = livePhaseOf(credential);
    return live.phase === 'issued' ? live.acceptance : undefined;
}
function proofOf(credential) {
    return credential.phase === 'revoked' || credential.phase === 'absent' ? credential.proof : undefined;
}
/** Whether kubepass has proven that the tokens of a run are dead: it records all proofs of a run together. */
function isProven(credentials) {
    return credentials.some((credential) => proofOf(credential) !== undefined);
}
/** When the last token of these is dead in any case, ISO 8601; null where no token can exist. */
function latestDeadBy(credentials) {
    const ends = credentials.filter(hasToken).map(({ deadBy }) => deadBy);
    return ends.toSorted((one, other) => Date.parse(one) - Date.parse(other)).at(-1) ?? null;
}
/** Whether a token can still live, although the clock of the API server may differ from the clock of this machine. */
function mayLive(deadBy, now = Date.now()) {
    return Date.parse(deadBy) + MAX_CLOCK_SKEW_MS > now;
}
const MAX_CLOCK_SKEW_MS = 600_000;

;// CONCATENATED MODULE: ./src/base/version.ts
/** Written by `npm run generate` from package.json. */
const version = '0.1.0';

// EXTERNAL MODULE: ./src/base/time.ts
var base_time = __nccwpck_require__(6496);
;// CONCATENATED MODULE: ./src/token/jwt.ts
/** Header and claims of a JWT; undefined if the text is no JWT. The signature is not checked. */
function decodeJwt(text) {
    const [header, claims, signature, ...more] = text.split('.');
    if (header === undefined || claims === undefined || !signature || more.length > 0)
        return undefined;
    const parsed = { header: parseSegment(header), claims: parseSegment(claims) };
    return parsed.header !== undefined && parsed.claims !== undefined ? parsed : undefined;
}
/** Like decodeJwt(), for a sealed token. */
function jwt_jwtOf(token) {
    return decodeJwt(token.reveal());
}
function parseSegment(segment) {
    try {
        const value = JSON.parse(Buffer.from(segment, 'base64url').toString());
        return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
    }
    catch {
        return undefined;
    }
}

;// CONCATENATED MODULE: ./src/token/claims.ts




const CLOCK_SKEW_S = 120;
/**
 * Reads the claims. It does not compare them with the request: kubepass must know the expiry even of a wrong token.
 * @throws RIGHTS if the token is no JWT, or its times contradict each other
 */
function readCredential(token) {
    const jwt = jwtOf(token);
    if (jwt === undefined)
        throw unexpectedToken('it is no JWT');
    const { iat, exp, nbf, jti } = jwt.claims;
    if (!isTime(iat) || !isTime(exp) || exp <= iat || (nbf !== undefined && (!isTime(nbf) || nbf >= exp)))
        throw unexpectedToken('its times make no sense');
    return { token, jwt, jti: typeof jti === 'string' ? jti : undefined, issuedAt: iat, expiresAt: exp };
}
/**
 * Compares the token's claims with those of the request.
 * @returns warnings
 * @throws RIGHTS if the claims differ
 */
function checkCredential({ jwt, issuedAt, expiresAt }, expected, now = Date.now() / 1000) {
    const life = { from: issuedAt, to: expiresAt };
    const difference = differentSignature(jwt) ??
        differentAccount(jwt, expected) ??
        differentBinding(jwt, expected) ??
        differentAudiences(jwt, expected) ??
        differentLife(life, expected);
    if (difference !== undefined)
        throw unexpectedToken(difference);
    return [...shortLifeWarnings(life, expected), ...clockWarnings(issuedAt, now)];
}
function differentSignature({ header: { alg } }) {
    // Asymmetric signatures only: "none" and shared keys prove nothing.
    const isAsymmetric = typeof alg === 'string' && /^(RS|ES|PS)(256|384|512)$|^EdDSA$/.test(alg);
    return isAsymmetric ? undefined : `its algorithm is ${shown(alg)}`;
}
function differentAccount({ claims }, { namespace, name }) {
    const kubernetes = objectAt(claims, 'kubernetes.io');
    const subject = `system:serviceaccount:${namespace}:${name}`;
    if (claims['sub'] !== subject)
        return `its subject is ${shown(claims['sub'])}, not ${quote(subject)}`;
    if (kubernetes['namespace'] !== namespace)
        return `its namespace is ${shown(kubernetes['namespace'])}`;
    return objectAt(kubernetes, 'serviceaccount')['name'] === name ? undefined : 'it names another ServiceAccount';
}
function differentBinding({ claims }, { boundSecret }) {
    const { name, uid } = boundSecretClaim(claims);
    const isBound = boundSecret === undefined || (name === boundSecret.name && uid === boundSecret.uid);
    return isBound ? undefined : 'it is not bound to the Secret of this run';
}
function differentAudiences({ claims }, { audiences: expected }) {
    const audiences = [claims['aud']].flat();
    const areSame = expected.length === audiences.length && expected.every((audience) => audiences.includes(audience));
    // Where none is asked for, the API server chooses.
    return expected.length === 0 || areSame ? undefined : `its audiences are ${shown(audiences)}`;
}
function differentLife({ from, to }, { duration, statedExpiry }) {
    if (to - from > duration + 1)
        return `it lives ${to - from} s, longer than the ${duration} s asked for`;
    const isOther = statedExpiry !== undefined && Math.abs(Date.parse(statedExpiry) / 1000 - to) > 5;
    return isOther ? 'it expires at another time than the server states' : undefined;
}
function shortLifeWarnings({ from, to }, { duration }) {
    return to - from < duration - 1 ? [`The credential lives ${to - from} s, shorter than the ${duration} s asked for.`] : [];
}
function clockWarnings(issuedAt, now) {
    const skew = Math.round(issuedAt - now);
    if (Math.abs(skew) <= CLOCK_SKEW_S)
        return [];
    return [
        `The API server's clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's. The times in this log are the API server's.`,
    ];
}
/** The claim with the name and uid of the bound Secret; empty if the token has none. */
function boundSecretClaim(claims) {
    return objectAt(objectAt(claims, 'kubernetes.io'), 'secret');
}
const GITLAB_CLAIMS = ['project_path', 'project_id', 'ref_protected', 'namespace'];
/** Describes the claims of a refused ID token, one a line; undefined if the token is no JWT. */
function describeClaims(token, now = Date.now() / 1000) {
    const jwt = jwt_jwtOf(token);
    if (jwt === undefined)
        return undefined;
    const names = ['iss', 'aud', 'sub', 'repository', 'repository_id', 'ref', 'event_name', 'environment', ...GITLAB_CLAIMS];
    const lines = names.filter((name) => jwt.claims[name] !== undefined).map((name) => `  ${name}: ${shown(jwt.claims[name])}`);
    return [...lines, ...describeTimes(jwt, now)].join('\n');
}
function describeTimes({ claims }, now) {
    return ['iat', 'nbf', 'exp'].flatMap((name) => {
        const time = claims[name];
        return isTime(time) ? [`  ${name}: ${(0,base_time/* isoTime */.Ly)(time)} (${(0,base_time/* relativeTime */.KW)(time, now)})`] : [];
    });
}
/** The API server accepts an OpenID Connect token this long before its `nbf`. */
const NOT_BEFORE_LEEWAY_S = 300;
/**
 * Why the API server cannot accept the identity's token now, judged by the token's own times; undefined if it may. Two clocks may
 * differ by CLOCK_SKEW_S: within that time the API server decides.
 */
function validityProblem(token, now = Date.now() / 1000) {
    const jwt = jwt_jwtOf(token);
    if (jwt === undefined)
        return undefined;
    const { exp, nbf } = jwt.claims;
    const expired = isTime(exp) && exp < now - CLOCK_SKEW_S ? `expired ${(0,base_time/* relativeTime */.KW)(exp, now)}` : undefined;
    const early = isTime(nbf) && nbf > now + NOT_BEFORE_LEEWAY_S ? `is not valid yet: it will be ${(0,base_time/* relativeTime */.KW)(nbf, now)}` : undefined;
    const why = expired ?? early;
    return why === undefined ? undefined : `${why}. Its times:\n${describeTimes(jwt, now).join('\n')}\nIt is now ${(0,base_time/* isoTime */.Ly)(Math.floor(now))}`;
}
/** The credential id in the form that the audit log and SelfSubjectReview use. */
function credentialId(jti) {
    return `JTI=${jti}`;
}
function unexpectedToken(difference) {
    return new KubepassError('RIGHTS', `The token is not the one that was asked for: ${difference}.`, {
        hint: 'Does the API server sign tokens with a plugin, or does a gateway in front of it change requests?',
    });
}
function objectAt(of, key) {
    const value = of[key];
    return typeof value === 'object' && value !== null ? value : {};
}
function isTime(value) {
    return typeof value === 'number' && Number.isFinite(value) && value > 0 && value < 8.64e12;
}
function shown(value) {
    return (0,base_quote/* quoteValue */.cl)(value ?? 'missing');
}

// EXTERNAL MODULE: ./src/state/outcome.ts
var outcome = __nccwpck_require__(9773);
;// CONCATENATED MODULE: ./src/token/lifetime.ts
/** The API server accepts a token for this long after its `exp`: 60 s of leeway and 10 s of cache. */
const ACCEPTED_AFTER_EXPIRY_S = 70;
/**
 * The expiry by this machine's clock, in ms since 1970. The life is counted from the time when kubepass received the token,
 * because the API server's clock may differ.
 * @param receivedAt ms since 1970
 */
function endsAt({ issuedAt, expiresAt }, receivedAt) {
    return receivedAt + (expiresAt - issuedAt) * 1000;
}
/** When to renew a credential, in ms since 1970: at 65 to 75 % of its life, at random, so that many jobs do not renew at once. */
function renewAt(credential, receivedAt, random = Math.random()) {
    return receivedAt + Math.round((endsAt(credential, receivedAt) - receivedAt) * (0.65 + random / 10));
}
/**
 * When to delete the bound Secret of a replaced credential. Some clients never read the new token, so that the old one stays valid
 * until its expiry. With `rotate_grace` the user states that all clients re-read it, and the old one ends earlier.
 * @param end expiry of the replaced credential, and `replacedAt`: ms since 1970
 * @param grace seconds
 */
function revokeSupersededAt(end, replacedAt, grace) {
    return grace === undefined ? end : Math.min(end, replacedAt + grace * 1000);
}

;// CONCATENATED MODULE: ./src/state/run-state.ts







/**
 * kubepass checks the text, because the API server sends it, and because the scan can change it in the saved state. The limit is high,
 * because the user name of an ID token contains repository and ref.
 */
function isUsername(value) {
    return typeof value === 'string' && /^[^\p{Cc}]{1,1000}$/u.test(value);
}
/** As in the audit log: JTI=..., or X509SHA256=... for a client certificate. */
function isCredentialIdOfIssuer(value) {
    return typeof value === 'string' && /^[A-Z0-9]{1,20}=[^\p{Cc}]{1,300}$/u.test(value);
}
/** For example v1.36.0-gke.1. */
function isGitVersion(value) {
    return typeof value === 'string' && /^v\d[\w.+-]{0,99}$/.test(value);
}
function newRunState(options, job, key = (0,external_node_crypto_.randomBytes)(8).toString('hex')) {
    const { namespace, name } = options.serviceAccount;
    return {
        version: 4,
        job,
        server: options.server,
        requested: { namespace, name, durationSeconds: options.duration, audiences: options.tokenAudiences },
        key,
        directory: (0,external_node_path_.join)(options.directory, `kubepass-${key}`),
        identity: null,
        issuer: null,
        apiServer: null,
        commandSha256: options.commandSha256 ?? null,
        programSha256: null,
        lastNumber: 0,
        credentials: [],
        forgotten: [],
        forgottenNotListed: 0,
        scan: null,
        isolation: null,
        apiAccess: null,
        warnings: [],
        error: null,
        errorReason: null,
        earlierError: null,
        deliveredToLaterSteps: false,
        recovered: false,
        cleanupAttempted: false,
        proofLeftToPost: false,
        reported: false,
    };
}
/** The latest time at which the API server can accept a token that is requested from now on, ISO 8601. */
function latestDeadByOfRequest(options, now = Date.now()) {
    return (0,base_time/* isoTime */.Ly)(Math.ceil((now + options.deadline) / 1000) + options.duration + ACCEPTED_AFTER_EXPIRY_S);
}
/**
 * The names that the bound Secrets of a run can have. Three credentials may exist at a time: the one in use, the one before it and
 * the next one.
 */
function boundSecretNames({ job, key }) {
    const name = (end) => `${boundSecretPrefix(job)}${end}`;
    const derived = (slot) => (0,external_node_crypto_.createHash)('sha256').update(`${key} ${slot}`).digest('hex').slice(0, 16);
    return [name(key), name(derived(1)), name(derived(2))];
}
/** Undefined where the token is bound to nothing. */
function secretNameOf(state, { slot }) {
    return slot === 'unbound' ? undefined : boundSecretNames(state)[slot];
}
/** The facts of a credential that stay when another one uses its slot. */
function lastingFactsOf(credential) {
    const { number, slot, deadBy } = credential;
    const [token, acceptance] = [tokenFactsOf(credential), acceptanceOf(credential)];
    return { number, slot, deadBy, ...(token && { token }), ...(acceptance && { acceptance }) };
}
/** Whether the token with these claims belongs to the credential. Before Kubernetes 1.30 a token has no id, but names its Secret. */
function isTokenOf(state, credential, claims) {
    const { jti } = tokenFactsOf(credential) ?? {};
    if (credential.slot === 'unbound' || claims['jti'] !== jti)
        return false;
    if (jti !== undefined)
        return true;
    const { name, uid } = boundSecretClaim(claims);
    return name === secretNameOf(state, credential) && [undefined, uid].includes(uidOf(credential));
}
/** More warnings than people read. A long run must not write a state that is too long to be read again. */
const MAX_WARNINGS = 500;
/** The first and the last are listed, the others are counted. A day of 10-minute tokens has about 200. */
const MAX_FORGOTTEN = 100;
/** In characters. The log has the whole message. */
const MAX_REASON = 500;
/** One for each name, and one that is bound to nothing. */
const MAX_CREDENTIALS = 4;

;// CONCATENATED MODULE: ./src/state/evidence.ts






/** The run state as its readers see it. */
function toEvidence(state) {
    const facts = factsOf(state);
    return { version: 1, kubepass: version, outcome: (0,outcome/* outcomeOf */.sG)(facts), ...facts };
}
function factsOf(state) {
    const { namespace, name, durationSeconds, audiences } = state.requested;
    const all = [...state.forgotten, ...state.credentials.map(lastingFactsOf)].sort((one, other) => one.number - other.number);
    const granted = all.flatMap(({ slot, token }) => (token === undefined ? [] : [grantRecord(token, secretNameOf(state, { slot }))]));
    const accepted = all.find(({ acceptance }) => acceptance !== undefined)?.acceptance;
    return {
        run: state.job,
        server: state.server,
        api_server: state.apiServer ?? { version: null, ca_sha256: null },
        identity: state.identity,
        issuer: state.issuer,
        program_sha256: state.programSha256,
        command_sha256: state.commandSha256,
        requested: { service_account: `${namespace}/${name}`, duration_seconds: durationSeconds, audiences },
        granted: granted[0] ?? null,
        renewed: granted.slice(1),
        renewed_not_listed: state.forgottenNotListed,
        verified: accepted === undefined ? null : { username: accepted.username, at: accepted.at },
        used: usedIn(state),
        delivered_to_later_steps: state.deliveredToLaterSteps,
        recovered: state.recovered,
        isolation: state.isolation,
        api_access: state.apiAccess,
        ...revocationIn(state),
        proven: provenIn(state.credentials),
        dead_by: latestDeadBy(state.credentials),
        finished: state.cleanupAttempted,
        warnings: state.warnings,
        error: state.error,
        earlier_error: state.earlierError?.code ?? null,
        error_reason: reasonIn(state),
    };
}
/** Of two reasons that are too long together, each keeps its beginning. */
function reasonIn({ earlierError, errorReason }) {
    if (errorReason === null || earlierError === null)
        return errorReason;
    const before = ` Before that: ${earlierError.code}: ${earlierError.reason}`;
    const left = Math.max(MAX_REASON / 2, MAX_REASON - before.length);
    return (0,base_quote/* oneLine */.TN)(`${(0,base_quote/* oneLine */.TN)(errorReason, left)}${before}`, MAX_REASON);
}
function grantRecord({ jti, issuedAt, expiresAt }, secretName) {
    return {
        credential_id: jti === undefined ? null : credentialId(jti),
        issued_at: issuedAt,
        expires_at: expiresAt,
        bound_to: secretName ?? null,
    };
}
function usedIn({ scan }) {
    if (scan === null)
        return null;
    const { startedAt, end } = scan;
    return {
        started_at: startedAt,
        ended_at: end?.at ?? null,
        exit_code: end?.exitCode ?? null,
        signal: end?.signal ?? null,
        accepted: end?.isAccepted ?? null,
    };
}
/** A run counts as revoked when each token is, and none is bound to nothing. */
function revocationIn({ credentials: all, forgotten }) {
    const credentials = all.filter(hasToken);
    const isAnyAccepted = forgotten.some(({ isStillAccepted }) => isStillAccepted === true);
    const isOver = !isAnyAccepted && credentials.every(({ slot, phase }) => slot !== 'unbound' && (phase === 'revoked' || phase === 'absent'));
    const last = credentials
        .flatMap((credential) => (credential.phase === 'revoked' ? [credential.at] : []))
        .toSorted()
        .at(-1);
    if (!isOver || credentials.length === 0)
        return { revoked: null, missing: false };
    return { revoked: last === undefined ? null : { at: last }, missing: last === undefined };
}
/** The weakest of the proofs, all of which kubepass records at the same time. */
function provenIn(credentials) {
    const proofs = credentials.flatMap((credential) => proofOf(credential) ?? []);
    const [first] = proofs;
    if (first === undefined)
        return null;
    return {
        dead_at: first.at,
        samples: Math.min(...proofs.map(({ samples }) => samples)),
        seconds_after_revocation: Math.max(...proofs.map(({ seconds }) => seconds)),
    };
}

;// CONCATENATED MODULE: ./src/lifecycle/cleanup-plan.ts

/** What to do with one credential. */
function planFor(credential, { isOwner, requireRevocation }) {
    if (credential.slot === 'unbound')
        return hasToken(credential) && requireRevocation ? 'cannot-revoke' : 'nothing';
    // A later process has only the saved state, which the scan can change. So it sends the DELETE for every bound Secret.
    if (isOwner && (credential.phase === 'planned' || credential.phase === 'revoked'))
        return 'nothing';
    return 'delete';
}
/**
 * Interprets the response to a DELETE. If the Secret is gone and its uid is known, then an earlier DELETE of this process, whose response
 * was lost, has removed it.
 */
function outcomeOfDelete(response, wasPending, uid) {
    if (response !== 'gone')
        return 'deleted';
    return wasPending && uid !== undefined ? 'deleted' : 'gone';
}
/** What the outcome of a DELETE means for a credential, as the credential was before. */
function concludeDeletion(before, outcome, view) {
    if (outcome === 'deleted' || neverExisted(before))
        return 'done';
    if (outcome === 'failed') {
        if (!hasToken(before))
            return 'secret-left';
        return before.phase === 'revoked' ? 'unconfirmed' : 'not-revoked';
    }
    const mayNeverHaveExisted = view.isOwner && livePhaseOf(before).phase === 'secret-requested';
    return before.phase === 'revoked' || mayNeverHaveExisted || view.mayHaveConcurrentCleanup ? 'done' : 'secret-missing';
}
/**
 * When to prove that the tokens are dead. `try`: now, and in the post step if the time is too short.
 * A proof needs a token that the API server accepted before and refuses now.
 */
function whenToProve(view) {
    if (view.prove === 'off' || view.heldTokens === 0 || view.isProven || view.hasSecondSignal)
        return 'never';
    if (!view.postFollows)
        return 'now';
    // The post step finds one token only.
    if (view.prove === 'post' && view.heldTokens === 1)
        return 'later';
    return view.isStopping ? 'try' : 'now';
}
/** What the last uses of the tokens show together. `untested`: all held tokens are dead, but others may live. */
function concludeProof(verdicts, untestedTokens, hasTime) {
    if (verdicts.every((verdict) => verdict === 'dead'))
        return untestedTokens === 0 ? 'proven' : 'untested';
    if (!hasTime)
        return 'no-time';
    return verdicts.includes('alive') ? 'alive' : 'unclear';
}

;// CONCATENATED MODULE: ./src/base/percent-decode.ts
/** Decodes percent escapes once; undefined if one of them is wrong. */
function percentDecoded(text) {
    try {
        return decodeURIComponent(text);
    }
    catch {
        return undefined;
    }
}

// EXTERNAL MODULE: external "node:net"
var external_node_net_ = __nccwpck_require__(7030);
// EXTERNAL MODULE: external "node:url"
var external_node_url_ = __nccwpck_require__(3136);
;// CONCATENATED MODULE: ./src/net/no-proxy.ts


/**
 * Whether kubepass connects to a URL without a proxy. The rules are those of Go's httpproxy, which kubectl follows: loopback
 * addresses and localhost always, and each host that an entry of NO_PROXY matches.
 * https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 */
function isExcepted(target, noProxy) {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    const port = target.port || (target.protocol === 'https:' ? '443' : '80');
    if (host === 'localhost' || isLoopbackAddress(host))
        return true;
    return noProxy.split(',').some((entry) => matches(entry.trim().toLowerCase(), host, port));
}
function matches(entry, host, port) {
    if (entry === '*')
        return true;
    const network = parseNetwork(entry);
    if (network !== undefined)
        return isIn(host, network);
    const [name, entryPort] = splitPort(entry);
    if (name === '' || (entryPort !== '' && entryPort !== port))
        return false;
    return familyOf(name) === 0 ? isInDomain(host, name) : isIn(host, { address: name, prefix: bitsOf(name) });
}
/** Reads ADDRESS/PREFIX; undefined for any other text. */
function parseNetwork(entry) {
    const [, address = '', prefix = ''] = /^([^/]+)\/(\d+)$/.exec(entry) ?? [];
    const isValid = familyOf(address) !== 0 && Number(prefix) <= bitsOf(address);
    return isValid ? { address, prefix: Number(prefix) } : undefined;
}
/** Whether the host is the domain or lies below it. An IP address is in no domain. */
function isInDomain(host, name) {
    if (familyOf(host) !== 0)
        return false;
    const domain = inAscii(name.startsWith('*.') ? name.slice(1) : name);
    return host.endsWith(domain.startsWith('.') ? domain : `.${domain}`) || host === domain;
}
/** Splits HOST:PORT or [IPV6]:PORT as Go does. Any other text is a host without a port. */
function splitPort(entry) {
    const [, bracketed, plain, port = ''] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(entry) ?? [];
    const host = bracketed ?? plain;
    return host === undefined ? [entry, ''] : [host, port];
}
function isLoopbackAddress(host) {
    return isIn(host, { address: '127.0.0.0', prefix: 8 }) || isIn(host, { address: '::1', prefix: 128 });
}
function isIn(host, network) {
    return familyOf(host) !== 0 && isIPv4(host) === isIPv4(network.address) && isWithin(host, network);
}
/** Counts an IPv4 address in the form of IPv6 as IPv4, as Go does. */
function isIPv4(address) {
    return familyOf(address) === 4 || isWithin(address, { address: '::ffff:0:0', prefix: 96 });
}
function isWithin(address, network) {
    const nameOf = (text) => (familyOf(text) === 4 ? 'ipv4' : 'ipv6');
    const list = new external_node_net_.BlockList();
    list.addSubnet(network.address, network.prefix, nameOf(network.address));
    return list.check(address, nameOf(address));
}
/** The length of an IP address, in bits. */
function bitsOf(address) {
    return familyOf(address) === 4 ? 32 : 128;
}
/** 4 or 6; 0 for no IP address. As in Go, an address with a zone is no IP address. */
function familyOf(text) {
    return text.includes('%') ? 0 : (0,external_node_net_.isIP)(text);
}
function inAscii(name) {
    if (/^[\x20-\x7e]*$/.test(name))
        return name;
    const [, dot = '', rest = ''] = /^(\.?)(.*)$/.exec(name) ?? [];
    return dot + ((0,external_node_url_.domainToASCII)(rest) || rest);
}

;// CONCATENATED MODULE: ./src/net/proxy-variables.ts




/** An example of a proxy's URL with a password, for messages. */
const PROXY_EXAMPLE = 'http://user:password@proxy.example.com:3128 (user and password percent-encoded)';
const NAME = /^(https?|all)_proxy$/i;
/** Matches up to the last @, so that it also finds the password of a malformed URL. */
const PASSWORD = /^(?:\w+:\/\/)?[^:@/]*:(?!\/\/)(.+)@/;
/** A shorter password may be part of other values, such as PATH, which would then count as secrets. */
const SHORTEST = 8;
/** The password in a proxy variable; undefined for any other variable. */
function proxyPassword(name, value) {
    return NAME.test(name) ? PASSWORD.exec(value)?.[1] : undefined;
}
/** Seals the password of each proxy variable, as written and percent-decoded. */
function sealProxyPasswords(env, seal) {
    for (const [name, value = ''] of Object.entries(env)) {
        const password = proxyPassword(name, value) ?? '';
        for (const form of new Set([password, percentDecoded(password) ?? '']))
            if (form.length >= SHORTEST)
                seal(form);
    }
}
/**
 * The proxy of the environment for this URL, by the rules of Go's httpproxy: HTTPS_PROXY takes precedence over https_proxy, and
 * NO_PROXY over no_proxy.
 */
function proxyFor(target, env) {
    const { name, url } = proxyOf(env);
    if (url === undefined || isExcepted(target, env[env['NO_PROXY'] ? 'NO_PROXY' : 'no_proxy'] ?? ''))
        return undefined;
    if (url !== 'wrong' && /^https?:$/.test(url.protocol))
        return url;
    throw new errors/* KubepassError */.v3('INPUT', `${name} names a proxy for ${(0,base_quote/* quote */.hD)(target.host)} that is neither http nor https.`, {
        hint: `kubepass supports no SOCKS proxy: give an http proxy, for example ${PROXY_EXAMPLE}. If the host needs no proxy, name it in NO_PROXY.`,
    });
}
/** The problem with the proxy variable; undefined if it has a valid URL or is not set. */
function problemOfProxy(env) {
    const { name, url } = proxyOf(env);
    return url === 'wrong' ? `${name} is no URL that can be used; for example: ${PROXY_EXAMPLE}` : undefined;
}
function proxyOf(env) {
    const name = env['HTTPS_PROXY'] ? 'HTTPS_PROXY' : 'https_proxy';
    const value = env[name] ?? '';
    if (value === '')
        return { name, url: undefined };
    const hasNoHost = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:\/|$)/i.test(value);
    const url = hasNoHost || /[\s\p{Cc}]/u.test(value) ? null : URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
    // A slash in a password ends the host, so that the rest of the password with the @ becomes the path.
    const good = url !== null && [url.username, url.password].every((text) => percentDecoded(text) !== undefined) && !url.pathname.includes('@');
    return { name, url: good ? url : 'wrong' };
}
/** The names of the proxy variables that the scan does not get. */
function withheldProxies(env, scanEnv) {
    return Object.keys(env).filter((name) => NAME.test(name) && scanEnv[name] === undefined);
}

// EXTERNAL MODULE: ./src/system/find-program.ts
var find_program = __nccwpck_require__(4319);
;// CONCATENATED MODULE: ./src/config/own-kubeconfig.ts



/** The members of KUBECONFIG, kubectl's default file, and the file that the input `kubeconfig` names. */
function ownKubeconfigs(env, input) {
    const home = env['HOME'] ?? '';
    const members = (env['KUBECONFIG'] ?? '').split(external_node_path_.delimiter);
    const paths = [...members, (0,external_node_path_.join)(home, '.kube', 'config'), input ?? ''].filter((path) => path !== '');
    const known = new Set(paths.map(fileId).filter((id) => id !== undefined));
    const include = (path) => {
        const id = fileId(path);
        return id !== undefined && known.has(id);
    };
    return { paths: paths.filter(include), home, include };
}
/** An id that all names of a file share. Devices have no id, because a caller without a cluster sets KUBECONFIG=/dev/null. */
function fileId(path) {
    try {
        const about = (0,external_node_fs_.statSync)(path, { bigint: true });
        return about.isFile() ? `${about.dev}:${about.ino}` : undefined;
    }
    catch {
        return undefined;
    }
}
/**
 * Why a command must not run; undefined if it may. The caller's shell has already expanded $KUBECONFIG to the caller's file, or to
 * an empty text.
 * @param words the words of a command line, or one shell script
 */
function problemOfKubeconfig(words, own) {
    const file = ownFileIn(words, own);
    if (file !== undefined)
        return `names ${(0,base_quote/* quote */.hD)(file)}, a kubeconfig of the caller: the scan would not be the ServiceAccount`;
    const descriptor = descriptorIn(words);
    if (descriptor !== undefined)
        return `names ${(0,base_quote/* quote */.hD)(descriptor)}, which the caller's shell has opened: the scan would not be the ServiceAccount`;
    const flag = emptyFlagIn(words);
    return flag === undefined ? undefined : `gives no value to ${(0,base_quote/* quote */.hD)(flag)}: the client would look for a kubeconfig of the caller`;
}
function ownFileIn(words, own) {
    let previous = '';
    for (const word of words) {
        const text = word.replaceAll(/["'\\]/g, '');
        // Checked first, because the split below would cut a path with such characters.
        const spelled = [word, word.slice(word.indexOf('=') + 1)].find((path) => /[\s=:,]/.test(path) && own.include(path));
        const found = spelled ?? own.paths.find((path) => /[\s=:,]/.test(path) && text.includes(path));
        if (found !== undefined)
            return found;
        for (const part of text.split(/[\s;|&()<>`]+/)) {
            const pieces = part.split(/[=:,@]/).map((piece) => expandHome(piece, own.home));
            const path = pieces.find((piece, index) => !(index === 0 && isSubcommand(piece, previous)) && own.include(piece));
            if (path !== undefined)
                return path;
            previous = part;
        }
    }
    return undefined;
}
/** Whether a word is a subcommand, as in `kubectl config view`, although the working directory has a file with that name. */
function isSubcommand(word, previous) {
    return !word.includes('/') && !/^-[^=]*(config|file)[^=]*$/i.test(previous);
}
/** The file descriptor to which the caller's shell has expanded `--kubeconfig <(...)`. */
function descriptorIn(words) {
    const values = words.flatMap((word, index) => FLAG.test(word) ? [words[index + 1] ?? ''] : FLAG.test(word.split('=')[0] ?? '') ? [word.slice(word.indexOf('=') + 1)] : []);
    return values.find((value) => /^\/(dev\/fd|proc\/[^/]+\/fd)\/\d+$/.test(value));
}
function expandHome(path, home) {
    return path.replace(/^(~|\$HOME|\$\{HOME\})(?=\/)/, () => home);
}
const FLAG = /^--?kube-?config[\w-]*$/i;
/** Flags that take a path. FLAG also matches flags without a value, such as `k3d --kubeconfig-switch-context`. */
const FLAG_OF_PATH = /^--?kube-?config(-?(file|path))?$/i;
const EMPTY = /^(--?kube-?config[\w-]*|KUBE_?CONFIG\w*)=$/i;
const EMPTY_IN_SCRIPT = /(?:^|\s)(--?kube-?config[\w-]*)(?:=(?:""|'')?|\s+(?:""|''))(?=[\s;|&)]|$)/i;
function emptyFlagIn(words) {
    for (const [index, word] of words.entries()) {
        if (FLAG.test(word) && words[index + 1] === '')
            return word;
        if (FLAG_OF_PATH.test(word) && words[index + 1] === undefined)
            return word;
        const match = EMPTY.exec(word) ?? (/\s/.test(word) ? EMPTY_IN_SCRIPT.exec(word) : null);
        if (match !== null)
            return match[1];
    }
    return undefined;
}

// EXTERNAL MODULE: ./src/config/path-or-content.ts
var path_or_content = __nccwpck_require__(8789);
;// CONCATENATED MODULE: ./src/config/command.ts





/** How each shell runs a script, so that a failing line fails the scan. */
const SHELLS = {
    bash: ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c'],
    sh: ['sh', '-e', '-c'],
};
/** The command of the scan; undefined if none is given, or if the run only finishes. The words after `--` win over the input. */
function commandOf(given) {
    const words = wordsOf(given);
    if (words !== undefined)
        return words;
    const script = scriptOf(given);
    return script === undefined ? undefined : [...SHELLS[given.value('shell')], script];
}
/**
 * The SHA-256 of the command, in hex; undefined without one. A script is hashed as it is. Of the words after `--`, a NUL follows each one,
 * so that two lists of words never have the same text.
 */
function commandSha256Of(given) {
    const text = scriptOf(given) ??
        wordsOf(given)
            ?.map((word) => `${word}\0`)
            .join('');
    return text === undefined ? undefined : (0,external_node_crypto_.createHash)('sha256').update(text).digest('hex');
}
/** The words after `--`, which run without a shell. */
function wordsOf({ source, purpose }) {
    const [program, ...args] = source.argv;
    return purpose === 'finish' || program === undefined ? undefined : [program, ...args];
}
/** The input `command`, if it is what runs. */
function scriptOf(given) {
    if (given.purpose === 'finish' || wordsOf(given) !== undefined)
        return undefined;
    return given.value('command') || undefined;
}
/** What a command must be like, in the order of its problems. */
const commandRules = [
    {
        name: 'the command is given once',
        problem: (given) => wordsOf(given) !== undefined && given.source.input('command') !== undefined
            ? `${given.nameOf('command')} and a command after -- are both given: leave one out`
            : undefined,
    },
    {
        name: 'the command begins with a program on PATH',
        code: 'COMMAND_NOT_FOUND',
        problem: (given) => {
            const [program] = wordsOf(given) ?? [];
            return program === undefined || (0,find_program/* isProgram */.Vd)(program, given.source.path)
                ? undefined
                : `the command ${(0,base_quote/* quote */.hD)(program)} is ${program.includes('/') ? 'no executable file' : 'not a program on PATH'}: correct it, or install the program`;
        },
    },
    {
        name: 'the command holds no NUL',
        problem: (given) => (scriptOf(given)?.includes('\0') === true ? `${given.nameOf('command')} holds a NUL character` : undefined),
    },
    { name: 'the command names no kubeconfig of the caller', problem: problemOfOwnKubeconfig },
    {
        name: 'the shell is on PATH',
        problem: (given) => {
            const shell = given.value('shell');
            if (scriptOf(given) === undefined || given.isWrong('shell') || (0,find_program/* isProgram */.Vd)(shell, given.source.path))
                return undefined;
            const advice = shell === 'bash' ? `; install it, or set ${given.nameOf('shell')} to sh, which ignores failures inside a pipe` : '';
            return `${shell} is not on PATH${advice}`;
        },
    },
];
function problemOfOwnKubeconfig(given) {
    const words = wordsOf(given);
    const script = scriptOf(given);
    const texts = words ?? (script === undefined ? [] : [script]);
    if (texts.length === 0 || given.value('allow_own_kubeconfig'))
        return undefined;
    const kubeconfig = given.text('kubeconfig');
    const file = (0,path_or_content/* kubeconfigContent */.r)(kubeconfig) === undefined ? kubeconfig : undefined;
    const problem = problemOfKubeconfig(texts, ownKubeconfigs(given.source.env, file));
    if (problem === undefined)
        return undefined;
    const command = given.nameOf('command');
    const example = given.source.isCI ? '' : `: ${command} 'kubectl --kubeconfig "$KUBECONFIG" ...'`;
    return (`${words === undefined ? command : 'the command'} ${problem}. The scan finds its own kubeconfig without an argument. ` +
        `Where it needs one, its own shell must expand "$KUBECONFIG"${example}. ` +
        `To allow the caller's file, set ${given.nameOf('allow_own_kubeconfig')} to true`);
}

;// CONCATENATED MODULE: ./src/system/pod.ts


// Fixed by the API: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const pod_TOKEN = `${FOLDER}/token`;
function isInPod(env) {
    return serverOf(env) !== undefined && (0,external_node_fs_.existsSync)(pod_TOKEN);
}
/** The real path of the folder with the Pod's own token; undefined outside of a Pod. */
function podTokenFolder() {
    return existsSync(pod_TOKEN) ? realpathSync(FOLDER) : undefined;
}
/** The URL of the Pod's own API server; undefined outside of a Pod. */
function serverOf(env) {
    const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = env;
    if (!/^[\w.:-]+$/.test(host) || !/^\d+$/.test(port))
        return undefined;
    return URL.parse(`https://${(0,external_node_net_.isIPv6)(host) ? `[${host}]` : host}:${port}`)?.origin;
}

;// CONCATENATED MODULE: ./src/config/cluster-source.ts


/** The value of `certificate_authority` that means the public CAs of the system. */
const SYSTEM = 'system';
/** The inputs that say how to reach the API server. */
const CLUSTER_INPUTS = ['server', 'certificate_authority', 'proxy_url', 'tls_server_name'];
/** The inputs that give the token of the identity. */
const TOKEN_INPUTS = ['token', 'token_file'];
/** The inputs that each identity makes superfluous. */
const PROVIDED = {
    kubeconfig: CLUSTER_INPUTS,
    'in-cluster': [...CLUSTER_INPUTS, ...TOKEN_INPUTS],
};
/** All inputs that some identity provides. */
const providedInputs = PROVIDED['in-cluster'];
/**
 * The identity that provides the API server; undefined if the inputs name the server.
 * @param textOf the text of an input, empty if it is not given
 * @param env shows whether kubepass runs in a Pod
 */
function clusterSourceOf(textOf, env) {
    if (textOf('kubeconfig') !== '')
        return 'kubeconfig';
    const identity = textOf('identity') || config_inputs/* inputs */.QL.identity.default;
    const isAlone = PROVIDED['in-cluster'].every((id) => textOf(id) === '');
    const isInCluster = identity === 'in-cluster' || (identity === 'auto' && isAlone && isInPod(env));
    return isInCluster ? 'in-cluster' : undefined;
}
/**
 * Whether an input is given although the identity provides its value.
 * @param text the text of the input, empty if it is not given
 */
function isSuperfluous(id, text, source) {
    if (source === undefined || text === '' || !PROVIDED[source].includes(id))
        return false;
    // `system` is the only CA that may be given with a kubeconfig; that kubeconfig must then have no CA.
    return source === 'in-cluster' || id !== 'certificate_authority' || text !== SYSTEM;
}

;// CONCATENATED MODULE: ./src/config/allow-rules.ts


/** The form of each value of a field, and the form in words. */
const FIELDS = {
    apiGroups: { form: /^(\*|[a-z0-9.-]*)$/, words: '"*" or the name of a group, such as apps' },
    resources: {
        form: /^(\*|(\*\/)?[a-z0-9.-]+|[a-z0-9.-]+\/[a-z0-9.-]+)$/,
        words: '"*", a resource such as pods, a subresource such as pods/log, or */log',
    },
    resourceNames: { form: /^[^/%]+$/, words: 'the name of an object' },
    verbs: { form: /^(\*|[a-z]+)$/, words: '"*" or a verb in lower case, such as get' },
    nonResourceURLs: { form: /^(\*|\/[^*]*\*?)$/, words: '"*", a path such as /metrics, or the start of one: /logs/*' },
    namespaces: { form: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, words: 'the name of a namespace' },
};
const NAMES = Object.keys(FIELDS);
const EXAMPLE = 'A correct rule: {apiGroups: [apps], resources: [deployments], verbs: [get, list]}';
const MOST_RULES = 1000;
const MOST_VALUES = 1000;
const LONGEST_VALUE = 300;
/**
 * Reads a list of rules, or a mapping with the field `rules`.
 * @throws InvalidValue, which names the wrong field
 */
function readAllowRules(value) {
    const rules = isObject(value) ? rulesIn(value) : value;
    if (!Array.isArray(rules))
        throw new invalid_value/* InvalidValue */.h(`holds no list of rules. ${EXAMPLE}`);
    if (rules.length === 0 || rules.length > MOST_RULES)
        throw new invalid_value/* InvalidValue */.h(`holds ${rules.length} rules, not 1 to ${MOST_RULES}`);
    return rules.map((rule, index) => readRule(rule, `rules[${index}]`));
}
function rulesIn(value) {
    const stray = Object.keys(value).find((name) => name !== 'rules');
    if (stray !== undefined)
        throw wrong((0,base_quote/* quote */.hD)(stray, 60), 'which is not known: give only the field rules, or a list of rules');
    return value['rules'];
}
function readRule(rule, place) {
    if (!isObject(rule))
        throw wrong(place, 'which is no mapping');
    const stray = Object.keys(rule).find((name) => !NAMES.includes(name));
    if (stray !== undefined)
        throw wrong(`${place}.${(0,base_quote/* escapeText */.X1)(stray, 60)}`, `which is no field of a rule; the fields are ${NAMES.join(', ')}`);
    const listOf = (field) => readList(rule[field], field, place);
    const read = {
        // The API server needs the group of each resource. The core group is the empty text, which only quotes can write.
        apiGroups: rule['apiGroups'] === undefined && rule['resources'] !== undefined ? [''] : listOf('apiGroups'),
        resources: listOf('resources'),
        resourceNames: listOf('resourceNames'),
        verbs: listOf('verbs'),
        nonResourceURLs: listOf('nonResourceURLs'),
        namespaces: listOf('namespaces'),
    };
    checkRule(read, place);
    return read;
}
/** Checks what the API server demands of a rule. */
function checkRule({ apiGroups, verbs, resources, resourceNames, nonResourceURLs, namespaces }, place) {
    if (verbs.length === 0)
        throw wrong(`${place}.verbs`, 'which is missing or empty');
    if (nonResourceURLs.length === 0) {
        if (resources.length === 0)
            throw wrong(`${place}.resources`, 'which is missing or empty');
        if (apiGroups.length === 0)
            throw wrong(`${place}.apiGroups`, 'which is empty: leave it out for the core group');
    }
    else if ([apiGroups, resources, resourceNames, namespaces].some((list) => list.length > 0)) {
        throw wrong(`${place}.nonResourceURLs`, 'beside which only verbs may stand');
    }
}
function readList(value, field, place) {
    if (value === undefined)
        return [];
    if (!Array.isArray(value))
        throw wrong(`${place}.${field}`, 'which is no list');
    if (value.length > MOST_VALUES)
        throw wrong(`${place}.${field}`, `which has over ${MOST_VALUES} values`);
    return value.map((each, index) => {
        const { form, words } = FIELDS[field];
        if (typeof each === 'string' && each.length <= LONGEST_VALUE && form.test(each))
            return each;
        throw wrong(`${place}.${field}[${index}]`, `which is not ${words}`);
    });
}
function wrong(field, fault) {
    return new invalid_value/* InvalidValue */.h(`has ${field}, ${fault}. ${EXAMPLE}`);
}
function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

;// CONCATENATED MODULE: ./src/config/yaml.ts

/**
 * Parses the documents of a YAML text strictly.
 * @throws InvalidValue, which quotes nothing of the text
 */
async function parseYaml(text) {
    // Imported only here, because few jobs give YAML.
    const { parseAllDocuments } = await __nccwpck_require__.e(/* import() */ 815).then(__nccwpck_require__.t.bind(__nccwpck_require__, 8815, 19));
    const documents = [...parseAllDocuments(text, { strict: true, uniqueKeys: true, stringKeys: true, merge: false, prettyErrors: false })];
    return documents.map((document) => {
        const [problem] = [...document.errors, ...document.warnings];
        if (problem !== undefined)
            throw new invalid_value/* InvalidValue */.h(`is no YAML (${problem.code} in line ${text.slice(0, problem.pos[0]).split('\n').length})`);
        try {
            return document.toJS({ maxAliasCount: 0 });
        }
        catch {
            throw new invalid_value/* InvalidValue */.h('holds YAML aliases, which kubepass does not read');
        }
    });
}
/** Writes each object as a YAML document. */
async function writeYaml(objects) {
    const { stringify } = await __nccwpck_require__.e(/* import() */ 815).then(__nccwpck_require__.t.bind(__nccwpck_require__, 8815, 19));
    return objects.map((each) => `---\n${stringify(each, { lineWidth: 0, aliasDuplicateObjects: false })}`).join('');
}

;// CONCATENATED MODULE: ./src/config/allow-input.ts




const LONGEST_TEXT = 100_000;
/**
 * Reads the rules of the input `allow` before the parser, because the parser of YAML is loaded only then.
 * @param readFile reads the file, the pipe or standard input with this path
 * @returns the rules as JSON; InvalidValue if they are no YAML; undefined if the input has no rules
 */
async function allowAsJson(text, readFile) {
    if (text === '' || isWord(text))
        return undefined;
    try {
        const yaml = isRules(text) ? text : textOfRules(text, readFile);
        if (yaml.length > LONGEST_TEXT)
            throw new invalid_value/* InvalidValue */.h(`holds more than ${LONGEST_TEXT} characters`);
        const [document, ...others] = await parseYaml(yaml);
        if (others.length > 0)
            throw new invalid_value/* InvalidValue */.h('holds more than one YAML document');
        return JSON.stringify(document ?? null);
    }
    catch (error) {
        if (error instanceof invalid_value/* InvalidValue */.h)
            return error;
        throw error;
    }
}
/**
 * @param json what allowAsJson() returned
 * @throws InvalidValue
 */
function parseAllow(text, json) {
    if (isWord(text))
        return text;
    if (json instanceof invalid_value/* InvalidValue */.h)
        throw json;
    if (json === undefined)
        throw new invalid_value/* InvalidValue */.h('is neither granted nor read, and its rules were not read');
    return readAllowRules(JSON.parse(json));
}
function isWord(text) {
    return text === 'granted' || text === 'read';
}
/** Whether the text is YAML, and no path of a file. */
function isRules(text) {
    return /[\n\r{[]|:\s/.test(text);
}
function textOfRules(path, readFile) {
    if ((0,path_or_content/* isNoPath */.F)(path))
        throw new invalid_value/* InvalidValue */.h('is none of granted, read, rules, or the path of a file with rules');
    return readFile(path);
}

// EXTERNAL MODULE: ./src/config/certificates.ts
var certificates = __nccwpck_require__(8812);
// EXTERNAL MODULE: ./src/config/damage.ts
var damage = __nccwpck_require__(885);
// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __nccwpck_require__(7075);
// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __nccwpck_require__(8500);
// EXTERNAL MODULE: ./src/config/small-file.ts
var small_file = __nccwpck_require__(400);
;// CONCATENATED MODULE: ./src/config/read-pipes.ts









/** The inputs that can be the path of a file. */
const PATH_INPUTS = ['kubeconfig', 'token_file', 'certificate_authority', 'allow'];
const POLL_MS = 20;
/**
 * Reads pipes, such as a process substitution, before all other inputs. A pipe can be read only once, so that the texts are kept
 * for the whole run. The rules of `allow` are read here too, and become JSON.
 * @param seconds the time limit for all pipes
 */
async function readPipes(source, seconds, stop) {
    const given = PATH_INPUTS.map((id) => (source.input(id) ?? '').trim());
    const deadline = deadlineAfter(seconds * 1000, stop);
    const read = async (path, readText) => {
        try {
            return [path, await readText()];
        }
        catch (error) {
            stop.throwIfAborted();
            if (error instanceof invalid_value/* InvalidValue */.h)
                return [path, error];
            const why = deadline.aborted
                ? `whose text did not end within ${seconds} s: does a program write to it? Raise deadline if that takes longer`
                : `which cannot be read (${(0,errors/* errnoOf */.UQ)(error)})`;
            return [path, new invalid_value/* InvalidValue */.h(`names ${isStdin(path) ? 'standard input' : `the pipe ${(0,base_quote/* quote */.hD)(path)}`}, ${why}`)];
        }
    };
    const ofStdin = source.stdin === undefined ? [] : given.filter(isStdin);
    const ofPipes = given.filter((path) => !isStdin(path) && isPipe(path));
    const texts = new Map(await Promise.all([
        ...ofStdin.map((path) => read(path, () => textOfStdin(ofStdin.length, source.stdin, deadline))),
        ...ofPipes.map((path) => read(path, () => textOfPipe(path, source.hasPost, deadline))),
    ]));
    const allow = (source.input('allow') ?? '').trim();
    const rules = await allowAsJson(allow, (path) => textOfPath(path, texts));
    return rules === undefined ? texts : texts.set(allow, rules);
}
/**
 * The text of a file, of a pipe or of standard input.
 * @param pipeTexts what readPipes() has read; undefined if it did not run
 * @throws InvalidValue if the text cannot be read
 */
function textOfPath(path, pipeTexts) {
    const text = pipeTexts?.get(path);
    if (text instanceof invalid_value/* InvalidValue */.h)
        throw text;
    if (text === undefined && isStdin(path))
        throw new invalid_value/* InvalidValue */.h(`is ${(0,base_quote/* quote */.hD)(path)}, but there is no standard input here`);
    return text ?? (0,small_file/* readSmallFile */.EW)(path);
}
function isStdin(path) {
    return /^(-|\/dev\/(stdin|fd\/0)|\/proc\/self\/fd\/0)$/.test(path);
}
function isPipe(path) {
    try {
        return (0,external_node_fs_.statSync)(path).isFIFO();
    }
    catch {
        return false;
    }
}
/** Reads without blocking: a named pipe may never get a writer, and kubepass must react to signals meanwhile. */
async function textOfPipe(path, hasPost, deadline) {
    if (hasPost)
        throw new invalid_value/* InvalidValue */.h(`names the pipe ${(0,base_quote/* quote */.hD)(path)}: kubepass reads it again at the end of the job, but a pipe can be read only once`);
    // A process substitution has had its writer from the start; a named pipe may still wait for one.
    const hadWriter = /^\/(dev|proc\/[^/]+)\/fd\//.test(path);
    const file = (0,external_node_fs_.openSync)(path, external_node_fs_.constants.O_RDONLY | external_node_fs_.constants.O_NONBLOCK);
    try {
        const chunks = [];
        for (let size = 0; size <= small_file/* LARGEST_FILE */.K7;) {
            const chunk = readNow(file);
            if (chunk?.length === 0 && (hadWriter || size > 0))
                return (0,small_file/* textIn */.r7)(Buffer.concat(chunks));
            if (chunk === undefined || chunk.length === 0)
                await (0,promises_.setTimeout)(POLL_MS, undefined, { signal: deadline });
            else
                chunks.push(chunk);
            size += chunk?.length ?? 0;
        }
        throw new invalid_value/* InvalidValue */.h(`names the pipe ${(0,base_quote/* quote */.hD)(path)}, whose text is over 1 MiB`);
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}
/** Reads without waiting: empty if no process has the write end open, undefined while a writer sends nothing. */
function readNow(file) {
    const buffer = Buffer.alloc(64 * 1024);
    try {
        return buffer.subarray(0, (0,external_node_fs_.readSync)(file, buffer));
    }
    catch (error) {
        if ((0,errors/* errnoOf */.UQ)(error) === 'EAGAIN')
            return undefined;
        throw error;
    }
}
async function textOfStdin(readers, open, deadline) {
    if (readers > 1 || open === undefined)
        throw new invalid_value/* InvalidValue */.h('names standard input, as another input does');
    const chunks = [];
    let size = 0;
    for await (const chunk of (0,external_node_stream_.addAbortSignal)(deadline, open())) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > small_file/* LARGEST_FILE */.K7)
            throw new invalid_value/* InvalidValue */.h('names standard input, whose text is over 1 MiB');
    }
    return (0,small_file/* textIn */.r7)(Buffer.concat(chunks));
}

;// CONCATENATED MODULE: ./src/config/kubeconfig-input.ts







/**
 * Reads the kubeconfig from its content, the base64 of it, or its path. Also reads the inputs that say how to use it.
 * @throws InvalidValue if the text is damaged, or the file cannot be read
 */
function parseKubeconfigInput(text, given) {
    const settings = {
        context: given.value('context'),
        allowExec: given.value('allow_exec'),
        systemRoots: given.value('certificate_authority') || undefined,
    };
    const content = (0,path_or_content/* kubeconfigContent */.r)(text);
    if (content !== undefined)
        return { ...settings, text: () => content, files: { refused: 'it was given as content' } };
    // The message does not quote the text, because it may be a part of a kubeconfig.
    if ((0,path_or_content/* isNoPath */.F)(text))
        throw new invalid_value/* InvalidValue */.h((0,damage/* damageOfKubeconfig */.KB)(text) ?? 'is neither a kubeconfig nor the path of one');
    const file = textOfPath(text, given.source.pipeTexts);
    return { ...settings, text: () => file, files: filesBeside(text, given.source) };
}
/** The base of relative paths in the kubeconfig with this path, or why it may name no file. */
function filesBeside(path, { whyNoFilesInKubeconfig, workspace }) {
    if (whyNoFilesInKubeconfig !== undefined)
        return { refused: whyNoFilesInKubeconfig };
    const folder = (0,external_node_path_.dirname)((0,external_node_path_.resolve)(path));
    // Not trusted, like content: files of the job, and files that GitLab makes of variables. The runner's owner did not write them.
    const ofTheJob = workspace === undefined ? [] : [workspace, `${workspace}.tmp`].map(realpathOr);
    const jobFolder = ofTheJob.find((place) => [realpathOr(folder), realpathOr(path)].some((real) => isInside(real, place)));
    return jobFolder === undefined ? { folder } : { refused: `it lies in ${(0,base_quote/* quote */.hD)(jobFolder)}` };
}

// EXTERNAL MODULE: ./src/config/parsers.ts
var parsers = __nccwpck_require__(4358);
// EXTERNAL MODULE: ./src/config/seal-credentials.ts
var seal_credentials = __nccwpck_require__(4074);
;// CONCATENATED MODULE: ./src/config/system-roots.ts




/**
 * The files in which distributions keep the public CAs. The paths are fixed: an earlier step can set variables such as
 * SSL_CERT_FILE, which Go and OpenSSL obey. https://github.com/golang/go/blob/go1.26.0/src/crypto/x509/root_linux.go
 */
const BUNDLES = [
    '/etc/ssl/certs/ca-certificates.crt',
    '/etc/pki/tls/certs/ca-bundle.crt',
    '/etc/ssl/ca-bundle.pem',
    '/etc/pki/tls/cacert.pem',
    '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
    '/etc/ssl/cert.pem',
];
/** The public CAs that the distribution trusts, as PEM. */
function systemRoots() {
    const bundle = BUNDLES.find((path) => (0,external_node_fs_.existsSync)(path));
    if (bundle === undefined)
        throw new invalid_value/* InvalidValue */.h('is system, but this machine has no CAs: install the package ca-certificates');
    return (0,certificates/* parseCertificate */.h)((0,small_file/* readSmallFile */.EW)(bundle));
}

;// CONCATENATED MODULE: ./src/config/input-parsers.ts












/** The parser of each input. */
const inputParsers = {
    server: { parse: parsers/* parseServer */.ld, fallback: '' },
    certificate_authority: {
        parse: (text, { source }) => text === SYSTEM ? systemRoots() : (0,certificates/* parseCertificateAuthority */.y)(text, (path) => textOfPath(path, source.pipeTexts)),
        fallback: '',
    },
    service_account: { parse: parsers/* parseServiceAccount */.YA, fallback: { namespace: '', name: '' } },
    namespace: { parse: parsers/* parseNamespace */.LM, fallback: undefined },
    context_name: { parse: parsers/* parseContextName */.g1, fallback: undefined },
    command: { parse: asText, fallback: '' },
    shell: choice('shell'),
    accept_exit_codes: withDefault('accept_exit_codes', parsers/* parseExitCodes */.I8),
    env: choice('env'),
    pass_env: { parse: parsers/* parseVariableNames */.OE, fallback: [] },
    isolate: choice('isolate'),
    identity: choice('identity'),
    token: { parse: (text, _, seal) => (0,seal_credentials/* sealToken */.fh)(text, seal), fallback: undefined },
    token_file: {
        parse: (path, { source }, seal) => readToken(path, source, seal),
        fallback: undefined,
        isNeeded: (given) => given.value('token') === undefined,
    },
    kubeconfig: { parse: parseKubeconfigInput, fallback: undefined },
    context: { parse: asText, fallback: undefined },
    allow_exec: yesOrNo('allow_exec'),
    allow_own_kubeconfig: yesOrNo('allow_own_kubeconfig'),
    allow: {
        parse: (text, { source }) => parseAllow(text, source.pipeTexts?.get(text)),
        fallback: 'granted',
        // At the end of a run the file may no longer exist.
        isNeeded: ({ purpose }) => purpose === 'start',
    },
    audience: { parse: parsers/* parseAudience */.QA, fallback: undefined },
    duration: {
        parse: (text, given) => (0,parsers/* parseLife */.w6)(text, given.value('max_duration'), given.nameOf('max_duration')),
        fallback: (0,parsers/* parseDuration */.E9)(config_inputs/* inputs */.QL.duration.default),
    },
    // A wrong limit refuses no duration, so that one mistake gives one problem.
    max_duration: { parse: parsers/* parseDuration */.E9, fallback: Infinity },
    rotate_grace: { parse: parsers/* parseGrace */.kx, fallback: undefined },
    max_scan: withDefault('max_scan', parsers/* parseMaxScan */.Vv),
    token_audiences: { parse: parsers/* splitList */.ry, fallback: [] },
    revocation: choice('revocation'),
    prove: choice('prove'),
    proof_samples: withDefault('proof_samples', parsers/* parseSamples */.rI),
    delivery: choice('delivery'),
    token_variable: withDefault('token_variable', parsers/* parseTokenVariable */.XJ),
    directory: {
        parse: (path, { source }) => parseDirectory(path, source.workspace),
        fallback: '',
        defaultText: (source) => source.temp,
        // At the end of a run the folder may no longer exist.
        isNeeded: ({ purpose }) => purpose === 'start',
    },
    proxy_url: { parse: parsers/* parseProxy */.YR, fallback: undefined },
    tls_server_name: { parse: parsers/* parseServerName */.ey, fallback: undefined },
    deadline: withDefault('deadline', parsers/* parseDeadline */.O0),
    evidence: { parse: (path, { source, purpose }) => parseEvidencePath(path, source, purpose), fallback: undefined },
    requests: { parse: (path, { source, purpose }) => parseReportPath(path, source, purpose), fallback: undefined },
    report: choice('report'),
    github_token: {
        parse: (text, _, seal) => (0,seal_credentials/* sealToken */.fh)(text, seal),
        fallback: undefined,
        // Read only then, so that the redactor need not search for it otherwise.
        isNeeded: (given) => given.value('report') === 'check',
    },
    allow_debug_trace: yesOrNo('allow_debug_trace'),
};
function asText(text) {
    return text;
}
/** The parser of an input whose default is a valid text. */
function withDefault(id, parse) {
    return { parse, fallback: parse(config_inputs/* inputs */.QL[id].default) };
}
function choice(id) {
    const { options = [], default: usual } = config_inputs/* inputs */.QL[id];
    // The types of the table of inputs are wider than the table, but its options are the words of Choice, and its default is one of them.
    return { parse: (text) => (0,parsers/* parseChoice */.HU)(text, options), fallback: usual };
}
function yesOrNo(id) {
    const { options = [], default: usual } = config_inputs/* inputs */.QL[id];
    return { parse: (text) => (0,parsers/* parseChoice */.HU)(text, options) === 'true', fallback: usual === 'true' };
}
/** Reads and seals the token in a file. A token in place of the path is sealed as well, before a message is made. */
function readToken(path, source, seal) {
    if ((0,path_or_content/* isNoPath */.F)(path)) {
        if (path.length >= 16)
            seal(path);
        throw new invalid_value/* InvalidValue */.h('looks like a token, not like the path of one: give a token as token');
    }
    return (0,seal_credentials/* sealToken */.fh)(textOfPath(path, source.pipeTexts), seal);
}

;// CONCATENATED MODULE: ./src/config/input-reader.ts




/** Reads each input at most once, and collects the problems in the order in which they are found. */
class InputReader {
    source;
    purpose;
    clusterSource;
    #seal;
    #values = {};
    #wrong = new Set();
    #problems = [];
    constructor(source, seal, purpose) {
        this.source = source;
        this.purpose = purpose;
        this.#seal = seal;
        this.clusterSource = clusterSourceOf((id) => this.text(id), source.env);
    }
    /** The problems of the inputs that were read and the rules that were checked. */
    get problems() {
        return this.#problems;
    }
    text(id) {
        return (this.source.input(id) ?? '').trim();
    }
    has(id) {
        return this.text(id) !== '';
    }
    nameOf(id) {
        return this.source.nameOf(id);
    }
    isSuperfluous(id) {
        return isSuperfluous(id, this.text(id), this.clusterSource);
    }
    isWrong(id) {
        return this.#wrong.has(id);
    }
    value(id) {
        if (!Object.hasOwn(this.#values, id))
            this.#values[id] = this.#read(id);
        return this.#values[id];
    }
    check(rule) {
        const text = rule.problem(this);
        if (text !== undefined)
            this.#problems.push({ text, code: rule.code ?? 'INPUT' });
    }
    #read(id) {
        const parser = inputParsers[id];
        if (this.isSuperfluous(id) || parser.isNeeded?.(this) === false)
            return parser.fallback;
        const text = this.text(id) || (parser.defaultText?.(this.source) ?? config_inputs/* inputs */.QL[id].default);
        try {
            if (text !== '')
                return parser.parse(text, this, this.#seal);
            if (this.#isRequired(id))
                throw new invalid_value/* InvalidValue */.h('is missing');
        }
        catch (error) {
            if (!(error instanceof invalid_value/* InvalidValue */.h))
                throw error;
            this.#wrong.add(id);
            this.#problems.push({ text: `${this.nameOf(id)} ${error.message}; ${(0,config_inputs/* exampleOf */.Ql)(id)}`, code: 'INPUT' });
        }
        return parser.fallback;
    }
    #isRequired(id) {
        const { required } = config_inputs/* inputs */.QL[id];
        return required === 'unless kubeconfig or in-cluster' ? this.clusterSource === undefined && this.#isIdentityKnown() : required === true;
    }
    /** If the identity is misspelled, a missing server is not reported, because the intended identity may provide it. */
    #isIdentityKnown() {
        return config_inputs/* inputs */.QL.identity.options?.includes(this.text('identity') || config_inputs/* inputs */.QL.identity.default) ?? true;
    }
}

;// CONCATENATED MODULE: ./src/config/delivery.ts
/** Whether the scan is to reach the API server through the API proxy, so that it never gets the token. */
function wantsProxy({ command, delivery }) {
    return delivery === 'proxy' || (delivery === 'auto' && command !== undefined);
}

;// CONCATENATED MODULE: ./src/config/input-rules.ts





/** The rules about what surrounds the inputs, and who provides the cluster. No input need be read for them. */
const sourceRules = [
    { name: 'the proxy variable is a URL', problem: ({ source }) => problemOfProxy(source.env) },
    ...providedInputs.map((id) => ({
        name: `the identity provides ${id}, or the input does`,
        problem: (given) => given.isSuperfluous(id)
            ? `${given.nameOf(id)} is given, but the identity ${given.clusterSource} provides it: leave one of them out`
            : undefined,
    })),
];
const tokenRule = {
    name: 'the token is given once',
    problem: (given) => given.value('token') !== undefined && given.has('token_file')
        ? `${given.nameOf('token')} and ${given.nameOf('token_file')} are both given: leave one out`
        : undefined,
};
/** The rules between inputs, in the order of their problems. */
const inputRules = [
    { name: 'a run without later steps has a command', problem: problemOfNoCommand },
    {
        name: 'isolate: required needs a command',
        problem: (given) => given.purpose === 'start' && given.source.hasLaterSteps && given.value('isolate') === 'required' && commandOf(given) === undefined
            ? `${given.nameOf('isolate')} is required, but later steps cannot be isolated: set ${given.nameOf('command')}`
            : undefined,
    },
    {
        name: 'delivery: output excludes a command',
        problem: (given) => given.value('delivery') === 'output' && commandOf(given) !== undefined
            ? `${given.nameOf('delivery')} is output, which is for later steps: with a command use env`
            : undefined,
    },
    {
        name: 'delivery: proxy needs a command',
        problem: (given) => given.purpose === 'start' && given.value('delivery') === 'proxy' && commandOf(given) === undefined
            ? `${given.nameOf('delivery')} is proxy, but there is no command: set ${given.nameOf('command')}, or leave ${given.nameOf('delivery')} out`
            : undefined,
    },
    needsProxy('requests'),
    needsProxy('allow'),
    {
        name: 'rotate_grace excludes the API proxy',
        problem: (given) => given.purpose === 'start' && given.has('rotate_grace') && usesProxy(given)
            ? `${given.nameOf('rotate_grace')} is for scans that hold the token: leave it out, or set ${given.nameOf('delivery')} to kubeconfig`
            : undefined,
    },
    {
        name: 'identity: token needs token or token_file',
        problem: (given) => given.value('identity') === 'token' && !given.has('token') && !given.has('token_file')
            ? `${given.nameOf('identity')} is token, but neither ${given.nameOf('token')} nor ${given.nameOf('token_file')} is given`
            : undefined,
    },
    {
        name: 'prove: post needs a post step that can fail the job',
        problem: (given) => given.value('prove') === 'post' && !given.source.postFailsJob
            ? `${given.nameOf('prove')} is post, but here ${given.source.hasPost ? 'after_script cannot fail the job' : 'no post step follows'}`
            : undefined,
    },
    {
        name: 'prove: post excludes the API proxy',
        problem: (given) => given.purpose === 'start' && given.value('prove') === 'post' && given.source.postFailsJob && usesProxy(given)
            ? `${given.nameOf('prove')} is post, but with the API proxy no file keeps the token for the post step: leave it out, or set ${given.nameOf('delivery')} to kubeconfig`
            : undefined,
    },
    {
        name: 'report: check needs github_token',
        problem: (given) => given.value('report') === 'check' && !given.has('github_token')
            ? `${given.nameOf('report')} is check, but ${given.nameOf('github_token')} is empty`
            : undefined,
    },
    {
        name: 'a log that shows every variable needs allow_debug_trace',
        problem: (given) => given.purpose === 'start' && given.source.debugTraceVariable !== undefined && !given.value('allow_debug_trace')
            ? `${given.source.debugTraceVariable} is true: the log shows every variable, the ID token among them; unset it, or set ${given.nameOf('allow_debug_trace')} to true`
            : undefined,
    },
    {
        name: 'identity: gitlab-oidc needs an audience',
        problem: (given) => given.value('identity') === 'gitlab-oidc' && given.value('audience') === config_inputs/* NO_AUDIENCE */.dQ
            ? `${given.nameOf('audience')} is missing: the ID token is issued for it; for example: ${given.value('server') || config_inputs/* inputs */.QL.audience.example}`
            : undefined,
    },
    {
        name: 'identity: kubeconfig needs kubeconfig',
        problem: (given) => given.value('identity') === 'kubeconfig' && !given.has('kubeconfig')
            ? `${given.nameOf('identity')} is kubeconfig, but ${given.nameOf('kubeconfig')} is not given`
            : undefined,
    },
    {
        name: 'kubeconfig excludes other identities',
        problem: (given) => {
            const identity = given.value('identity');
            return given.has('kubeconfig') && identity !== 'auto' && identity !== 'kubeconfig'
                ? `${given.nameOf('kubeconfig')} is given, but ${given.nameOf('identity')} is ${identity}`
                : undefined;
        },
    },
    needsKubeconfig('context'),
    needsKubeconfig('allow_exec'),
];
/** The text of the default counts as not given, because templates give it. */
function needsProxy(id) {
    return {
        name: `${id} needs the API proxy`,
        problem: (given) => given.purpose === 'start' && given.has(id) && given.text(id) !== config_inputs/* inputs */.QL[id].default && !usesProxy(given)
            ? `${given.nameOf(id)} needs the API proxy, but the scan gets the token: give a command, and set ${given.nameOf('delivery')} to proxy`
            : undefined,
    };
}
function usesProxy(given) {
    return wantsProxy({ command: commandOf(given), delivery: given.value('delivery') });
}
function problemOfNoCommand(given) {
    const { hasLaterSteps, hasPost } = given.source;
    if (given.purpose === 'finish' || hasLaterSteps || commandOf(given) !== undefined)
        return undefined;
    return `no command was given${hasPost ? `: set ${given.nameOf('command')}` : ': kubepass run [FLAGS] -- COMMAND'}`;
}
/** The text of the default counts as not given, because templates give it. */
function needsKubeconfig(id) {
    return {
        name: `${id} needs kubeconfig`,
        problem: (given) => given.has(id) && given.text(id) !== config_inputs/* inputs */.QL[id].default && !given.has('kubeconfig')
            ? `${given.nameOf(id)} is given without ${given.nameOf('kubeconfig')}`
            : undefined,
    };
}

;// CONCATENATED MODULE: ./src/config/options.ts









/** GitLab's template always passes a value for max_scan. This one therefore counts as not set. */
const DEFAULT_MAX_SCAN_S = (0,parsers/* parseMaxScan */.Vv)(config_inputs/* inputs */.QL.max_scan.default);
/**
 * The order in which inputs are read and rules are checked. The message lists the problems in this order. An input that is not in
 * the list is read where a rule or another input needs it.
 */
const STEPS = [
    ...sourceRules,
    'server',
    'service_account',
    'max_duration',
    'token',
    tokenRule,
    'shell',
    'allow_debug_trace',
    'report',
    'github_token',
    'certificate_authority',
    'namespace',
    'context_name',
    ...commandRules,
    'accept_exit_codes',
    'env',
    'pass_env',
    'isolate',
    'identity',
    'kubeconfig',
    'token_file',
    'allow',
    'audience',
    'duration',
    'rotate_grace',
    'max_scan',
    'token_audiences',
    'revocation',
    'prove',
    'proof_samples',
    'delivery',
    'token_variable',
    'directory',
    'proxy_url',
    'tls_server_name',
    'evidence',
    'requests',
    'deadline',
    ...inputRules,
];
/**
 * Reports all wrong inputs together, each with its name, its fault and a correct example.
 * @param purpose `finish` skips the checks that only the start of a run needs, because a program or directory may no longer exist
 * @throws INPUT
 */
function parseOptions(source, seal, purpose) {
    sealProxyPasswords(source.env, seal);
    const reader = new InputReader(source, seal, purpose);
    for (const step of STEPS) {
        if (typeof step === 'string')
            reader.value(step);
        else
            reader.check(step);
    }
    const options = optionsOf(reader);
    // Only now, so that no problem is lost if the options need an input that is not among the steps.
    throwProblems(reader.problems, reader.isWrong('server') && !reader.has('server') ? source.noServerHint : undefined);
    return options;
}
/** Another code than INPUT counts only if nothing else is wrong. */
function throwProblems(problems, hint) {
    const [first] = problems;
    if (first === undefined)
        return;
    const code = problems.every((each) => each.code === first.code) ? first.code : 'INPUT';
    const list = problems.map(({ text }) => text).join('\n- ');
    throw new errors/* KubepassError */.v3(code, problems.length === 1 ? first.text : `${problems.length} inputs are wrong:\n- ${list}`, { hint });
}
function optionsOf(given) {
    const server = given.value('server');
    const serviceAccount = given.value('service_account');
    return {
        server,
        certificateAuthority: given.value('certificate_authority'),
        serviceAccount,
        namespace: given.value('namespace') ?? serviceAccount.namespace,
        contextName: given.value('context_name'),
        command: commandOf(given),
        commandSha256: commandSha256Of(given),
        acceptExitCodes: given.value('accept_exit_codes'),
        env: given.value('env'),
        passEnv: given.value('pass_env'),
        isolate: given.value('isolate'),
        identity: given.value('identity'),
        kubeconfig: given.value('kubeconfig'),
        token: given.value('token') ?? given.value('token_file'),
        stdinTaken: PATH_INPUTS.some((id) => isStdin(given.text(id))),
        allow: given.value('allow'),
        audience: given.value('audience') ?? server,
        duration: given.value('duration'),
        rotateGrace: given.value('rotate_grace'),
        maxScan: given.value('max_scan'),
        tokenAudiences: given.value('token_audiences'),
        revocation: given.value('revocation'),
        prove: given.value('prove'),
        proofSamples: given.value('proof_samples'),
        delivery: given.value('delivery'),
        tokenVariable: given.value('token_variable'),
        directory: given.purpose === 'start' ? given.value('directory') : baseDirectory(given.source),
        proxyUrl: given.value('proxy_url'),
        tlsServerName: given.value('tls_server_name'),
        evidence: given.value('evidence'),
        requests: given.value('requests'),
        checkToken: given.value('github_token'),
        deadline: 1000 * given.value('deadline'),
    };
}
/** The deadline, in seconds, for the pipes that are read before the other inputs. */
function deadlineOf(source) {
    try {
        return (0,parsers/* parseDeadline */.O0)((source.input('deadline') ?? '').trim() || config_inputs/* inputs */.QL.deadline.default);
    }
    catch {
        return (0,parsers/* parseDeadline */.O0)(config_inputs/* inputs */.QL.deadline.default);
    }
}

// EXTERNAL MODULE: external "node:http"
var external_node_http_ = __nccwpck_require__(7067);
;// CONCATENATED MODULE: external "node:https"
const external_node_https_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:https");
// EXTERNAL MODULE: external "node:tls"
var external_node_tls_ = __nccwpck_require__(1692);
;// CONCATENATED MODULE: ./src/net/trust-anchor.ts
/** More certificates than a chain has in practice. */
const MAX_CHAIN = 10;
/**
 * Returns the CA certificate at which the verified chain of the server's certificate ends. Node.js does not expose that chain, so this function
 * follows the issuers as OpenSSL does: a trusted issuer takes precedence over one that the server sent.
 * @param serverCertificate its chain of issuers has the other certificates that the server sent
 * @param trusted the CAs against which the chain was verified
 * @returns undefined when no trusted certificate is found
 */
function trustAnchor(serverCertificate, trusted, now = Date.now()) {
    const valid = trusted.filter(({ validFromDate, validToDate }) => validFromDate.getTime() <= now && now <= validToDate.getTime());
    const sent = chainOf(serverCertificate);
    let current = serverCertificate;
    let anchor = valid.find(({ raw }) => raw.equals(serverCertificate.raw));
    for (let depth = 0; depth < MAX_CHAIN && !isIssuedBy(current, current); depth += 1) {
        const trustedIssuer = valid.find((each) => isIssuedBy(current, each));
        const issuer = trustedIssuer ?? (anchor === undefined ? sent.find((each) => isIssuedBy(current, each)) : undefined);
        if (issuer === undefined)
            return anchor;
        anchor = trustedIssuer ?? anchor;
        current = issuer;
    }
    return anchor;
}
function chainOf(serverCertificate) {
    const chain = [];
    for (let next = serverCertificate.issuerCertificate; next !== undefined && chain.length < MAX_CHAIN; next = next.issuerCertificate)
        chain.push(next);
    return chain;
}
function isIssuedBy(certificate, issuer) {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

;// CONCATENATED MODULE: ./src/net/tunnel.ts



/** The proxy responded, but opened no tunnel. */
class TunnelRefused extends Error {
    /** The code that Node.js itself uses for a failed tunnel. */
    code = 'ERR_PROXY_TUNNEL';
    statusCode;
    constructor(statusCode) {
        super('the proxy opened no tunnel');
        this.statusCode = statusCode;
    }
}
/**
 * Opens a tunnel through an HTTP proxy. The agent of Node.js can do that (`proxyEnv`), but it reads an endless response into
 * memory, until it throws an error that no listener can catch.
 * https://datatracker.ietf.org/doc/html/rfc9110#name-connect
 * @param target host and port, an IPv6 address in brackets
 * @throws TunnelRefused, or the connection error of Node.js; the reason of `signal` if it is aborted
 */
function openTunnel(proxy, target, signal) {
    const host = proxy.hostname.replace(/^\[|\]$/g, '');
    const isTls = proxy.protocol === 'https:';
    const options = {
        method: 'CONNECT',
        host,
        port: proxy.port || (isTls ? 443 : 80),
        path: target,
        headers: { host: target, ...authorization(proxy) },
        // Otherwise Node.js would check the proxy's certificate against the host header, which names the target.
        servername: (0,external_node_net_.isIP)(host) === 0 ? host : '',
        rejectUnauthorized: true,
        agent: false,
        signal,
    };
    return new Promise((resolve, reject) => {
        const outgoing = (isTls ? external_node_https_namespaceObject.request : external_node_http_.request)(options);
        outgoing.on('connect', ({ statusCode = 0 }, socket, head) => {
            if (statusCode === 200 && head.length === 0)
                return resolve(socket);
            socket.destroy();
            reject(new TunnelRefused(statusCode));
        });
        outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
        outgoing.on('close', () => reject(Object.assign(new Error('the proxy closed the connection'), { code: 'ECONNRESET' })));
        outgoing.end();
    });
}
function authorization({ username, password }) {
    if (username === '' && password === '')
        return {};
    const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

;// CONCATENATED MODULE: ./src/net/http.ts








/** Every response that kubepass needs is far smaller. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;
/** Time limit for a proxy to open a tunnel. */
const TUNNEL_MS = 10_000;
/** Many load balancers close an idle connection after 60 s. */
const IDLE_CONNECTION_MS = 30_000;
/** Longer than any exchange takes. */
const DAY_MS = 86_400_000;
/** The response cannot be used. The message has no text from the server. */
class InvalidResponse extends Error {
}
/** The request was not sent: no connection was made, or none became free. `cause` has the reason. */
class NotSent extends Error {
}
class ResponseTooLarge extends InvalidResponse {
    message = 'the answer is over 4 MiB';
}
/**
 * An HTTPS client. It follows no redirect and reads no response over 4 MiB. A network failure rejects with the error of Node.js, an
 * abort with the signal's reason. If the request was not sent, that error is the cause of a NotSent.
 */
class Http {
    /** Whether the proxy uses TLS. Node.js checks the proxy's certificate with its default CAs, not with the API server's CA. */
    hasTlsProxy;
    #options;
    #proxyUrl;
    /** One agent for each client certificate, and one for none: the certificate of a connection applies to every request on it. */
    #agents = new Map();
    #connections;
    /** @param connections the most connections to keep open; further requests wait for a free one */
    constructor({ ca, serverName, proxyUrl }, connections = 1) {
        this.#connections = connections;
        this.#proxyUrl = proxyUrl;
        this.hasTlsProxy = proxyUrl?.protocol === 'https:';
        this.#options = {
            // Pinned, so that NODE_TLS_REJECT_UNAUTHORIZED=0 cannot switch it off.
            rejectUnauthorized: true,
            // The caller may give an intermediate CA, or the server's own certificate.
            allowPartialTrustChain: true,
            minVersion: 'TLSv1.2',
            checkServerIdentity: (host, certificate) => wrongName(serverName ?? host, certificate),
            ...(ca === undefined ? {} : { ca }),
            // TLS sends no IP address as the server's name.
            ...(serverName === undefined ? {} : { servername: (0,external_node_net_.isIP)(serverName) === 0 ? serverName : '' }),
        };
    }
    exchange(request) {
        const { clientCertificate } = request;
        const agent = this.#agents.get(clientCertificate) ?? this.#agentFor(clientCertificate);
        this.#agents.set(clientCertificate, agent);
        return exchange(request, agent);
    }
    /** Uses a new connection without a client certificate. Behind a load balancer it may reach another server. */
    async exchangeOnNewConnection(request) {
        const agent = new TunnelingAgent({ ...this.#options, keepAlive: false, maxCachedSessions: 0 }, this.#proxyUrl);
        try {
            return await exchange(request, agent);
        }
        finally {
            agent.destroy();
        }
    }
    /** An agent for requests that stream. It opens as many connections as it gets requests at a time. The caller destroys it. */
    newAgent() {
        return new TunnelingAgent({ ...this.#options, keepAlive: true, timeout: IDLE_CONNECTION_MS }, this.#proxyUrl);
    }
    /**
     * The SHA-256 of the CA certificate that vouches for the server, in hex; undefined before the first connection is open. The search
     * takes some milliseconds where many CAs are trusted.
     */
    caSha256() {
        const peer = [...this.#agents.values()].find((agent) => agent.peer !== undefined)?.peer;
        if (peer === undefined)
            return undefined;
        const { ca } = this.#options;
        const trusted = typeof ca === 'string' ? certificatesIn(ca) : (0,external_node_tls_.getCACertificates)('default').flatMap(certificatesIn);
        return trustAnchor(peer, trusted)?.fingerprint256.replaceAll(':', '').toLowerCase();
    }
    close() {
        for (const agent of this.#agents.values())
            agent.destroy();
    }
    #agentFor(clientCertificate) {
        const options = {
            ...this.#options,
            keepAlive: true,
            maxSockets: this.#connections,
            ...(clientCertificate && { cert: clientCertificate.certificate, key: clientCertificate.key.reveal() }),
        };
        return new TunnelingAgent(options, this.#proxyUrl);
    }
}
function certificatesIn(pem) {
    return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((block) => new external_node_crypto_.X509Certificate(block));
}
/** Refuses a certificate without a subjectAltName, because Node.js would accept its common name as the host. */
function wrongName(host, certificate) {
    if (certificate.subjectaltname !== undefined)
        return (0,external_node_tls_.checkServerIdentity)(host, certificate);
    return Object.assign(new Error('the certificate names no host'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
}
/** Connects through the proxy, if one is set. destroy() also ends connections that still wait for the proxy. */
class TunnelingAgent extends external_node_https_namespaceObject.Agent {
    /** The certificate that the server sent when the first connection was opened. A resumed session lacks the server's other certificates. */
    peer;
    #proxyUrl;
    #connections = new Set();
    #ending = new AbortController();
    constructor(options, proxyUrl) {
        super(options);
        this.#proxyUrl = proxyUrl;
    }
    createConnection(...[options, callback]) {
        if (this.#proxyUrl === undefined)
            return this.#kept(super.createConnection(options, callback));
        const { host, port } = options;
        const target = `${(0,external_node_net_.isIPv6)(host) ? `[${host}]` : host}:${port}`;
        const failed = (error) => callback?.(error, undefined);
        const tunnelled = (socket) => {
            if (this.#ending.signal.aborted)
                return void socket.destroy();
            const connection = this.#kept(super.createConnection({ ...options, socket }));
            if (connection)
                callback?.(null, connection);
        };
        openTunnel(this.#proxyUrl, target, deadlineAfter(TUNNEL_MS, this.#ending.signal)).then(tunnelled).catch(failed);
        return undefined;
    }
    destroy() {
        super.destroy();
        this.#ending.abort();
        for (const connection of this.#connections)
            connection.destroy();
    }
    #kept(connection) {
        if (connection) {
            this.#connections.add(connection);
            if (connection instanceof external_node_tls_.TLSSocket)
                connection.once('secureConnect', () => (this.peer ??= connection.getPeerX509Certificate()));
            connection.on('close', () => this.#connections.delete(connection));
        }
        return connection;
    }
}
/** Whether the host of the URL is this machine. Only there kubepass sends a token over plain HTTP. */
function isLoopback({ hostname }) {
    return ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
}
/** Plain HTTP for a loopback address. It uses no agent, because the global agent of Node.js may use a proxy from a variable. */
function exchangeOnLoopback(request) {
    return exchange(request, undefined);
}
/** The promise settles exactly once on every path, and at the latest when `signal` aborts. */
function exchange({ url, method, headers, body, signal }, agent) {
    const send = url.protocol === 'http:' ? external_node_http_.request : external_node_https_namespaceObject.request;
    // The timer of an AbortSignal does not keep the process alive. Without this timer, Node.js could exit during the exchange.
    const keptAlive = setInterval(() => undefined, DAY_MS);
    const settled = new Promise((resolve, reject) => {
        let isConnected = false;
        if (signal.aborted)
            return fail(signal.reason);
        // Without content-length Node.js does not send the body of a DELETE, and the uid precondition in it is lost.
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
        const outgoing = send(url, { method, headers: { ...headers, ...length }, signal, agent: agent ?? false }, (incoming) => {
            const chunks = [];
            let size = 0;
            incoming.on('data', (chunk) => {
                size += chunk.length;
                if (size > MAX_RESPONSE_BYTES)
                    incoming.destroy(new ResponseTooLarge());
                else
                    chunks.push(chunk);
            });
            incoming.on('error', fail);
            incoming.on('end', () => {
                if (incoming.complete)
                    resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks).toString() });
                else
                    fail(new InvalidResponse('the answer was cut off'));
            });
        });
        outgoing.once('socket', (socket) => {
            isConnected = !socket.connecting && !('secureConnecting' in socket && socket.secureConnecting === true);
            if (!isConnected)
                socket.once(send === external_node_http_.request ? 'connect' : 'secureConnect', () => (isConnected = true));
        });
        // Without this listener Node.js closes the connection after a 101 response, and emits no event.
        outgoing.on('upgrade', (_incoming, socket) => {
            socket.destroy();
            fail(new InvalidResponse('the answer is 101 Switching Protocols, which was not asked for'));
        });
        outgoing.on('error', fail);
        outgoing.on('close', () => fail(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })));
        // While a proxy does not respond, Node.js does not pass the abort to the request.
        signal.addEventListener('abort', () => fail(signal.reason), { once: true });
        outgoing.end(body);
        function fail(error) {
            const failure = signal.aborted ? signal.reason : error;
            reject(isConnected ? failure : new NotSent(failure.message, { cause: failure }));
        }
    });
    return settled.finally(() => clearInterval(keptAlive));
}

;// CONCATENATED MODULE: ./src/net/retry.ts




const ATTEMPT_MS = 10_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
/** How long to retry a host without an address. kubectl gives up at once, but a resolver may learn a new name some seconds late. */
const UNKNOWN_HOST_MS = 5_000;
const FIRST_NOTICE_MS = 3_000;
const NEXT_NOTICE_MS = 15_000;
/** Node.js fires a timer for a longer time at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const systemClock = { now: () => Date.now(), sleep: (milliseconds, signal) => (0,promises_.setTimeout)(milliseconds, undefined, { signal }) };
/**
 * Repeats an attempt after a network failure, 408, 429 or 5xx, until another result or until `signal` aborts. The waits grow; a
 * longer Retry-After takes precedence.
 */
async function retry(attempt, signal, { info, isNewHost }, clock = systemClock) {
    const began = clock.now();
    let mayHaveActed = false;
    let before;
    const done = new AbortController();
    void reportProgress();
    try {
        for (let wait = FIRST_WAIT_MS;; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
            const last = await attempt(deadlineAfter(ATTEMPT_MS, signal)).catch(toFailedAttempt);
            mayHaveActed ||= hasPerhapsActed(last);
            if (before !== undefined && signal.aborted && isTimedOut(last))
                return { last: before, mayHaveActed };
            if (isFinal(last, signal))
                return { last, mayHaveActed };
            before = last;
            const patience = isNewHost && hasNoAddress(last) ? began + UNKNOWN_HOST_MS - clock.now() : Infinity;
            if (patience <= 0)
                return { last, mayHaveActed };
            try {
                await clock.sleep(Math.min(Math.max(retryAfterOf(last), wait * (0.5 + Math.random() / 2)), patience), signal);
            }
            catch {
                return { last, mayHaveActed };
            }
        }
    }
    finally {
        done.abort();
    }
    async function reportProgress() {
        for (let wait = FIRST_NOTICE_MS;; wait = NEXT_NOTICE_MS) {
            try {
                await clock.sleep(wait, done.signal);
            }
            catch {
                return;
            }
            const left = Math.ceil((endOfDeadline(signal) - clock.now()) / 1000);
            const state = before === undefined ? 'does not answer yet; waiting' : `does not answer as it should (${whyOf(before)}); trying again`;
            info(`${state}${left < Infinity ? ` for ${Math.max(0, left)} s` : ''}.`);
        }
    }
}
function toFailedAttempt(error) {
    return error instanceof NotSent ? { failure: error.cause, wasSent: false } : { failure: error, wasSent: true };
}
/** Whether the request was sent and got no clear response. */
function hasPerhapsActed(outcome) {
    if ('failure' in outcome)
        return outcome.wasSent && !requiresClientCertificate(outcome.failure);
    return outcome.status === 408 || outcome.status >= 500;
}
function isTimedOut(outcome) {
    return 'failure' in outcome && isTimeout(outcome.failure);
}
/** Whether another attempt is of no use, or there is no time for one. */
function isFinal(outcome, signal) {
    return 'failure' in outcome ? !isNetwork(outcome.failure) || signal.aborted : !isTransient(outcome.status);
}
function hasNoAddress(outcome) {
    return 'failure' in outcome && isUnknownHost(outcome.failure);
}
/** The wait that the server asks for, in ms; 0 if it asks for none. */
function retryAfterOf(outcome) {
    return 'failure' in outcome ? 0 : Math.min(Number(outcome.headers['retry-after']) * 1000 || 0, MAX_TIMER_MS);
}
function whyOf(outcome) {
    return 'failure' in outcome ? reasonOf(outcome.failure) : `answer ${outcome.status}`;
}
function isTransient(status) {
    return status === 408 || status === 429 || status >= 500;
}
/** Whether the server's certificate failed verification. That is not retried, because the next attempt would fail, too. */
function isCertificateError(failure) {
    return !requiresClientCertificate(failure) && UNTRUSTED.test((0,errors/* errnoOf */.UQ)(failure));
}
// https://nodejs.org/docs/latest-v24.x/api/tls.html#x509-certificate-error-codes
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECODE)|^(INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|EPROTO)$/;
/** Whether a TLS alert of the server says that it misses or rejects our client certificate. */
function requiresClientCertificate(failure) {
    return /_ALERT_.*(CERT|UNKNOWN_CA)/.test((0,errors/* errnoOf */.UQ)(failure));
}
/** Whether the resolver says that the host has no address. A resolver that is down gives EAI_AGAIN, which is retried. */
function isUnknownHost(failure) {
    return (0,errors/* errnoOf */.UQ)(failure) === 'ENOTFOUND';
}
function isNetwork(failure) {
    if (isCertificateError(failure) || requiresClientCertificate(failure))
        return false;
    const status = proxyStatusOf(failure);
    if (status !== undefined)
        return isTransient(status);
    if (failure instanceof InvalidResponse)
        return !(failure instanceof ResponseTooLarge);
    return (0,errors/* errnoOf */.UQ)(failure) !== '' || isTimeout(failure);
}
function isTimeout(failure) {
    return failure instanceof Error && failure.name === 'TimeoutError';
}
const NO_TUNNEL = 'ERR_PROXY_TUNNEL';
/** The status with which a proxy refused a tunnel; undefined for any other failure. */
function proxyStatusOf(failure) {
    const { statusCode } = (0,errors/* errnoOf */.UQ)(failure) === NO_TUNNEL ? failure : {};
    return typeof statusCode === 'number' ? statusCode : undefined;
}
/** The reason as our own text or the code of Node.js; not the message of Node.js, because it may quote bytes from the server. */
function reasonOf(failure) {
    if (failure instanceof InvalidResponse)
        return failure.message;
    const status = proxyStatusOf(failure);
    if (status !== undefined)
        return `the proxy answered ${status}`;
    if (isTimeout(failure))
        return 'no answer in time';
    return (0,errors/* errnoOf */.UQ)(failure) || 'the connection failed';
}

;// CONCATENATED MODULE: ./src/net/web-exchange.ts


/**
 * Opens exchanges with a service whose certificate the system's CAs verify, through the proxy that the environment names. Plain HTTP works
 * for a loopback address only, and uses no proxy.
 * @throws INPUT if the proxy is neither http nor https
 */
function openWebExchange(url, env) {
    if (url.protocol === 'http:')
        return { send: exchangeOnLoopback, close: () => undefined };
    const http = new Http({ ca: undefined, serverName: undefined, proxyUrl: proxyFor(url, env) });
    return { send: (request) => http.exchange(request), close: () => http.close() };
}

;// CONCATENATED MODULE: ./src/identity/github-oidc.ts






const ID_TOKEN_TIMEOUT_MS = 20_000;
/** An ID token lives five minutes, but a scan may take longer. kubepass requests a new one when less than this is left. */
const FRESH_S = 60;
/** The job's ID token. https://docs.github.com/en/actions/reference/security/oidc */
function githubOidcIdentity(request, audience, context) {
    let current;
    return {
        kind: 'github-oidc',
        async authInfo(signal) {
            const isNewHost = context.isNewHost && current === undefined;
            if (current === undefined || current.expiresAt - Date.now() / 1000 < FRESH_S)
                current = await fetchIdToken(request, audience, { ...context, isNewHost }, signal);
            return { bearer: current.token };
        },
    };
}
async function fetchIdToken(request, audience, { env, isNewHost, info, seal }, signal) {
    const url = new URL(request.url);
    url.searchParams.set('audience', audience);
    const headers = { accept: 'application/json', authorization: `Bearer ${request.bearer.reveal()}` };
    if (url.protocol !== 'https:' && !isLoopback(url))
        throw noIdToken('the URL of its service is not https');
    const exchange = openWebExchange(url, env);
    try {
        const { last: outcome } = await retry((attempt) => exchange.send({ url, method: 'GET', headers, signal: attempt }), deadlineAfter(ID_TOKEN_TIMEOUT_MS, signal), { info: (text) => info(`The ID token service ${url.host} ${text}`), isNewHost });
        if ('failure' in outcome) {
            throw outcome.failure instanceof errors/* KubepassError */.v3 ? outcome.failure : noIdToken(reasonOf(outcome.failure), hintFor(outcome.failure, url));
        }
        const value = outcome.status === 200 ? idTokenIn(outcome.body) : undefined;
        if (value === undefined)
            throw noIdToken(`its service answered ${outcome.status}${outcome.status === 200 ? ' without one' : ''}`);
        const token = seal(value);
        const expiry = decodeJwt(value)?.claims['exp'];
        return { token, expiresAt: typeof expiry === 'number' ? expiry : 0 };
    }
    finally {
        exchange.close();
    }
}
function hintFor(failure, { host }) {
    if (isCertificateError(failure)) {
        return (`The certificate of the ID token service ${host} is not from a CA that Node.js trusts. If it is from an internal CA, or from a proxy that inspects TLS: ` +
            'set NODE_EXTRA_CA_CERTS to the path of that CA as PEM, in the environment of the runner or of this step (env:). certificate_authority is for the API server alone.');
    }
    return isUnknownHost(failure)
        ? `The host of the ID token service, ${host}, has no address here: does the runner need a proxy (HTTPS_PROXY)?`
        : undefined;
}
function idTokenIn(body) {
    try {
        const { value } = JSON.parse(body);
        return typeof value === 'string' && decodeJwt(value) !== undefined ? value : undefined;
    }
    catch {
        return undefined;
    }
}
function noIdToken(reason, hint = 'Run the job again. If the error stays, check whether the runner reaches the ID token service (HTTPS_PROXY, NO_PROXY).') {
    return new errors/* KubepassError */.v3('IDENTITY', `GitHub gave no ID token: ${reason}.`, { hint });
}

;// CONCATENATED MODULE: ./src/identity/gitlab-oidc.ts



/**
 * The ID token that GitLab gives the job at its start. A job cannot request another one.
 * https://docs.gitlab.com/ci/secrets/id_token_authentication/
 */
function gitlabOidcIdentity(token, audience) {
    return {
        kind: 'gitlab-oidc',
        authInfo: () => Promise.try(() => {
            const claims = jwt_jwtOf(token)?.claims;
            if (claims === undefined) {
                throw new errors/* KubepassError */.v3('IDENTITY', 'The variable KUBEPASS_ID_TOKEN is set, but holds no JWT.', {
                    hint: 'GitLab sets this variable because of id_tokens in the job. Check that variables does not set the same name.',
                });
            }
            const { aud } = claims;
            // With a second audience, this cluster could use the token at another server.
            if (aud !== audience && !(Array.isArray(aud) && aud.length === 1 && aud[0] === audience)) {
                throw new errors/* KubepassError */.v3('IDENTITY', `The ID token's audience is ${(0,base_quote/* quoteValue */.cl)(aud)}, not ${(0,base_quote/* quote */.hD)(audience)} alone.`, {
                    hint: "Give audience as the template's input: the API server's URL, written as in server, without a slash at its end.",
                });
            }
            return { bearer: token };
        }),
    };
}

;// CONCATENATED MODULE: ./src/identity/in-cluster.ts






/**
 * The ServiceAccount of the Pod in which kubepass runs. The API server's address comes from variables, which an earlier step can
 * set. The CA certificate comes from the Pod's own files.
 */
function inClusterIdentity(env, seal) {
    const server = serverOf(env);
    if (server === undefined)
        throw notInPod('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name no server');
    const certificateAuthority = checked('its ca.crt', () => (0,certificates/* parseCertificate */.h)((0,small_file/* readSmallFile */.EW)(`${FOLDER}/ca.crt`)));
    return {
        kind: 'in-cluster',
        cluster: { server, certificateAuthority, proxyUrl: undefined, tlsServerName: undefined },
        // Read for each use, because the kubelet replaces the file long before the token expires.
        authInfo: () => Promise.try(() => ({ bearer: checked('its token', () => (0,seal_credentials/* sealToken */.fh)((0,small_file/* readSmallFile */.EW)(pod_TOKEN), seal)) })),
    };
}
function checked(field, read) {
    return (0,invalid_value/* explainInvalid */.D)(read, (fault) => notInPod(`${field} ${fault}`));
}
function notInPod(why) {
    return new errors/* KubepassError */.v3('INPUT', `The identity is in-cluster, but kubepass does not run in a Pod with a ServiceAccount token: ${why}.`, {
        hint: 'Run the job in a Pod of the cluster, such as an ARC runner, with automountServiceAccountToken: true, or choose another identity.',
    });
}

;// CONCATENATED MODULE: ./src/identity/token.ts
/** Any bearer token that the API server accepts. */
function tokenIdentity(token) {
    return { kind: 'token', authInfo: () => Promise.resolve({ bearer: token }) };
}

;// CONCATENATED MODULE: ./src/identity/choose.ts






/**
 * Returns the identity that the options name, or the only candidate. It sends no request.
 * @returns the identity, and why it was chosen
 */
async function chooseIdentity(options, context) {
    const { idTokenInstructions, nameOf, job } = context;
    const candidates = candidatesOf(options, context);
    const list = (those) => those.map(({ kind, reason }) => `${kind} (${reason})`).join(' and ');
    if (options.identity !== 'auto') {
        const requested = candidates.find(({ kind }) => kind === options.identity);
        if (requested !== undefined)
            return chosen(requested, 'it was asked for');
        // Other identities need an input; parseOptions() has already reported a missing one.
        if (options.identity === `${job.platform}-oidc`)
            throw new errors/* KubepassError */.v3('IDENTITY', 'The job has no ID token and must not request one.', { hint: idTokenInstructions });
        const where = { github: 'on GitHub', gitlab: 'on GitLab', terminal: 'in a terminal' }[job.platform];
        throw new errors/* KubepassError */.v3('IDENTITY', `The identity ${options.identity} is not available ${where}.`, {
            hint: candidates.length === 0 ? howToGetOne() : `Available: ${list(candidates)}. Set ${nameOf('identity')} to that, or leave it out.`,
        });
    }
    const explicit = candidates.filter(({ isExplicit }) => isExplicit);
    const [only, ...others] = explicit.length > 0 ? explicit : candidates;
    if (only === undefined) {
        const also = idTokenInstructions === undefined ? '' : ', and it has no ID token';
        throw new errors/* KubepassError */.v3('IDENTITY', `The job has no identity: no token was given${also}.`, { hint: howToGetOne() });
    }
    if (others.length > 0) {
        throw new errors/* KubepassError */.v3('IDENTITY', `The job has more than one identity: ${list([only, ...others])}.`, {
            hint: `Set ${nameOf('identity')} to one of them.`,
        });
    }
    if (only.mustBeNamed === true) {
        throw new errors/* KubepassError */.v3('IDENTITY', `On GitLab the identity ${list([only])} is used only if ${nameOf('identity')} names it.`, {
            hint: `Set ${nameOf('identity')} to ${only.kind}. The reason: everybody who may run a pipeline can set a variable.${idTokenInstructions === undefined ? '' : `\nOr: ${idTokenInstructions}`}`,
        });
    }
    const overruled = candidates.filter((candidate) => candidate !== only).map(({ reason }) => reason);
    return chosen(only, [only.reason, ...overruled.map((reason) => `which takes precedence, although ${reason}`)].join(', '));
    async function chosen(candidate, why) {
        const identity = await make(candidate);
        return { identity, why: [why, ...(identity.remark === undefined ? [] : [identity.remark])].join('; ') };
    }
    async function make(candidate) {
        const identity = await candidate.make();
        if (options.server !== '' || identity.cluster !== undefined)
            return identity;
        const missing = `${nameOf('server')} and ${nameOf('certificate_authority')} are missing`;
        throw new errors/* KubepassError */.v3('INPUT', `${missing}: the identity ${identity.kind} does not provide them.`, {
            hint: `Give both, for example ${config_inputs/* inputs */.QL.server.example} and ${config_inputs/* inputs */.QL.certificate_authority.example}; ` +
                `or set ${nameOf('identity')} to in-cluster for the API server of this Pod.`,
        });
    }
    function howToGetOne() {
        const inputsForIt = `${nameOf('token_file')}${idTokenInstructions === undefined ? ' or' : `, ${nameOf('token')} or`} ${nameOf('kubeconfig')}`;
        return idTokenInstructions === undefined ? `Give ${inputsForIt}.` : `${idTokenInstructions}\nOr: give ${inputsForIt}.`;
    }
}
function candidatesOf(options, context) {
    const { idToken, idTokenRequest, seal, env } = context;
    const { audience, kubeconfig, token } = options;
    const candidates = [];
    // On GitLab these inputs are variables, and everybody who may run a pipeline can set variables.
    const mustBeNamed = context.job.platform === 'gitlab';
    const isExplicit = !mustBeNamed;
    if (token !== undefined)
        candidates.push({ kind: 'token', reason: 'a token was given', isExplicit, mustBeNamed, make: () => tokenIdentity(token) });
    if (kubeconfig !== undefined) {
        // Imported only here, because most jobs use no kubeconfig and the module is large.
        const make = async () => (await __nccwpck_require__.e(/* import() */ 63).then(__nccwpck_require__.bind(__nccwpck_require__, 1063))).kubeconfigIdentity(kubeconfig, context);
        const reason = context.whyKubeconfig ?? 'a kubeconfig was given';
        candidates.push({ kind: 'kubeconfig', reason, isExplicit, mustBeNamed, make });
    }
    if (idTokenRequest !== undefined) {
        const make = () => githubOidcIdentity(idTokenRequest, audience, context);
        candidates.push({ kind: 'github-oidc', reason: 'the job may request ID tokens', isExplicit: false, make });
    }
    if (idToken !== undefined) {
        candidates.push({
            kind: 'gitlab-oidc',
            reason: 'the job has an ID token',
            isExplicit: false,
            make: () => gitlabOidcIdentity(idToken, audience),
        });
    }
    // The last resort, because a runner in a Pod may serve jobs for other clusters.
    const lastResort = options.identity === 'auto' && candidates.length === 0 && options.server === '';
    if (options.identity === 'in-cluster' || lastResort) {
        const reason = 'nothing else was given, and the job runs in a Pod';
        candidates.push({ kind: 'in-cluster', reason, isExplicit: false, mustBeNamed, make: () => inClusterIdentity(env, seal) });
    }
    return candidates;
}

;// CONCATENATED MODULE: ./src/kube/answer.ts

/** The Kubernetes Status in the answer; undefined when another program than an API server answered. */
function answer_statusOf(answer) {
    const body = answer.body;
    return body?.kind === 'Status' && body.apiVersion === 'v1' ? body : undefined;
}
function quotedMessage({ message }) {
    return message === undefined ? '' : ` ${(0,base_quote/* quote */.hD)(message)}`;
}
function toApiResponse(request, response, mayHaveActed) {
    const warning = response.headers['warning'];
    const warnings = (Array.isArray(warning) ? warning : [warning ?? '']).flatMap((text) => /^299 \S+ "(.*)"$/.exec(text)?.[1] ?? []);
    const body = parseJson(response);
    return { request, status: response.status, body, bodyKind: bodyKindOf(response, body), warnings, mayHaveActed };
}
function parseJson({ headers, body }) {
    if (!String(headers['content-type']).startsWith('application/json'))
        return undefined;
    try {
        return JSON.parse(body);
    }
    catch {
        return undefined;
    }
}
function bodyKindOf({ headers, body: text }, body) {
    const type = String(headers['content-type']);
    if (text === '')
        return 'an empty body';
    if (body !== undefined)
        return answer_statusOf({ body }) === undefined ? 'JSON of another kind' : 'a Kubernetes Status';
    if (/^text\/html|^application\/xhtml/.test(type))
        return 'HTML';
    return type.startsWith('text/plain') ? 'plain text' : 'something else';
}

;// CONCATENATED MODULE: ./src/net/certificate.ts


/** Subject, issuer and validity of the first certificate, one a line. */
function certificateLines(pem) {
    const { subject, issuer, validFrom, validTo } = new external_node_crypto_.X509Certificate(pem);
    return Object.entries({ subject, issuer, 'not before': validFrom, 'not after': validTo })
        .map(([name, value]) => `  ${name}: ${(0,base_quote/* quote */.hD)(value.replaceAll('\n', ', '))}`)
        .join('\n');
}

;// CONCATENATED MODULE: ./src/rbac/field-selector.ts
/** The object that a field selector chooses by its name, if it chooses one; a problem if the API server cannot read the selector. */
function nameSelectedBy(selector) {
    // The API server sorts the terms by their bytes, and uses the first that names an object.
    const terms = termsOf(selector).toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    let name;
    for (const term of terms.filter((each) => each !== '')) {
        const [, field, operator, escaped] = /^(.*?)(!=|==|=)(.*)$/s.exec(term) ?? [];
        const value = escaped === undefined ? undefined : unescapeValue(escaped);
        if (value === undefined)
            return { problem: true };
        if (field === 'metadata.name' && operator !== '!=')
            name ??= value;
    }
    return { name };
}
/** The parts between commas. A backslash makes the next character a part of the term. */
function termsOf(selector) {
    const terms = [''];
    for (const [character] of selector.matchAll(/\\.|./gsu)) {
        if (character === ',')
            terms.push('');
        else
            terms.push(`${terms.pop() ?? ''}${character}`);
    }
    return terms;
}
/** @returns undefined if the API server refuses the value */
function unescapeValue(text) {
    return /^(?:\\[\\,=]|[^\\,=])*$/s.test(text) ? text.replaceAll(/\\(.)/gs, '$1') : undefined;
}

;// CONCATENATED MODULE: ./src/rbac/int64.ts
const LIMIT = 2n ** 63n;
/** Whether Go's strconv.ParseInt accepts the text as a decimal number of 64 bits. */
function isInt64(text) {
    if (!/^[+-]?[0-9]+$/.test(text) || text.replace(/^[+-]?0*/, '').length > 19)
        return false;
    const value = BigInt(text.replace('+', ''));
    return value >= -LIMIT && value < LIMIT;
}

;// CONCATENATED MODULE: ./src/rbac/label-selector.ts

/**
 * Matches a token as the lexer of k8s.io/apimachinery does, in pkg/labels/selector.go. The lexer drops a NUL behind a token, and any other
 * NUL ends the text.
 */
const label_selector_TOKEN = /[ \t\r\n]*(?:(!=|==|[=!()<>,])\0?|([^=!()<>, \t\r\n\0]+)\0?|\0|$)/y;
/**
 * Matches a requirement, written as the kinds of its tokens: `i` is an identifier, `n` is `in` or `notin`, `=` compares texts, and `>` compares
 * numbers. Behind an operator, and as a key, `in` is an identifier.
 */
const REQUIREMENT = /!?[in](?:[=>][in]?|n\(,*(?:[in](?:,+[in])*,*)?\))?/y;
const label_selector_NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
/** Whether the API server can read a label selector. */
function isLabelSelector(selector) {
    const tokens = tokensOf(selector);
    const kinds = tokens.map(({ kind }) => kind).join('');
    const requirement = new RegExp(REQUIREMENT);
    for (let at = 0; kinds !== ''; at += 1) {
        requirement.lastIndex = at;
        const matched = requirement.exec(kinds)?.[0];
        if (matched === undefined || !isRequirement(tokens.slice(at, at + matched.length)))
            return false;
        at += matched.length;
        if (at === kinds.length)
            return true;
        if (kinds[at] !== ',')
            return false;
    }
    return true;
}
function tokensOf(selector) {
    const tokens = [];
    const token = new RegExp(label_selector_TOKEN);
    for (;;) {
        const [, symbol, word] = token.exec(selector) ?? [];
        const text = symbol ?? word;
        if (text === undefined)
            return tokens;
        tokens.push({ kind: symbol === undefined ? kindOfWord(text) : kindOfSymbol(symbol), text });
    }
}
function kindOfWord(word) {
    return word === 'in' || word === 'notin' ? 'n' : 'i';
}
function kindOfSymbol(symbol) {
    return symbol.endsWith('=') ? '=' : symbol === '<' ? '>' : symbol;
}
/** Whether keys and values are valid labels. */
function isRequirement(tokens) {
    const [key, operator, ...rest] = tokens.filter(({ kind }) => kind !== '!');
    if (key === undefined || !isLabelKey(key.text))
        return false;
    const isUnary = tokens[0]?.kind === '!';
    if (operator === undefined)
        return true;
    const values = rest.filter(({ kind }) => 'in'.includes(kind)).map(({ text }) => text);
    return !isUnary && values.every(isLabelValue) && (operator.kind !== '>' || isInt64(values[0] ?? ''));
}
function isLabelKey(text) {
    const [name = '', prefix, ...others] = text.split('/').toReversed();
    const isPrefix = prefix === undefined || (prefix.length <= 253 && SUBDOMAIN.test(prefix));
    return others.length === 0 && isPrefix && name.length <= 63 && label_selector_NAME.test(name);
}
function isLabelValue(text) {
    return text === '' || (text.length <= 63 && label_selector_NAME.test(text));
}

;// CONCATENATED MODULE: ./src/rbac/request-target.ts
/** More parameters than these, and Go reads none of them. */
const MOST_PARAMETERS = 10_000;
/** Splits the target of a request as Go's net/url does. The path of a target that Go refuses stays as it is. */
function readTarget(target) {
    const [, rest = ''] = /^[a-z][a-z0-9+.-]*:(.*)$/is.exec(target) ?? [undefined, target];
    const isAbsolute = rest !== target;
    const mark = rest.indexOf('?');
    const encoded = mark === -1 ? rest : rest.slice(0, mark);
    const query = mark === -1 ? '' : rest.slice(mark + 1);
    const path = isAbsolute ? pathOfAbsolute(encoded) : encoded;
    return { path: request_target_unescape(path) ?? path, query };
}
/** @param text a URL without its scheme and its query */
function pathOfAbsolute(text) {
    if (!text.startsWith('/'))
        return '';
    return text.startsWith('//') ? text.replace(/^\/\/[^/]*/, '') : text;
}
/** The first value of each parameter, as Go reads a query: it skips a part with a semicolon or a bad escape. */
function firstValues(query) {
    const values = new Map();
    const parts = query.split('&');
    if (parts.length > MOST_PARAMETERS)
        return values;
    for (const part of parts) {
        if (part === '' || part.includes(';'))
            continue;
        const sign = part.indexOf('=');
        const [key, value] = (sign === -1 ? [part, ''] : [part.slice(0, sign), part.slice(sign + 1)]).map((text) => request_target_unescape(text.replaceAll('+', ' ')));
        if (key !== undefined && value !== undefined && !values.has(key))
            values.set(key, value);
    }
    return values;
}
/** Decodes percent-encoded bytes as UTF-8; undefined if an escape is bad. Node.js gives each other byte as one character. */
function request_target_unescape(text) {
    if (/%(?![0-9a-f]{2})/i.test(text))
        return undefined;
    const bytes = text.replaceAll(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString();
}

;// CONCATENATED MODULE: ./src/rbac/list-options.ts




/** Reads the query of a list or watch as the API server reads it before it asks the authorizer. */
function readListOptions(query) {
    const values = firstValues(query);
    const watch = values.get('watch');
    const isReadable = ['limit', 'timeoutSeconds'].every((key) => isInt64(values.get(key) ?? '0'));
    const selected = nameSelectedBy(values.get('fieldSelector') ?? '');
    if (isReadable && 'name' in selected && isLabelSelector(values.get('labelSelector') ?? ''))
        // The flag u folds the case of letters beyond ASCII, as strings.EqualFold does.
        return { isWatch: watch !== undefined && watch !== '0' && !/^false$/iu.test(watch), name: nameOf(selected.name) };
    // If any option is wrong, the API server drops all of them and reads watch in another way.
    return { isWatch: watch !== undefined && !['false', '0'].includes(watch.toLowerCase()), name: undefined };
}
/** The API server ignores a name that no path can hold. */
function nameOf(selected) {
    return selected === undefined || /^\.\.?$|[/%]/.test(selected) ? undefined : selected;
}

;// CONCATENATED MODULE: ./src/rbac/request-attributes.ts


const VERBS = new Map([
    ['POST', 'create'],
    ['GET', 'get'],
    ['HEAD', 'get'],
    ['PUT', 'update'],
    ['PATCH', 'patch'],
    ['DELETE', 'delete'],
]);
/** Prefixes of a path that replace the verb of the method. The API server refuses a prefix without a resource. */
const PREFIXES = ['watch', 'proxy'];
const NAMESPACE_SUBRESOURCES = ['status', 'finalize'];
/**
 * Maps a request as the API server maps it: RequestInfoFactory in k8s.io/apiserver, pkg/endpoints/request/requestinfo.go. RBAC judges
 * the result, so each difference would let kubepass allow another request than the API server sees.
 * @param target the path with the query, percent-encoded, as received. The API server refuses a target that Go cannot parse.
 */
function requestAttributes(method, target) {
    const { path, query } = readTarget(target);
    const parts = path.replaceAll(/^\/+|\/+$/g, '').split('/');
    if (!isResourcePath(parts))
        return { isResource: false, verb: method.toLowerCase(), path };
    const [group = '', version = '', ...rest] = parts[0] === 'api' ? ['', ...parts.slice(1)] : parts.slice(1);
    const prefix = PREFIXES.find((each) => each === rest[0]);
    const verb = prefix ?? VERBS.get(method) ?? '';
    const place = placeOf(prefix === undefined ? rest : rest.slice(1), verb);
    return { isResource: true, group, version, ...place, ...verbAndName(verb, place.name, query) };
}
/** The paths of groups and versions, which the discovery reads, are no paths of resources. */
function isResourcePath(parts) {
    return (parts[0] === 'api' && parts.length >= 3) || (parts[0] === 'apis' && parts.length >= 4);
}
/** @param parts the path behind the version, which may begin with `namespaces` and a name */
function placeOf(parts, verb) {
    const isNamespaced = parts[0] === 'namespaces';
    const isInside = isNamespaced && parts.length > 2 && !NAMESPACE_SUBRESOURCES.includes(parts[2]);
    const [resource = '', name, subresource] = isInside ? parts.slice(2) : parts;
    return {
        namespace: isNamespaced ? textOrUndefined(parts[1]) : undefined,
        resource,
        name: textOrUndefined(name),
        subresource: verb === 'proxy' ? undefined : textOrUndefined(subresource),
    };
}
/** A request without a name concerns a collection, from which a field selector can choose one object. */
function verbAndName(verb, name, query) {
    if (name !== undefined)
        return { verb, name };
    if (verb === 'delete')
        return { verb: 'deletecollection', name };
    if (verb !== 'get')
        return { verb, name };
    const { isWatch, name: selected } = readListOptions(query);
    return { verb: isWatch ? 'watch' : 'list', name: textOrUndefined(selected) };
}
function textOrUndefined(text) {
    return text === '' ? undefined : text;
}
/** The resource with its subresource, as a rule of RBAC writes it: pods/log. */
function request_attributes_fullResource({ resource, subresource }) {
    return subresource === undefined ? resource : `${resource}/${subresource}`;
}

;// CONCATENATED MODULE: ./src/rbac/describe-request.ts


/** The request in one phrase for a message, without the name of the object. */
function describeRequest({ verb, resource, group, namespace }) {
    const place = namespace === undefined ? '' : ` in the namespace ${(0,base_quote/* quote */.hD)(namespace)}`;
    return `${verb} ${(0,base_quote/* quote */.hD)(group === '' ? resource : `${resource}.${group}`)}${place}`;
}
function describeAttributes(request) {
    return request.isResource
        ? describeRequest({ ...request, resource: fullResource(request) })
        : `${request.verb} the path ${quote(request.path)}`;
}

;// CONCATENATED MODULE: ./src/kube/misrouted.ts


/**
 * The request that the API server names in its answer, if it differs from the request that kubepass sent. A difference means
 * that the API server read a part of the server's URL as a part of the request, or that a program in between changed the request.
 * @param status of HTTP
 * @returns a phrase for misroutedHint(), or undefined if the answer names no other request
 */
function answeredRequest(what, kubeStatus, status) {
    return (deniedPath(kubeStatus) ??
        otherDeniedResource(what, kubeStatus) ??
        unsupportedMethod(kubeStatus, status) ??
        unknownResource(what, kubeStatus, status) ??
        otherObject(what, kubeStatus));
}
/** The API server takes a request for one of a resource if its path begins with /api or /apis. All requests of kubepass do. */
function deniedPath({ message = '' }) {
    const [, path] = /cannot \S+ path "([^"]*)"/.exec(message) ?? [];
    return path === undefined ? undefined : `the path ${(0,base_quote/* quote */.hD)(path)}`;
}
function otherDeniedResource(what, { message = '' }) {
    const denied = /cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?/.exec(message);
    if (denied === null)
        return undefined;
    const [, verb = '', resource = '', group = '', namespace] = denied;
    const same = verb === what.verb && resource === what.resource && group === what.group && namespace === what.namespace;
    return same ? undefined : describeRequest({ verb, resource, group, namespace });
}
function unsupportedMethod({ reason }, status) {
    return status === 405 && reason === 'MethodNotAllowed' ? 'a request whose method it does not support' : undefined;
}
function unknownResource({ resource }, { details, message = '' }, status) {
    const isUnknown = status === 404 && (details?.kind ?? '') === '' && message.includes('could not find the requested resource');
    // An API server before 1.28 has no SelfSubjectReview: there the request arrived as it was sent.
    return isUnknown && resource !== 'selfsubjectreviews' ? 'a resource that it does not have' : undefined;
}
function otherObject(what, { details }) {
    const { kind = '', group = '', name = '' } = details ?? {};
    if (kind === '' || concerns(what, kind, group, name))
        return undefined;
    return `${(0,base_quote/* quote */.hD)(name === '' ? kind : `${kind} ${name}`)}${group === '' ? '' : ` of the API group ${(0,base_quote/* quote */.hD)(group)}`}`;
}
/** Whether the request concerns the object that a Status names. A Status names a kind (Secret) or a resource (secrets). */
function concerns({ group: ownGroup, resource, namespace, name }, kind, group, statusName) {
    const base = resource.split('/')[0] ?? '';
    if (group === ownGroup && [base, base.replace(/s$/, '')].includes(kind.toLowerCase()))
        return name === undefined || statusName === '' || statusName === name;
    if (kind === 'namespaces')
        return statusName === namespace;
    // A request for a token concerns its bound Secret, and its own body.
    return resource === 'serviceaccounts/token' && /^(secrets?|tokenrequest)$/i.test(kind);
}
/**
 * The hint for an answer to another request than `what`.
 * @param other a phrase for what was answered: `the path "/x"`
 */
function misroutedHint({ server }, what, other) {
    const answered = `The API server answered for ${other}, but kubepass asked for ${describeRequest(what)}`;
    const { origin, pathname } = new URL(server);
    return pathname === '/'
        ? `${answered}: does a proxy or gateway in between change requests, or is this not the API server of a Kubernetes cluster?`
        : `${answered}: the server's URL has the path ${(0,base_quote/* quote */.hD)(pathname)}, which is not part of it. Give ${origin} as server, unless a gateway before the API server removes this path.`;
}

;// CONCATENATED MODULE: ./src/kube/missing-namespace.ts
/** The label that puts a namespace under the admission policies of deploy/base. */
const GUARD = 'kubepass.dev/guarded=true';
/** The commands that create the namespace with its label, one a line. */
function commandsForNamespace(namespace) {
    return `  kubectl create namespace ${namespace}\n  kubectl label namespace ${namespace} ${GUARD}`;
}

;// CONCATENATED MODULE: ./src/kube/missing-rule.ts


/**
 * The RBAC rule that a 403 asks for, and the other possible causes: a 403 does not say whether the object exists.
 * @param user whom the API server takes the identity for, as its message says
 */
function missingRule(what, user) {
    const { verb, resource } = what;
    if (resource === 'serviceaccounts/token')
        return ruleForTokens(what, user);
    if (resource === 'secrets' && verb === 'list')
        return ruleForSweep(what, user);
    if (resource === 'secrets' && verb === 'create')
        return ruleForBoundSecrets(what, user);
    return ruleToAdd(what, user, [verb]);
}
function ruleForTokens(what, user) {
    const { namespace = '', name = '' } = what;
    return (`The ServiceAccount ${(0,base_quote/* quote */.hD)(name)} may not exist in namespace ${(0,base_quote/* quote */.hD)(namespace)}, or the Role of ${(0,base_quote/* quote */.hD)(user)} does not have its name in resourceNames. ` +
        `Correct service_account if it is misspelled: kubectl get serviceaccounts -n ${namespace}\nIf it is right: ${ruleToAdd(what, user, [what.verb], [name])}`);
}
function ruleForSweep(what, user) {
    const { namespace = '' } = what;
    return (`${isNamespaceRight(namespace)} If it is right: ${ruleToAdd(what, user, ['list', 'delete'])}\n` +
        `An identity that may list Secrets can read them. Add the rule only if the namespace ${(0,base_quote/* quote */.hD)(namespace)} holds no Secrets but bound Secrets. deploy/sweeper has the Role.`);
}
function ruleForBoundSecrets(what, user) {
    const { namespace = '' } = what;
    return (`${isNamespaceRight(namespace)} If it is right: ${ruleToAdd(what, user, ['create', 'delete'])}\n` +
        `Add the rule only if the namespace ${(0,base_quote/* quote */.hD)(namespace)} holds nothing but scanner ServiceAccounts, has the label ${GUARD}, and the cluster has the ` +
        'admission policies of deploy/base: without these, an identity that may create and delete Secrets can make a token that never expires.\n' +
        'Or set revocation: best-effort to go on with a token that cannot be revoked.');
}
function isNamespaceRight(namespace) {
    return `Is service_account right? The namespace ${(0,base_quote/* quote */.hD)(namespace)} may not exist.`;
}
/** @param resourceNames the only objects that the rule is for; all objects if undefined */
function ruleToAdd({ group, resource, namespace }, user, verbs, resourceNames) {
    const place = namespace === undefined ? 'a ClusterRole' : `a Role in namespace ${(0,base_quote/* quote */.hD)(namespace)}`;
    const names = resourceNames === undefined ? '' : `resourceNames: ${missing_rule_listed(resourceNames)}, `;
    return (`Add this RBAC rule to ${place} that is bound to ${(0,base_quote/* quote */.hD)(user)}: ` +
        `{apiGroups: ${missing_rule_listed([group])}, resources: ${missing_rule_listed([resource])}, ${names}verbs: ${missing_rule_listed(verbs)}}`);
}
function missing_rule_listed(words) {
    return `[${words.map((word) => JSON.stringify(word)).join(', ')}]`;
}

;// CONCATENATED MODULE: ./src/kube/quota.ts

const FULL = 'exceeded quota: ';
const UNCOUNTED = 'status unknown for quota: ';
/**
 * The hint for a refusal by a ResourceQuota; undefined for another refusal.
 * https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go
 */
function quotaHint({ message = '' }, namespace, server) {
    if (message.includes(UNCOUNTED))
        return `The cluster has not counted the Secrets of namespace ${(0,base_quote/* quote */.hD)(namespace)} yet. Run the job again. Is the resourcequota controller running?`;
    if (!message.includes(FULL))
        return undefined;
    return (`The quota of namespace ${(0,base_quote/* quote */.hD)(namespace)} is used up. Delete the Secrets that ended runs have left there, with the rights of deploy/sweeper:\n` +
        `kubectl create token sweeper --namespace kubepass-issuer | npx kubepass sweep --server ${server} --certificate-authority ca.crt ` +
        `--service-account ${namespace}/scanner --token-file -\n` +
        'If so many jobs run at the same time, raise count/secrets in deploy/base/quota.yaml.');
}
function quota_isRefusedByQuota({ code, message = '' }) {
    return code === 403 && (message.includes(FULL) || message.includes(UNCOUNTED));
}
/** Another API server, or the controller, changed the quota's count at the same moment. The next attempt can succeed. */
function quota_isCountedElsewhere({ code, reason, details }) {
    return code === 409 && reason === 'Conflict' && details?.kind === 'resourcequotas';
}

;// CONCATENATED MODULE: ./src/kube/request-attributes.ts

/** The attributes of a request of kubepass, which RBAC compares with its rules. */
function attributesOf({ method, path }) {
    const request = requestAttributes(method, path);
    if (!request.isResource)
        return { verb: request.verb, group: '', resource: request.path, namespace: undefined, name: undefined };
    const { verb, group, namespace, name } = request;
    return { verb, group, resource: request_attributes_fullResource(request), namespace, name };
}

;// CONCATENATED MODULE: ./src/kube/hint.ts










const SEE_MESSAGE = "The API server's message is quoted above. To find the request in its audit log, search for a User-Agent that begins with kubepass/.";
/**
 * In characters. The default limits of Apache and nginx for a header are little above it.
 * https://nginx.org/r/large_client_header_buffers
 */
const LONG_TOKEN = 8_000;
/** The hint for an error response. It follows from the request, from the program that answered, and from the response's content. */
function hint_hintFor(request, { status, bodyKind, kubeStatus }, auth, now = Date.now() / 1000) {
    if (status >= 300 && status < 400)
        return 'kubepass follows no redirect, because the token must not reach another server. Set server to the URL that the redirect leads to.';
    if (kubeStatus === undefined)
        return longHeaderHint(status, auth) ?? nonKubernetesHint(request, status, bodyKind);
    return status === 401 ? unauthorizedHint(auth, now) : refusalHint(request, status, kubeStatus);
}
/** The hint for a refusal by an API server, with another status than 401. */
function refusalHint(request, status, kubeStatus) {
    if (kubeStatus.message?.includes('User "system:anonymous"'))
        return 'The request arrived without a token or a client certificate: a proxy in between strips the Authorization header, or ends TLS.';
    const what = attributesOf(request);
    const other = answeredRequest(what, kubeStatus, status);
    if (other !== undefined)
        return misroutedHint(request, what, other);
    return HINT_OF_STATUS[status]?.(what, kubeStatus, request) ?? SEE_MESSAGE;
}
/** By the status of HTTP. A hint is undefined if nothing is known beyond the API server's message. */
const HINT_OF_STATUS = {
    403: forbiddenHint,
    404: notFoundHint,
    409: conflictHint,
};
/** The hint for a status 408, 429 or 5xx that the server still sends when the deadline ends. */
function transientHint(request, { status, bodyKind, kubeStatus }) {
    if ((kubeStatus?.message ?? '').includes('failed calling webhook "'))
        return ('An admission webhook of the cluster does not answer, so the API server refuses every request that needs it (failurePolicy: Fail). Its name is quoted above. List the webhooks: ' +
            'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations');
    // From Kubernetes 1.37 on, the API server sends this message for a Service that does not exist, too.
    const [, service] = /^no (?:endpoints available|service port \d+ found) for service "([^"]+)"$/.exec(kubeStatus?.message ?? '') ?? [];
    if (service !== undefined)
        return misroutedHint(request, attributesOf(request), `the service ${(0,base_quote/* quote */.hD)(service)}`);
    if (status === 429)
        return 'The API server gets more requests than it accepts. Run the job again later, or raise deadline.';
    if (kubeStatus !== undefined)
        return 'Is the API server overloaded, or starting? Run the job again, or raise deadline.';
    return `The answer is ${bodyKind}, not a Kubernetes Status: it comes from a gateway or a load balancer that reaches no API server. Is the API server starting? Run the job again, or raise deadline.`;
}
/** Some servers answer 400, not 431, to a header that is too long for them. */
function longHeaderHint(status, auth) {
    if (![400, 431].includes(status) || !('bearer' in auth) || auth.bearer.length < LONG_TOKEN)
        return undefined;
    return `The token has ${auth.bearer.length} characters. The server may not accept a header of that length. Is it the right token?`;
}
function nonKubernetesHint({ server }, status, bodyKind) {
    const { host, pathname } = new URL(server);
    const sender = `The answer is ${bodyKind}, not a Kubernetes Status: its sender is not a Kubernetes API server`;
    if (status === 401 || status === 403)
        return `${sender}, but perhaps a gateway with its own login, a web application firewall or a captive portal. Let the job reach the API server itself.`;
    if (status === 404 && pathname !== '/')
        return `${sender}, but perhaps a gateway or a web server; or an API server that has no such path: the server's URL has the path ${(0,base_quote/* quote */.hD)(pathname)}. Is that right?`;
    return `${sender}, but perhaps a gateway, an ingress controller, a web server or a captive portal. Does the API server listen at ${host}? Correct server.`;
}
function forbiddenHint(what, kubeStatus, { server }) {
    const { details, message = '' } = kubeStatus;
    const { namespace = '' } = what;
    if (details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating'))
        return `The namespace ${(0,base_quote/* quote */.hD)(namespace)} is being deleted. Correct service_account, or wait until it is gone and create it again:\n${commandsForNamespace(namespace)}`;
    const ofQuota = quotaHint(kubeStatus, namespace, server);
    if (ofQuota !== undefined)
        return ofQuota;
    if (/ValidatingAdmissionPolicy '|admission webhook "/.test(message))
        return 'An admission policy of the cluster forbids this request. Its message is quoted above.';
    const user = /User "(.+)" cannot /.exec(message)?.[1];
    return user === undefined ? undefined : missingRule(what, user);
}
const BOUND_SECRET_IS_GONE = 'Another program deleted the bound Secret before the API server issued the token. Run the job again. A clean-up of Secrets in this namespace must spare the Secrets of jobs that still run.';
function notFoundHint(what, { details }) {
    const { resource, namespace = '' } = what;
    if (resource === 'selfsubjectreviews')
        return 'kubepass needs Kubernetes 1.28 or later.';
    if (details?.kind === 'namespaces')
        return `The namespace ${(0,base_quote/* quote */.hD)(namespace)} does not exist. Correct service_account, or create it with the label that puts it under the admission policies of deploy/base:\n${commandsForNamespace(namespace)}\ndocs/cluster.md lists what else it needs.`;
    return resource === 'serviceaccounts/token' ? noTokenHint(what, details?.kind ?? '') : undefined;
}
/** @param missing the kind or the resource of the object that does not exist */
function noTokenHint({ namespace = '', name = '' }, missing) {
    if (missing === 'serviceaccounts')
        return `The ServiceAccount ${(0,base_quote/* quote */.hD)(name)} does not exist in namespace ${(0,base_quote/* quote */.hD)(namespace)}. Correct service_account, or create it:\n  kubectl create serviceaccount -n ${namespace} ${name}`;
    return /^secrets?$/i.test(missing) ? BOUND_SECRET_IS_GONE : undefined;
}
function conflictHint({ resource }) {
    return resource === 'serviceaccounts/token' ? BOUND_SECRET_IS_GONE : undefined;
}
function unauthorizedHint(auth, now) {
    return 'bearer' in auth ? unauthorizedTokenHint(auth.bearer, now) : unauthorizedCertificateHint(auth.certificate, now);
}
// The API server gives no reason for a 401, so the hint shows the token's own claims.
function unauthorizedTokenHint(bearer, now) {
    const claims = describeClaims(bearer, now);
    if (claims === undefined)
        return 'The token is not a JWT: is it complete, and meant for this cluster?';
    const ofServiceAccount = jwt_jwtOf(bearer)?.claims['kubernetes.io'] !== undefined;
    return (`The token's claims:\n${claims}\nIt is now ${(0,base_time/* isoTime */.Ly)(Math.floor(now))}. ` +
        (ofServiceAccount
            ? 'It is a ServiceAccount token: does it come from this cluster, and do the ServiceAccount and the bound object still exist? '
            : "Compare this with the API server's --authentication-config, or with its --oidc flags: issuer, audiences, claim rules. ") +
        "Only the API server's log has the reason.");
}
function unauthorizedCertificateHint(pem, now) {
    return (`The client certificate:\n${certificateLines(pem)}\nIt is now ${(0,base_time/* isoTime */.Ly)(Math.floor(now))}. ` +
        "Is it signed by the API server's --client-ca-file, for client authentication? A gateway that ends TLS does not pass it on.");
}

;// CONCATENATED MODULE: ./src/kube/client.ts






const NOTICE_INTERVAL_MS = 2_000;
/** Sends every request to the API server that kubepass makes for itself. */
class KubeClient {
    server;
    #http;
    #userAgent;
    #info;
    /** Whether no response has shown yet that the host exists. */
    #isNewHost;
    /** When #report() last printed a line, ms since 1970. */
    #reportedAt = 0;
    constructor({ http, server, userAgent, info, isNewHost }) {
        this.#http = http;
        this.server = server;
        this.#userAgent = userAgent;
        this.#info = info;
        this.#isNewHost = isNewHost;
    }
    /**
     * Sends the call, again after each transient failure, until `signal` aborts.
     * @throws KubepassError UNREACHABLE when the last attempt failed or got a transient status (408, 429, 5xx)
     */
    async call(call, signal) {
        const { host } = new URL(this.server);
        const options = { info: (text) => this.#report(`${host} ${text}`), isNewHost: this.#isNewHost };
        const { last, mayHaveActed } = await retry((attempt) => this.#send(call, attempt), signal, options);
        if (!('failure' in last))
            this.#isNewHost = false;
        if ('failure' in last)
            throw last.failure instanceof errors/* KubepassError */.v3 ? last.failure : this.#unreachable(call, last.failure, !mayHaveActed);
        const answer = toApiResponse({ server: this.server, method: call.method, path: call.path }, last, mayHaveActed);
        if (isTransient(last.status)) {
            const kubeStatus = answer_statusOf(answer);
            const sender = kubeStatus === undefined ? `The server at ${host}` : 'The API server';
            const message = kubeStatus === undefined ? '' : quotedMessage(kubeStatus);
            throw new errors/* KubepassError */.v3('UNREACHABLE', `${sender} keeps answering ${last.status}${message} to ${call.method} ${call.path}.`, {
                hint: transientHint(answer.request, { ...answer, kubeStatus }),
            });
        }
        return answer;
    }
    /** Sends the call once and reports nothing. @throws the failure of the attempt */
    async callOnce(call, signal) {
        return toApiResponse({ server: this.server, method: call.method, path: call.path }, await this.#send(call, signal), false);
    }
    /** The SHA-256 of the CA certificate that vouches for the API server, in hex; undefined before the first response. */
    caSha256() {
        return this.#http.caSha256();
    }
    close() {
        this.#http.close();
    }
    /** Prints at most one line each NOTICE_INTERVAL_MS, because several calls may wait at the same time. */
    #report(text) {
        if (Date.now() - this.#reportedAt < NOTICE_INTERVAL_MS)
            return;
        this.#reportedAt = Date.now();
        this.#info(text);
    }
    #send(call, signal) {
        const request = {
            url: new URL(this.server + call.path),
            method: call.method,
            headers: {
                accept: call.accept ?? 'application/json',
                'user-agent': this.#userAgent,
                ...('bearer' in call.auth ? { authorization: `Bearer ${call.auth.bearer.reveal()}` } : {}),
                ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
            },
            ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
            ...('bearer' in call.auth ? {} : { clientCertificate: call.auth }),
            signal,
        };
        return call.newConnection ? this.#http.exchangeOnNewConnection(request) : this.#http.exchange(request);
    }
    #unreachable(call, failure, noEffect) {
        const reason = reasonOf(failure);
        return new errors/* KubepassError */.v3('UNREACHABLE', `No answer from ${new URL(this.server).host} to ${call.method} ${call.path}: ${reason}.`, {
            noEffect,
            responseTooLarge: failure instanceof ResponseTooLarge,
            hint: this.#hintFor(failure),
        });
    }
    #hintFor(failure) {
        if (requiresClientCertificate(failure))
            return 'The server requires a client certificate, or rejected the one that it got. A kubeconfig (identity kubeconfig) can contain one.';
        if (proxyStatusOf(failure) === 407)
            return `The proxy requires a user name and a password, or rejected those that it got. Set HTTPS_PROXY, for example: ${PROXY_EXAMPLE}`;
        if (isUnknownHost(failure))
            return 'DNS has no address for this host: correct server, and proxy_url or HTTPS_PROXY if the API server is behind a proxy. Only the DNS server of a private network knows the names of that network.';
        if (!isCertificateError(failure))
            return 'Check server, and proxy_url or HTTPS_PROXY if the API server is behind one.';
        const ofProxy = this.#http.hasTlsProxy
            ? ' If the proxy, whose URL is https, sent this certificate: its CA must be one that Node.js trusts (NODE_EXTRA_CA_CERTS).'
            : '';
        return `The certificate does not verify: give the CA of this API server as certificate_authority (or in the kubeconfig), and tls_server_name if the certificate names another host.${ofProxy}`;
    }
}

;// CONCATENATED MODULE: ./src/state/run-events.ts


/**
 * The state after the event. While a run goes on, no other function changes its state.
 * @throws Error where the event does not fit the state: that is a defect of kubepass
 */
function reduce(state, event) {
    if (isFact(event))
        return withFact(state, event);
    if (!('number' in event))
        return afterOther(state, event);
    if (event.type === 'SecretRequested')
        return withRequestedSecret(state, event);
    const withForgotten = withForgottenStillAccepted(state, event);
    if (withForgotten !== undefined)
        return withForgotten;
    const before = find(state, event);
    if (event.type === 'CredentialForgotten')
        return withoutCredential(state, event, before);
    const after = next(before, event);
    const credentials = state.credentials.map((each) => (each === before ? after : each));
    // All proofs were recorded together, so one false statement of the saved state voids all of them.
    return { ...state, credentials: event.type === 'RevokedSecretDeleted' ? credentials.map(withoutProof) : credentials };
}
function isFact(event) {
    return event.type === 'ProgramRead' || event.type === 'IssuerSeen' || event.type === 'ApiServerSeen';
}
function withFact(state, event) {
    switch (event.type) {
        case 'ProgramRead':
            requireUnseen(event, state.programSha256);
            return { ...state, programSha256: event.programSha256 };
        case 'IssuerSeen':
            requireUnseen(event, state.issuer);
            return { ...state, issuer: event.issuer };
        case 'ApiServerSeen':
            requireUnseen(event, state.apiServer);
            return { ...state, apiServer: event.apiServer };
    }
}
function requireUnseen(event, before) {
    if (before !== null)
        throw unfit(event, 'the fact was seen before');
}
function afterOther(state, event) {
    if (isScanEvent(event))
        return afterScanEvent(state, event);
    switch (event.type) {
        case 'IdentityResolved':
            return { ...state, identity: { kind: event.kind, why: event.why } };
        case 'DeliveredToLaterSteps':
            return { ...state, deliveredToLaterSteps: true };
        case 'RecoveryBegun':
            return { ...state, recovered: true };
        case 'Warned':
            return withWarning(state, event.text);
        case 'Failed':
            return afterFailure(state, event);
        case 'CleanedUp':
            return { ...state, cleanupAttempted: true, proofLeftToPost: event.proofLeftToPost };
        case 'Reported':
            return { ...state, reported: true };
    }
}
function withWarning(state, text) {
    const isKnown = state.warnings.includes(text);
    return isKnown || state.warnings.length >= MAX_WARNINGS ? state : { ...state, warnings: [...state.warnings, text] };
}
/** A failed revocation is the error of the run, and hides no earlier error. */
function afterFailure(state, { code, reason }) {
    const after = { ...state, error: code, errorReason: reason };
    const { earlierError, error, errorReason } = state;
    const isFirst = error === null || errorReason === null || error === 'NOT_REVOKED';
    if (code !== 'NOT_REVOKED' || isFirst || earlierError !== null)
        return after;
    return { ...after, earlierError: { code: error, reason: errorReason } };
}
const SCAN_EVENTS = ['ScanStarting', 'ScanStarted', 'ScanEnded', 'AccessOpened', 'AccessEnded'];
function isScanEvent(event) {
    return SCAN_EVENTS.includes(event.type);
}
/** A process that is killed takes its record with it. */
const UNKNOWN_ACCESS = { ended_at: null, streams_cut: 0, requests: null, unauthenticated: 0, uses: [], not_listed: 0 };
function afterScanEvent(state, event) {
    if (event.type === 'AccessOpened')
        return { ...state, apiAccess: UNKNOWN_ACCESS };
    if (event.type === 'AccessEnded')
        return { ...state, apiAccess: event.access };
    if (event.type === 'ScanStarting')
        return { ...state, scan: { startedAt: event.at } };
    if (state.scan === null)
        throw unfit(event, 'no scan');
    if (event.type === 'ScanStarted')
        return { ...state, isolation: event.isolation };
    const { at, exitCode, signal, isAccepted } = event;
    return { ...state, scan: { startedAt: state.scan.startedAt, end: { at, exitCode, signal, isAccepted } } };
}
function withoutProof(credential) {
    if (credential.phase !== 'revoked' && credential.phase !== 'absent')
        return credential;
    const { proof: _proof, ...rest } = credential;
    return rest;
}
function find(state, event) {
    const credential = state.credentials.find(({ number }) => number === event.number);
    if (credential === undefined)
        throw unfit(event, 'no such credential');
    return credential;
}
function unfit(event, phase) {
    return new Error(`the event ${event.type} does not fit: ${phase}`);
}
function withRequestedSecret(state, event) {
    const { number, slot, deadBy } = event;
    const isTaken = slot === 'unbound' || state.credentials.some((each) => each.slot === slot);
    const isFull = state.credentials.length >= MAX_CREDENTIALS;
    if (number !== state.lastNumber + 1 || isTaken || isFull)
        throw unfit(event, 'the number or the slot is taken');
    return { ...state, lastNumber: number, credentials: [...state.credentials, { number, slot, deadBy, phase: 'secret-requested' }] };
}
function withoutCredential(state, event, credential) {
    if (!isSettled(credential))
        throw unfit(event, `credential ${credential.number} is ${credential.phase}`);
    const credentials = state.credentials.filter((each) => each !== credential);
    if (!hasToken(credential))
        return { ...state, credentials };
    const all = [...state.forgotten, lastingFactsOf(credential)].sort((one, other) => one.number - other.number);
    // The first token is what the evidence calls granted.
    const first = all.find(({ token }) => token !== undefined);
    const dropped = all.length > MAX_FORGOTTEN ? all.find((each) => each !== first) : undefined;
    return {
        ...state,
        credentials,
        forgotten: all.filter((each) => each !== dropped),
        forgottenNotListed: state.forgottenNotListed + (dropped?.token === undefined ? 0 : 1),
    };
}
/** Undefined where the event is about a credential that still has its slot. */
function withForgottenStillAccepted(state, { number, type }) {
    if (type !== 'TokenStillAccepted' || !state.forgotten.some((each) => each.number === number))
        return undefined;
    return { ...state, forgotten: state.forgotten.map((each) => (each.number === number ? { ...each, isStillAccepted: true } : each)) };
}
const transitions = {
    SecretForbidden: ({ phase }) => (phase === 'secret-requested' ? { phase: 'planned', slot: 'unbound' } : undefined),
    SecretCreated: ({ phase }, { uid }) => (phase === 'secret-requested' ? { phase: 'secret-created', uid } : undefined),
    TokenRequested(before) {
        if (before.phase === 'secret-created')
            return { phase: 'token-requested', uid: before.uid };
        return before.phase === 'planned' && before.slot === 'unbound' ? { phase: 'token-requested' } : undefined;
    },
    TokenIssued(before, { token, deadBy }) {
        return before.phase === 'token-requested' ? { phase: 'issued', token, deadBy, ...uidIn(before) } : undefined;
    },
    TokenAccepted: (before, { acceptance }) => (before.phase === 'issued' ? { ...before, acceptance } : undefined),
    RequestHadNoEffect(before) {
        if (before.phase === 'secret-requested')
            return { phase: 'planned' };
        if (before.phase !== 'token-requested')
            return undefined;
        return before.uid === undefined ? { phase: 'planned' } : { phase: 'secret-created', uid: before.uid };
    },
    CredentialReplaced: (before, { revokeAt }) => (before.phase === 'issued' ? { ...before, revokeAt } : undefined),
    DeletionRequested: (before) => (isConcluded(before) ? undefined : { phase: 'deletion-requested', last: livePhaseOf(before) }),
    DeletionHadNoEffect: (before) => (before.phase === 'deletion-requested' ? before.last : undefined),
    // A 200 is a fact, whatever another DELETE of the same Secret has recorded meanwhile.
    SecretDeleted: (before, { at }) => (before.phase === 'revoked' ? undefined : { phase: 'revoked', last: livePhaseOf(before), at }),
    RevokedSecretDeleted: (before, { at }) => (before.phase === 'revoked' ? { phase: 'revoked', last: before.last, at } : undefined),
    SecretNotFound: (before) => (before.phase === 'deletion-requested' ? { phase: 'absent', last: before.last } : undefined),
    TokenProvenDead: (before, { proof }) => (before.phase === 'revoked' || before.phase === 'absent' ? { ...before, proof } : undefined),
    TokenStillAccepted: (before) => (before.phase === 'revoked' || before.phase === 'absent' ? before.last : undefined),
};
function uidIn({ uid }) {
    return uid === undefined ? {} : { uid };
}
function next(before, event) {
    const transition = transitions[event.type];
    const after = transition(before, event);
    if (after === undefined)
        throw unfit(event, `credential ${before.number} is ${before.phase}`);
    const { number, slot, deadBy } = before;
    return { number, slot, deadBy, ...after };
}

;// CONCATENATED MODULE: ./src/state/run-state-codec.ts




/** The state as it is saved: the list of the requests can be longer than the place where a runner keeps the state. */
function toSavedForm(state) {
    const { apiAccess } = state;
    return apiAccess === null ? state : { ...state, apiAccess: { ...apiAccess, uses: [], not_listed: apiAccess.requests ?? 0 } };
}
/**
 * Reads a saved run state. The scan can write to its place, so this function accepts only what kubepass can have written. A forged state
 * names no Secrets of others, because the names follow from the job and the key.
 * @param job of this process, in place of the job in the text
 * @returns undefined when the text is no run state
 */
function parseRunState(text, job) {
    let value;
    try {
        value = JSON.parse(text);
    }
    catch {
        return undefined;
    }
    return isRunState(value) && hasUniqueCredentials(value) && hasReasonOfItsError(value)
        ? { ...value, job }
        : undefined;
}
const isText = (value) => typeof value === 'string';
const isFlag = (value) => typeof value === 'boolean';
const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isNumber = (value) => Number.isFinite(value);
const run_state_codec_isTime = (value) => typeof value === 'string' && (0,base_time/* isIsoTime */.dZ)(value);
function run_state_codec_matches(value, pattern) {
    return typeof value === 'string' && pattern.test(value);
}
function oneOf(...allowed) {
    return (value) => allowed.includes(value);
}
function optional(check) {
    return (value) => value === undefined || check(value);
}
function nullable(check) {
    return (value) => value === null || check(value);
}
function listOf(check, longest = Infinity) {
    return (value) => Array.isArray(value) && value.length <= longest && value.every(check);
}
/** An object with these fields and no others: a field that is out of place could mean something to a later reader. */
function object(fields) {
    return (value) => typeof value === 'object' &&
        value !== null &&
        Object.keys(value).every((name) => Object.hasOwn(fields, name)) &&
        Object.entries(fields).every(([name, check]) => check(value[name]));
}
const isToken = object({ jti: optional((value) => run_state_codec_matches(value, /^[\w.-]{1,200}$/)), issuedAt: run_state_codec_isTime, expiresAt: run_state_codec_isTime });
const isAcceptance = object({ at: run_state_codec_isTime, username: nullable(isText) });
const isProof = object({ at: run_state_codec_isTime, samples: isCount, seconds: isNumber });
const isScanEnd = object({
    at: run_state_codec_isTime,
    exitCode: isNumber,
    signal: nullable((value) => run_state_codec_matches(value, /^SIG[A-Z0-9]{1,20}$/)),
    isAccepted: isFlag,
});
const isReason = (value) => run_state_codec_matches(value, /^[^\p{Cc}\p{Zl}\p{Zp}]+$/u) && String(value).length <= MAX_REASON;
const isCode = (value) => typeof value === 'string' && Object.hasOwn(errors/* errorCodes */.fv, value);
const isEarlierCode = (value) => isCode(value) && value !== 'NOT_REVOKED';
const isSha256 = (value) => run_state_codec_matches(value, /^[0-9a-f]{64}$/);
const isIssuer = object({ username: isUsername, credential_id: nullable(isCredentialIdOfIssuer) });
const isApiServer = object({ version: nullable(isGitVersion), ca_sha256: nullable(isSha256) });
/** The saved form lists no uses: see toSavedForm(). */
const isApiAccess = object({
    ended_at: nullable(run_state_codec_isTime),
    streams_cut: isCount,
    requests: nullable(isCount),
    unauthenticated: isCount,
    uses: listOf(() => false, 0),
    not_listed: isCount,
});
const isSlot = oneOf(0, 1, 2, 'unbound');
const livePhases = {
    planned: {},
    'secret-requested': {},
    'secret-created': { uid: isText },
    'token-requested': { uid: optional(isText) },
    issued: { uid: optional(isText), token: isToken, acceptance: optional(isAcceptance), revokeAt: optional(run_state_codec_isTime) },
};
const isLivePhase = (value) => isInPhase(value, livePhases);
const phases = {
    ...livePhases,
    'deletion-requested': { last: isLivePhase },
    revoked: { last: isLivePhase, at: run_state_codec_isTime, proof: optional(isProof) },
    absent: { last: isLivePhase, proof: optional(isProof) },
};
function isInPhase(value, of, others = {}) {
    const { phase } = (typeof value === 'object' && value !== null ? value : {});
    if (typeof phase !== 'string' || !Object.hasOwn(of, phase))
        return false;
    return object({ phase: isText, ...of[phase], ...others })(value);
}
const credential = { number: isCount, slot: isSlot, deadBy: run_state_codec_isTime };
const isCredential = (value) => isInPhase(value, phases, credential);
const isRunState = object({
    version: oneOf(4),
    job: () => true,
    server: isText,
    requested: object({ namespace: isText, name: isText, durationSeconds: isNumber, audiences: listOf(isText) }),
    key: (value) => typeof value === 'string' && isRunKey(value),
    directory: (value) => run_state_codec_matches(value, /\/kubepass-[0-9a-f]{16}$/),
    identity: nullable(object({ kind: isText, why: isText })),
    issuer: nullable(isIssuer),
    apiServer: nullable(isApiServer),
    commandSha256: nullable(isSha256),
    programSha256: nullable(isSha256),
    lastNumber: (value) => isCount(value) && Number(value) <= 1e6,
    credentials: listOf(isCredential, MAX_CREDENTIALS),
    forgotten: listOf(object({ ...credential, token: optional(isToken), acceptance: optional(isAcceptance), isStillAccepted: optional(isFlag) }), MAX_FORGOTTEN),
    forgottenNotListed: isCount,
    scan: nullable(object({ startedAt: run_state_codec_isTime, end: optional(isScanEnd) })),
    isolation: nullable(object({ isolated: isFlag, why_not: nullable(isText), as_root: isFlag })),
    apiAccess: nullable(isApiAccess),
    warnings: listOf(isText, MAX_WARNINGS),
    error: nullable(isCode),
    errorReason: nullable(isReason),
    earlierError: nullable(object({ code: isEarlierCode, reason: isReason })),
    deliveredToLaterSteps: isFlag,
    recovered: isFlag,
    cleanupAttempted: isFlag,
    proofLeftToPost: isFlag,
    reported: isFlag,
});
function hasUniqueCredentials({ credentials, lastNumber }) {
    const numbers = credentials.map(({ number }) => number);
    const slots = credentials.map(({ slot }) => slot).filter((slot) => slot !== 'unbound');
    return numbers.every((number) => number <= lastNumber) && new Set(numbers).size === numbers.length && new Set(slots).size === slots.length;
}
function hasReasonOfItsError({ earlierError, error, errorReason }) {
    return (error === null) === (errorReason === null) && (error !== null || earlierError === null);
}

;// CONCATENATED MODULE: ./src/lifecycle/journal.ts



/** The run state in memory. All changes go through `intend` and `observe`. */
class Journal {
    #state;
    #store;
    #isCleared = false;
    constructor(store, state) {
        this.#store = store;
        this.#state = state;
    }
    get state() {
        return this.#state;
    }
    /** Undefined for a credential that was forgotten. */
    credential(number) {
        return this.#state.credentials.find((each) => each.number === number);
    }
    /**
     * Saves the first state.
     * @throws INPUT when it cannot be saved
     */
    begin() {
        saveOrThrow(() => this.#store.save(toSavedForm(this.#state)));
    }
    /**
     * Saves the event, then starts the effect: a later process must know of everything that can exist.
     * @throws INPUT when the state cannot be saved; then the effect does not start
     */
    async intend(event, effect) {
        const next = reduce(this.#state, event);
        saveOrThrow(() => this.#store.save(toSavedForm(next)));
        this.#state = next;
        return effect();
    }
    /** Saves what this process saw. A failure to save becomes a warning, because the work under way must go on. */
    observe(event) {
        this.#state = reduce(this.#state, event);
        if (this.#isCleared)
            return;
        try {
            this.#store.save(toSavedForm(this.#state));
        }
        catch (error) {
            const text = `The run state could not be saved (${(0,errors/* errnoOf */.UQ)(error) || 'unknown reason'}).`;
            this.#state = reduce(this.#state, { type: 'Warned', text });
        }
    }
    /** Removes the saved state: no later process needs it. */
    clear() {
        if (this.#store.clear === undefined)
            return;
        this.#isCleared = true;
        this.#store.clear();
    }
}
/** @throws INPUT when the state cannot be saved: no later process could finish the run */
function saveOrThrow(save) {
    try {
        save();
    }
    catch (cause) {
        throw new errors/* KubepassError */.v3('INPUT', `The run state, from which a later step finishes this run, cannot be saved (${(0,errors/* errnoOf */.UQ)(cause)}).`, {
            hint: 'Is the disk full or read-only? A CI runner keeps the run state; in a terminal it is a file in TMPDIR or in directory.',
        });
    }
}

;// CONCATENATED MODULE: ./src/lifecycle/run-context.ts












/** All inputs. Pipes are read first, because a pipe can be read only once. */
async function readOptions({ platform, seal, signal }, purpose) {
    return parseOptions({ ...platform, pipeTexts: await readPipes(platform, deadlineOf(platform), signal) }, seal, purpose);
}
/**
 * Chooses the identity and the API server. No call has gone to the network yet.
 * @param finishes whether an earlier process began the run and has shown that the hosts exist
 */
async function resolveIdentity({ platform, seal }, options, finishes = false) {
    const { identity, why } = await chooseIdentity(options, {
        ...platform,
        info: (text) => platform.log.info(text),
        idTokenInstructions: platform.idTokens?.instructions,
        idTokenRequest: platform.idTokens?.request?.(seal),
        idToken: platform.idTokens?.token?.(seal),
        seal,
        isNewHost: !finishes,
    });
    return { identity, why, options: { ...options, ...identity.cluster } };
}
function openRun(context, { identity, why, options }, state, provenance) {
    const { platform } = context;
    platform.log.info(`Identity: ${identity.kind}, because ${why}.`);
    return {
        ...context,
        options,
        identity,
        client: openClient(context, options, undefined, provenance === 'owner'),
        journal: new Journal(storeOf(platform, provenance), reduce(state, { type: 'IdentityResolved', kind: identity.kind, why })),
        provenance,
        tokens: new Map(),
        scan: undefined,
        apiProxy: undefined,
        directoryDescriptor: undefined,
        requestedBy: undefined,
        latestAuth: undefined,
        programReading: Promise.resolve(),
    };
}
/**
 * With a derived key, the post step of a CI saves nothing. A main that still runs would mistake the write for one of the scan, and no
 * process reads the state after post.
 */
function storeOf(platform, provenance) {
    const isReadOnly = platform.isCI && platform.runKey !== undefined && provenance !== 'owner';
    const { clear } = platform.savedState;
    return {
        save: (state) => (isReadOnly ? undefined : platform.savedState.save(state)),
        ...(clear && { clear }),
    };
}
function openClient({ platform }, options, connections, isNewHost = true) {
    const http = openHttp(platform, options, connections);
    const info = (text) => platform.log.info(text);
    return new KubeClient({ http, server: options.server, userAgent: userAgent(platform.job), info, isNewHost });
}
/** The client of the API server, with its CA certificate and the HTTP proxy before it. */
function openHttp(platform, options, connections) {
    const proxyUrl = options.proxyUrl ?? proxyFor(new URL(options.server), platform.env);
    return new Http({ ca: options.certificateAuthority, serverName: options.tlsServerName, proxyUrl }, connections);
}
/** Records a warning and shows it. */
async function warn({ journal, platform, redactor }, text) {
    journal.observe({ type: 'Warned', text: redactor.redact(text) });
    await platform.log.warn(text);
}
/** Records the error that ends the run. It redacts the reason before it cuts it, because the redactor cannot find a part of a secret. */
function recordFailure({ journal, redactor }, error) {
    journal.observe(failedWith(error, redactor));
}
function failedWith(error, redactor) {
    const reason = (0,base_quote/* oneLine */.TN)(redactor.redact((0,errors/* reasonOf */.A3)(error)), MAX_REASON);
    return { type: 'Failed', code: (0,errors/* codeOf */.$N)(error), reason: reason === '' ? 'unknown reason' : reason };
}
/** For warnings that hold for each credential of a run. */
async function warnOnce(run, text) {
    if (!run.journal.state.warnings.includes(run.redactor.redact(text)))
        await warn(run, text);
}
// The audit log shows it beside every call: who, and why.
function userAgent(run) {
    const printable = (text) => text.replaceAll(/[^\w./@-]+/g, '_').slice(0, 100);
    return `kubepass/${version} (${run.platform}; run ${printable(run.id)}/${printable(run.attempt)}; ${printable(run.repository)})`;
}

;// CONCATENATED MODULE: ./src/lifecycle/end-access.ts

/** Cuts the scan off from the API server, where it went through the API proxy. */
function endAccess({ apiProxy, journal }) {
    if (apiProxy === undefined || apiProxy.isClosed)
        return;
    apiProxy.close();
    if (journal.state.apiAccess !== null)
        journal.observe({ type: 'AccessEnded', access: apiProxy.access });
}
/** Says that the file of requests has a gap. */
async function reportRequestLog(run) {
    const problem = run.apiProxy?.logProblem;
    if (problem !== undefined)
        await warn(run, `The file that ${run.platform.nameOf('requests')} names lacks requests: ${problem}.`);
}

;// CONCATENATED MODULE: ./src/kube/refusal.ts



/**
 * A server that sends one of these statuses has not read the whole request, so it has forwarded nothing.
 * https://www.rfc-editor.org/rfc/rfc6585#section-5
 */
const REQUEST_NOT_READ = [413, 414, 431];
/**
 * The error for a response that is no success: the API server's message, quoted, and a hint.
 * @param action completes "asked to ...": `create a Secret in namespace "x"`
 */
function refusal_refusalOf(answer, action, auth) {
    const kubeStatus = answer_statusOf(answer);
    const hint = hint_hintFor(answer.request, { ...answer, kubeStatus }, auth);
    if (kubeStatus === undefined) {
        return new errors/* KubepassError */.v3('UNREACHABLE', `kubepass asked to ${action}, but a program that is not a Kubernetes API server answered ${answer.status} with ${answer.bodyKind}.`, { hint, noEffect: REQUEST_NOT_READ.includes(answer.status) && !answer.mayHaveActed });
    }
    return new errors/* KubepassError */.v3('REFUSED', `The API server refused to ${action}: ${answer.status}${quotedMessage(kubeStatus)}.`, {
        hint,
        noEffect: !answer.mayHaveActed,
    });
}
function refusal_incompleteResponse(what) {
    return new KubepassError('UNREACHABLE', `The answer reports success, but contains no ${what}.`, {
        hint: 'Does a gateway before the API server rewrite answers?',
    });
}

;// CONCATENATED MODULE: ./src/kube/self-subject-review.ts




/**
 * Sends a SelfSubjectReview with the token.
 * @param newConnection whether to open a connection for this call alone
 * @throws KubepassError REFUSED or UNREACHABLE when the server answers 404
 */
async function whoami(client, token, signal, newConnection = false) {
    const auth = { bearer: token };
    const answer = await client.call({ ...reviewBy(auth), newConnection }, signal);
    if (answer.status === 404)
        throw isFromApiServer(answer) ? noReview() : refusal_refusalOf(answer, 'review the token', auth);
    return resultOf(answer);
}
/**
 * Asks once who the job's own identity is to the API server.
 * @returns undefined when there is no usable answer: only the evidence needs it
 */
async function reviewIssuer(client, auth, signal) {
    const answer = await client.callOnce(reviewBy(auth), signal).catch(() => undefined);
    const user = answer?.status === 201 ? answer.body?.status?.userInfo : undefined;
    const username = user?.username;
    // A foreign answer can have any form.
    const [id] = [user?.extra?.['authentication.kubernetes.io/credential-id']].flat();
    return isUsername(username) ? { username, credential_id: isCredentialIdOfIssuer(id) ? id : null } : undefined;
}
function reviewBy(auth) {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    return { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', auth, body };
}
function resultOf(answer) {
    const { reason, message } = answer_statusOf(answer) ?? {};
    const username = reviewedUser(answer);
    if (username !== undefined)
        return { is: 'accepted', username };
    if (answer.status === 401 && reason === 'Unauthorized')
        return { is: 'refused' };
    // 403 means that the API server authenticated the token.
    if (answer.status === 403 && reason === 'Forbidden' && !message?.includes('User "system:anonymous"'))
        return { is: 'accepted', username: undefined };
    return { is: 'unclear', status: answer.status };
}
/** The user in the review; undefined when the answer is none. */
function reviewedUser({ status, body }) {
    const username = status === 201 ? body?.status?.userInfo?.username : undefined;
    return typeof username === 'string' ? username : undefined;
}
/** An API server answers 404 with a Status or a line of text. HTML and other JSON come from another program. */
function isFromApiServer({ bodyKind }) {
    return bodyKind === 'a Kubernetes Status' || bodyKind === 'plain text';
}
function noReview() {
    return new errors/* KubepassError */.v3('REFUSED', 'The API server has no SelfSubjectReview API.', { hint: 'kubepass needs Kubernetes 1.28 or later.' });
}

;// CONCATENATED MODULE: ./src/kube/server-version.ts

/**
 * Asks once for the version of the API server.
 * @returns undefined when there is no usable answer: only the evidence needs it
 */
async function serverVersion(client, auth, signal) {
    const answer = await client.callOnce({ method: 'GET', path: '/version', auth }, signal).catch(() => undefined);
    const version = answer?.status === 200 ? answer.body?.gitVersion : undefined;
    return isGitVersion(version) ? version : undefined;
}

;// CONCATENATED MODULE: ./src/lifecycle/server-facts.ts







/** Time limit for both answers. */
const ANSWERS_MS = 2_000;
/**
 * Records facts that only the evidence needs: the user name of the job's own identity, and the version and the CA of the API server.
 * The caller has finished the revocation, so that neither a scan nor a revocation waits for an answer. A failure changes nothing.
 * @param isReachable whether the API server has just answered
 */
async function recordServerFacts(run, isReachable) {
    const { journal, provenance, signal } = run;
    // A report that an earlier process has written does not change any more.
    if (provenance === 'derived' || signal.aborted || journal.state.reported)
        return;
    const { credentials, forgotten } = journal.state;
    const wasIssued = credentials.some(hasToken) || forgotten.length > 0;
    const auth = isReachable && wasIssued ? usableAuth(run) : undefined;
    const deadline = deadlineAfter(ANSWERS_MS, signal);
    try {
        if (auth !== undefined && journal.state.issuer === null)
            await recordIssuer(run, auth, deadline);
        if (journal.state.apiServer === null)
            await recordApiServer(run, auth, deadline);
    }
    catch {
        // The fields stay null in the evidence, because a failure here must not change how the run ends.
    }
}
/** Without an identity it records the CA alone, which needs no request. */
async function recordApiServer({ client, journal }, auth, deadline) {
    const version = auth === undefined ? undefined : await serverVersion(client, auth, deadline);
    const caSha256 = client.caSha256();
    if (version !== undefined || caSha256 !== undefined)
        journal.observe({ type: 'ApiServerSeen', apiServer: { version: version ?? null, ca_sha256: caSha256 ?? null } });
}
/** The identity that requested the credential. If the token of that identity has expired, the identity of the latest request. */
function usableAuth({ latestAuth, requestedBy }) {
    const isExpired = requestedBy !== undefined && 'bearer' in requestedBy && validityProblem(requestedBy.bearer) !== undefined;
    return isExpired ? latestAuth : (requestedBy ?? latestAuth);
}
/** Redacts the answer before the check of its form, because a gateway can return the token of the request. */
async function recordIssuer({ client, journal, redactor, requestedBy }, auth, deadline) {
    const answer = await reviewIssuer(client, auth, deadline);
    if (answer === undefined)
        return;
    const username = redactor.redact(answer.username);
    const id = auth === requestedBy ? answer.credential_id : ownIdLike(answer.credential_id, requestedBy);
    const credential_id = id === null ? null : redactor.redact(id);
    if (isUsername(username))
        journal.observe({
            type: 'IssuerSeen',
            issuer: { username, credential_id: isCredentialIdOfIssuer(credential_id) ? credential_id : null },
        });
}
/** The id of the token that requested the credential, if the API server makes ids from the claim `jti`. */
function ownIdLike(id, requestedBy) {
    if (requestedBy === undefined || !('bearer' in requestedBy) || id?.startsWith(credentialId('')) !== true)
        return null;
    const jti = jwt_jwtOf(requestedBy.bearer)?.claims['jti'];
    return typeof jti === 'string' ? credentialId(jti) : null;
}

;// CONCATENATED MODULE: ./src/kube/revocation-proof.ts



/** The API server may still accept a token in the moment of the deletion, and then caches that for 10 s. So the first poll waits. */
const FIRST_POLL_MS = 250;
const SHORTEST_WAIT_MS = 500;
/** The API server caches an accepted token for 10 s. */
const CACHE_EXPIRED_MS = 10_050;
const PROOF_TIMEOUT_MS = 15_000;
/**
 * Uses the token until it is refused `samples` times in a row.
 * @returns the result, after at most 15 s; a failed call and an abort of `signal` end the proof with the result so far
 */
async function prove(client, revoked, signal) {
    const { token, deletedAt, samples, isHurried } = revoked;
    const deadline = deadlineAfter(PROOF_TIMEOUT_MS, signal);
    let result = { is: 'unclear' };
    try {
        await (0,promises_.setTimeout)(Math.max(0, deletedAt + FIRST_POLL_MS - Date.now()), undefined, { signal: deadline });
        for (let refusals = 0, wait = 0;;) {
            const review = await whoami(client, token, deadline, true);
            refusals = review.is === 'refused' ? refusals + 1 : 0;
            if (refusals === samples)
                return { is: 'dead', proof: { samples, seconds: (Date.now() - deletedAt) / 1000 } };
            result = { is: review.is === 'accepted' ? 'alive' : 'unclear' };
            if (result.is === 'alive' && isHurried())
                return result;
            if (refusals > 0)
                continue;
            wait = nextWait(wait, Date.now() - deletedAt);
            await (0,promises_.setTimeout)(wait, undefined, { signal: deadline });
        }
    }
    catch {
        return result;
    }
}
/**
 * Doubles the wait, because each accepted request looks like an attack to a monitor of the audit log. No wait is longer than the cache of
 * the API server lasts.
 * @param age ms since the deletion
 */
function nextWait(previous, age) {
    const untilExpiry = CACHE_EXPIRED_MS - age;
    const doubled = Math.max(SHORTEST_WAIT_MS, 2 * previous);
    return untilExpiry > 0 ? Math.min(doubled, untilExpiry) : SHORTEST_WAIT_MS;
}

;// CONCATENATED MODULE: ./src/lifecycle/prove.ts






/**
 * Uses each held token until the API server refuses it.
 * @returns the error when the API server still accepts a token
 */
async function proveEnd(run, when) {
    const { immediate, client, journal, hardDeadline, options, signal, tokens, platform } = run;
    // A person waits after Ctrl-C, and the cache of the API server outlasts the time that is left.
    const isHurried = () => !platform.isCI && signal.aborted;
    const deadline = AbortSignal.any([hardDeadline, immediate]);
    platform.log.progress?.('waiting for the API server to refuse the token');
    const { revoked } = toEvidence(journal.state);
    const revokedAt = revoked === null ? Date.now() : Date.parse(revoked.at);
    const results = await Promise.all([...tokens].map(async ([number, { token }]) => ({
        number,
        ...(await prove(client, { token, deletedAt: revokedAt, samples: options.proofSamples, isHurried }, deadline)),
    })));
    const untested = untestedIn(run);
    const isTimely = when === 'now' && !deadline.aborted && !isHurried();
    const kinds = results.map(({ is }) => is);
    switch (concludeProof(kinds, untested, isTimely)) {
        case 'proven':
            recordProofs(run, results);
            return undefined;
        case 'untested':
            platform.log.info(`The newest token is refused; ${untested} ${untested === 1 ? 'other' : 'others'} could not be tested.`);
            return undefined;
        case 'no-time':
            platform.log.info(`There was no time for the proof.${isHurried() ? ' The API server caches an accepted token for 10 s.' : ''}`);
            return undefined;
        case 'unclear':
            await warn(run, 'The API server gave no clear answer to the revoked token, so its end is not proven.');
            return undefined;
        case 'alive':
            return recordLiving(run, results);
    }
}
/** How many tokens may live that this process cannot use, and so cannot see refused. */
function untestedIn({ journal, tokens }) {
    const { credentials, forgotten } = journal.state;
    return [...credentials.filter(hasToken), ...forgotten].filter(({ number, deadBy }) => !tokens.has(number) && mayLive(deadBy)).length;
}
function recordProofs({ journal }, results) {
    const at = new Date().toISOString();
    for (const result of results)
        if (result.is === 'dead' && journal.credential(result.number) !== undefined)
            journal.observe({ type: 'TokenProvenDead', number: result.number, proof: { at, ...result.proof } });
}
function recordLiving({ journal, tokens }, results) {
    const living = results.filter(({ is }) => is === 'alive').map(({ number }) => number);
    for (const number of living)
        journal.observe({ type: 'TokenStillAccepted', number });
    const deadBy = living.flatMap((number) => tokens.get(number)?.deadBy ?? []).toSorted();
    return new errors/* KubepassError */.v3('NOT_REVOKED', `The API server still accepts the token, although its Secret is deleted. The token is dead by ${deadBy.at(-1) ?? ''} at the latest.`, { hint: 'The API server caches an accepted token for 10 s; is there another cache, or a replica that lags behind?' });
}

;// CONCATENATED MODULE: ./src/scan/private-directory.ts





const private_directory_KUBECONFIG = 'kubeconfig';
const private_directory_TOKEN = 'token';
/** More than the size of the token and of the kubeconfig without the CA's certificates. */
const RESERVED_BYTES = (/* unused pure expression or super */ null && (64 * 1024));
/**
 * Makes the private directory, empty and owned by this user. If its name is predictable, it may exist already: left by a killed
 * attempt of the same job, or made by another user.
 * @param certificateAuthority a part of the later kubeconfig: the public CAs of a system take 300 kB
 * @returns a descriptor, by which kubepass finds the directory after a move
 */
function createPrivateDirectory(directory, uid, certificateAuthority = '') {
    try {
        removePrivateDirectory(directory, dirname(directory), uid);
        mkdirSync(directory, { mode: 0o700 });
    }
    catch (cause) {
        throw new KubepassError('INPUT', `The private directory ${directory} could not be made (${errnoOf(cause)}).`, {
            hint: 'Does it exist and belong to another user, or is the disk full? Set directory to a path that is yours.',
        });
    }
    const room = join(directory, 'room');
    try {
        // A full disk must stop the run before there is a token, not after.
        writePrivate(room, Buffer.alloc(Math.max(RESERVED_BYTES, 2 * certificateAuthority.length)));
        rmSync(room);
        return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    }
    catch (cause) {
        removePrivateDirectory(directory, dirname(directory), uid);
        throw private_directory_cannotWrite(directory, cause);
    }
}
function private_directory_cannotWrite(directory, cause) {
    return new KubepassError('INPUT', `kubepass cannot write into the private directory ${directory} (${errnoOf(cause)}).`, {
        hint: 'Is the disk full? Set directory to another path, for example below /dev/shm, which is in memory.',
    });
}
/**
 * Removes the directory with its content. The scan can forge a run state, so only a directory of this user in the expected place
 * is removed.
 * @param keepToken keeps the file with the (revoked) token, for a proof in the post step
 * @returns why the directory still exists; undefined on success
 */
function removePrivateDirectory(directory, expectedParent, uid, keepToken = false) {
    try {
        // A forged run state must not make kubepass change the modes of other folders.
        const isOurs = (0,external_node_path_.dirname)(directory) === expectedParent;
        const look = () => (0,external_node_fs_.lstatSync)(directory, { throwIfNoEntry: false });
        const about = isOurs ? withRestoredAccess(directory, look) : look();
        if (about === undefined)
            return undefined;
        if (!isOurs)
            return `it is not in ${expectedParent}`;
        if (!about.isDirectory())
            return 'another file is in its place';
        if (about.uid !== uid)
            return `it belongs to another user (uid ${about.uid})`;
        const entries = keepToken ? withRestoredAccess(directory, () => (0,external_node_fs_.readdirSync)(directory)).filter((name) => name !== private_directory_TOKEN) : [''];
        for (const name of entries)
            removeTree((0,external_node_path_.join)(directory, name));
        return undefined;
    }
    catch (error) {
        return obstacleAt(directory, error, uid);
    }
}
/**
 * The present path of the private directory; undefined if it was removed.
 * @param made the descriptor from createPrivateDirectory()
 */
function currentPath(directory, made) {
    if ((0,external_node_fs_.fstatSync)(made).nlink === 0)
        return undefined;
    const now = (0,external_node_fs_.lstatSync)(directory, { throwIfNoEntry: false });
    if (now !== undefined && isSame(now, made))
        return directory;
    return (0,external_node_fs_.readlinkSync)(`/proc/self/fd/${made}`);
}
/** @returns why the directory still exists; undefined on success */
function removeMovedDirectory(place, made, uid) {
    try {
        // The scan can move the directory again between two calls. Only the directory that kubepass made may be removed.
        if (!isSame((0,external_node_fs_.lstatSync)(place), made))
            return 'it was moved again';
        removeTree(place);
        return undefined;
    }
    catch (error) {
        return obstacleAt(place, error, uid);
    }
}
function isSame({ dev, ino }, made) {
    const about = (0,external_node_fs_.fstatSync)(made);
    return about.dev === dev && about.ino === ino;
}

;// CONCATENATED MODULE: ./src/lifecycle/remove-files.ts






/** @returns true if kubepass removed everything that must not stay */
async function removeFiles(run, keepToken) {
    const { options, platform } = run;
    const { directory } = run.journal.state;
    const moved = whereMoved(run);
    const why = removePrivateDirectory(directory, options.directory, platform.ownerUid, keepToken);
    const facts = why === undefined ? moved : [`The directory ${directory} was not removed: ${why}.`, ...moved];
    if (facts.length > 0)
        await warn(run, facts.join(' '));
    return why === undefined && !keepToken;
}
/** Removes a private directory that the scan moved. The process that made the directory finds it by its descriptor. */
function whereMoved({ directoryDescriptor: made, journal, provenance, platform }) {
    const { directory, credentials, cleanupAttempted } = journal.state;
    if (made === undefined) {
        const wasWritten = credentials.some((credential) => acceptanceOf(credential) !== undefined);
        const isMissing = (provenance === 'saved' || provenance === 'merged') && wasWritten && !cleanupAttempted && !(0,external_node_fs_.existsSync)(directory);
        // This is no warning: an earlier post step may have removed the directory.
        if (isMissing)
            platform.log.info(`The directory ${directory} does not exist: a step removed it, or moved it with the token in it.`);
        return [];
    }
    try {
        const place = currentPath(directory, made);
        if (place === undefined || place === directory)
            return [];
        const why = removeMovedDirectory(place, made, platform.ownerUid);
        const outcome = why === undefined ? 'It was removed there.' : `It was not removed there: ${why}.`;
        return [`The scan moved the directory ${directory} to ${(0,base_quote/* quote */.hD)(place)}. ${outcome}`];
    }
    catch (error) {
        return [`The scan moved the directory ${directory}, and it cannot be found (${(0,errors/* errnoOf */.UQ)(error)}).`];
    }
}

;// CONCATENATED MODULE: ./src/lifecycle/report-plan.ts


/**
 * Decides what a process reports, so that each run has one section. No process can remove the section of another one, so main leaves
 * the section to the post step while the post step can still change what the section says.
 */
function planReport({ before, now, provenance, postFollows }) {
    // A process without a saved state knows only the names of the Secrets. Its report adds a fact only if it revoked a credential.
    if (provenance === 'derived')
        return hasSameEnd(before, now) ? 'nothing' : 'all';
    // With provenance `merged`, this process has added possible credentials, so an incomplete state does not show that main left work.
    const wasReported = before.reported && (provenance === 'merged' || isComplete(before));
    if (wasReported && hasSameFacts(before, now))
        return 'nothing';
    return postFollows && !isComplete(now) ? 'record' : 'all';
}
/** Whether a later process has nothing left to do. */
function isComplete({ cleanupAttempted, credentials, proofLeftToPost }) {
    return cleanupAttempted && !proofLeftToPost && credentials.every(isSettled);
}
/** Whether a report of one state also reports the other. */
function hasSameFacts(one, other) {
    const [before, now] = [toEvidence(one), toEvidence(other)];
    return ['outcome', 'error', 'earlier_error'].every((fact) => before[fact] === now[fact]) && hasSameEnd(one, other);
}
function hasSameEnd(one, other) {
    const [before, now] = [toEvidence(one), toEvidence(other)];
    return before.revoked?.at === now.revoked?.at && before.proven?.dead_at === now.proven?.dead_at;
}

;// CONCATENATED MODULE: ./src/lifecycle/report.ts







/** Reports a run as planned, and records that this process has reported all of the run. */
async function report(run, before, postFollows) {
    const { journal, provenance } = run;
    const plan = planReport({ before, now: journal.state, provenance, postFollows });
    if (await reportState(run, journal.state, plan))
        journal.observe({ type: 'Reported' });
}
/**
 * Writes the evidence file, the outputs and the section for people. A failure here becomes a warning, so that it does not hide how the
 * run ended.
 * @returns whether the summary is written, so that no later process writes another one
 */
async function reportState(target, state, plan) {
    if (plan === 'nothing')
        return false;
    const evidence = toEvidence(state);
    await runSteps(target.platform, recordSteps(target, evidence));
    if (plan !== 'all')
        return false;
    // No process can remove the summary again, so the summary alone decides whether a later process writes another one.
    const isWritten = await runSteps(target.platform, [['summary', () => target.platform.writeSummary?.(evidence)]]);
    await runSteps(target.platform, [['check run', () => publishCheck(target, evidence)]]);
    return isWritten;
}
function recordSteps({ platform, options, redactor }, evidence) {
    const exitCode = evidence.used?.exit_code ?? undefined;
    const path = options?.evidence;
    return [
        ['evidence file', () => path !== undefined && writeEvidence(path, redactor.redact((0,evidence_text/* asJson */.vA)(evidence)))],
        ['output', () => exitCode !== undefined && platform.stepOutputs?.setOutput('exit_code', String(exitCode))],
        ['report', () => platform.report(evidence)],
    ];
}
async function publishCheck({ platform, options }, evidence) {
    const token = options?.checkToken;
    if (token !== undefined)
        await platform.publishCheck?.(evidence, token);
}
/** @returns whether all were successful */
async function runSteps({ log }, steps) {
    let isWritten = true;
    for (const [what, write] of steps) {
        try {
            await write();
        }
        catch (error) {
            isWritten = false;
            const reason = error instanceof errors/* KubepassError */.v3 ? (0,errors/* describe */.q0)(error) : (0,errors/* errnoOf */.UQ)(error) || 'unknown reason';
            await log.warn(`The ${what} could not be written (${reason}).`);
        }
    }
    return isWritten;
}
function writeEvidence(path, text) {
    if (path !== STANDARD_OUTPUT)
        replaceFile(path, text);
    else if (!printWhole(STDOUT, text))
        throw Object.assign(new Error('nobody reads standard output'), { code: 'EPIPE' });
}

;// CONCATENATED MODULE: ./src/kube/bound-secret.ts






/** After a conflict in a quota's count, attempt n is followed by a wait of n times this. */
const RECOUNT_MS = 50;
/** The labels, by which `sweep` selects the Secrets of kubepass, and the annotations, which tell people and `sweep` about the run. */
function boundSecretMetadata(run, deadBy) {
    return {
        labels: {
            'app.kubernetes.io/managed-by': 'kubepass',
            'kubepass.dev/platform': run.platform,
            'kubepass.dev/run': labelValue(run.id),
            'kubepass.dev/attempt': labelValue(run.attempt),
        },
        annotations: {
            'kubepass.dev/instance': run.instance,
            'kubepass.dev/repository': run.repository,
            'kubepass.dev/job': run.job,
            'kubepass.dev/dead-by': deadBy,
        },
    };
}
/** Reads what boundSecretMetadata() wrote. A text that is missing is empty; `id` and `attempt` are in the form of a label's value. */
function claimedRun({ labels, annotations }) {
    return {
        platform: labels['kubepass.dev/platform'] ?? '',
        id: labels['kubepass.dev/run'] ?? '',
        attempt: labels['kubepass.dev/attempt'] ?? '',
        repository: annotations['kubepass.dev/repository'] ?? '',
        job: annotations['kubepass.dev/job'] ?? '',
        instance: annotations['kubepass.dev/instance'] ?? '',
    };
}
/**
 * Creates the empty Secret that the token will be bound to.
 * @returns undefined when RBAC forbids it and `mayBeForbidden` is true
 * @throws KubepassError REFUSED or UNREACHABLE when no Secret was created, or none whose uid is known
 */
async function createBoundSecret(client, wanted, signal) {
    const { auth, namespace, name, metadata, mayBeForbidden } = wanted;
    const body = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, ...metadata } };
    const creation = { method: 'POST', path: `/api/v1/namespaces/${namespace}/secrets`, auth, body };
    let answer = await callUntilCounted(client, creation, signal);
    if (isTaken(answer)) {
        // No other run uses this name: an earlier attempt of ours created the Secret and got no response. The issuer has no
        // right to read its uid, so kubepass deletes it and creates it again.
        await deleteBoundSecret(client, auth, { namespace, name }, signal).catch((cause) => {
            throw new KubepassError('UNREACHABLE', 'The request to create the Secret got no response.', { cause });
        });
        answer = await callUntilCounted(client, creation, signal);
    }
    if (mayBeForbidden && isForbiddenByRbac(answer))
        return undefined;
    if (answer.status !== 201)
        throw refusalOf(answer, `create a Secret in namespace ${quote(namespace)}`, auth);
    const uid = answer.body?.metadata?.uid;
    if (typeof uid !== 'string')
        throw incompleteResponse('Secret');
    return { name, uid };
}
/** Sends the call again, up to four times, while a quota's count changes at the same moment. */
async function callUntilCounted(client, call, signal) {
    let answer = await client.call(call, signal);
    for (let tries = 1; tries < 5 && isCountedElsewhere(statusOf(answer) ?? {}); tries += 1) {
        await sleep(tries * RECOUNT_MS, undefined, { signal });
        answer = await client.call(call, signal);
    }
    return answer;
}
function isTaken(answer) {
    return answer.status === 409 && statusOf(answer)?.reason === 'AlreadyExists';
}
/** Whether no Secret exists, because the identity has no right to create one. */
function isForbiddenByRbac(answer) {
    return answer.status === 403 && !answer.mayHaveActed && !isRefusedByQuota(statusOf(answer) ?? {});
}
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
function labelValue(text) {
    return text
        .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
        .slice(0, 63)
        .replaceAll(/^[._-]+|[._-]+$/g, '');
}
/**
 * Deletes the bound Secret, and with it the token.
 * @throws KubepassError REFUSED or UNREACHABLE when the answer proves neither
 */
async function deleteBoundSecret(client, auth, { namespace, name, uid }, signal) {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...(uid === undefined ? {} : { preconditions: { uid } }) };
    const answer = await client.call({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/secrets/${name}`, auth, body }, signal);
    if (isDeletion(answer, uid))
        return 'deleted';
    if (!isAbsence(answer, name))
        throw refusal_refusalOf(answer, `delete the Secret ${name}`, auth);
    return answer.mayHaveActed && uid !== undefined ? 'deleted-perhaps-earlier' : 'gone';
}
/**
 * Whether the answer proves that the Secret was deleted. With a finalizer, the API server answers with the object instead of a
 * Status. A gateway may answer anything. Neither proves it.
 */
function isDeletion(answer, uid) {
    const { details, status } = answer_statusOf(answer) ?? {};
    return answer.status === 200 && status === 'Success' && (uid === undefined || details?.uid === uid);
}
/**
 * Whether the answer proves that no Secret has this name, or none with the uid that the request gave. For a path that it does not have,
 * an API server answers NotFound as well, but names no Secret.
 */
function isAbsence(answer, name) {
    const { details, reason } = answer_statusOf(answer) ?? {};
    const isOfThisSecret = /^secrets?$/i.test(details?.kind ?? '') && details?.name === name;
    return isOfThisSecret && ABSENT.some((absent) => answer.status === absent.status && reason === absent.reason);
}
const ABSENT = [
    { status: 404, reason: 'NotFound' },
    { status: 409, reason: 'Conflict' },
];

;// CONCATENATED MODULE: ./src/lifecycle/delete-secret.ts






/**
 * Deletes the bound Secret of a credential, and with it the token.
 * @returns `gone`: the Secret does not exist. `deleted`: this process or another cleanup of the run deleted it, perhaps by an earlier
 *   DELETE whose response was lost
 */
async function deleteSecretOf(run, credential, deadline, auth = run.identity.authInfo(deadline)) {
    const { client, journal } = run;
    const { number } = credential;
    const uid = uidOf(credential);
    const name = secretNameOf(journal.state, credential);
    if (name === undefined)
        return 'gone';
    const authInfo = await auth;
    run.latestAuth = authInfo;
    // Another cleanup of the same run may have deleted the Secret meanwhile.
    const current = journal.credential(number) ?? credential;
    if (current.phase === 'revoked' && credential.phase !== 'revoked')
        return 'deleted';
    const wasPending = current.phase === 'deletion-requested';
    // kubepass continues if it cannot save this event, because a failure to save must not prevent a deletion.
    if (!isConcluded(current))
        journal.observe({ type: 'DeletionRequested', number });
    try {
        const { namespace } = journal.state.requested;
        const response = await deleteBoundSecret(client, authInfo, { namespace, name, uid }, deadline);
        const outcome = outcomeOfDelete(response, wasPending, uid);
        recordOutcome(journal, number, outcome);
        if (response === 'deleted')
            await checkSavedState(run, current);
        return outcome;
    }
    catch (error) {
        if (!wasPending && error instanceof errors/* KubepassError */.v3 && error.noEffect)
            recordNoEffect(journal, number);
        throw error;
    }
}
/** Another DELETE of the same Secret may have had its response first. */
function recordOutcome(journal, number, outcome) {
    const phase = journal.credential(number)?.phase;
    if (outcome === 'deleted' && phase !== undefined && phase !== 'revoked')
        journal.observe({ type: 'SecretDeleted', number, at: new Date().toISOString() });
    if (outcome === 'gone' && phase === 'deletion-requested')
        journal.observe({ type: 'SecretNotFound', number });
}
/** Records that the Secret of a credential existed, although the saved state, which a scan can write to, called the credential revoked. */
async function checkSavedState(run, before) {
    const isContradicted = before.phase === 'revoked' && hasToken(before) && run.provenance !== 'owner';
    if (!isContradicted)
        return;
    run.journal.observe({ type: 'RevokedSecretDeleted', number: before.number, at: new Date().toISOString() });
    const name = secretNameOf(run.journal.state, before) ?? '';
    await warn(run, `The saved run state calls the credential revoked, but its Secret ${name} still existed. kubepass deleted the Secret.`);
}
function recordNoEffect(journal, number) {
    if (journal.credential(number)?.phase === 'deletion-requested')
        journal.observe({ type: 'DeletionHadNoEffect', number });
}

;// CONCATENATED MODULE: ./src/lifecycle/revoke.ts







/** The deadline where no token can exist, so that only an empty Secret could be left. */
const UNBOUND_SECRET_TIMEOUT_MS = 5_000;
/** Revokes each credential that may live, whatever the outcome for the others. */
async function revokeAll(run, viewNow) {
    const { credentials } = run.journal.state;
    const deadline = deadlineAfter(credentials.some(hasToken) ? run.options.deadline : UNBOUND_SECRET_TIMEOUT_MS, run.hardDeadline);
    let auth;
    const authInfo = () => (auth ??= run.identity.authInfo(deadline));
    const failures = await Promise.all(credentials.map((credential) => revoke(run, credential, viewNow, () => deleteSecretOf(run, credential, deadline, authInfo()))));
    return failures.find((failure) => failure !== undefined);
}
/** @returns the error when the token may live on, and must not */
async function revoke(run, credential, viewNow, send) {
    const plan = planFor(credential, viewNow());
    if (plan === 'nothing')
        return undefined;
    if (plan === 'cannot-revoke')
        return notRevoked(credential, 'The credential is bound to no Secret.');
    const { outcome, cause } = await send().then((result) => ({ outcome: result, cause: undefined }), (error) => ({ outcome: 'failed', cause: error }));
    const name = secretNameOf(run.journal.state, credential) ?? '';
    switch (concludeDeletion(credential, outcome, viewNow())) {
        case 'done':
            return undefined;
        case 'not-revoked':
            return notRevoked(credential, cause);
        case 'secret-missing':
            await warn(run, `The Secret ${name} does not exist: it was never created, or another process deleted it. If a token was issued, it is dead by ${credential.deadBy}.`);
            return undefined;
        case 'secret-left': {
            const { namespace } = run.journal.state.requested;
            await warn(run, `No token was issued, but the Secret ${name} may be left in namespace ${namespace}. ${(0,errors/* describe */.q0)(cause)}`);
            return undefined;
        }
        case 'unconfirmed':
            await warn(run, `The credential was revoked before, but the API server could not confirm that. ${(0,errors/* describe */.q0)(cause)}`);
            return undefined;
    }
}
function notRevoked({ deadBy }, cause) {
    const hint = cause instanceof errors/* KubepassError */.v3 ? cause.hint : undefined;
    return new errors/* KubepassError */.v3('NOT_REVOKED', `The credential could not be revoked. It is dead by ${deadBy} at the latest.`, { cause, hint });
}
/** Deletes once more what a late creation may have made: its response was lost, and no post step follows. */
async function retryLateDeletions(run) {
    const deadline = deadlineAfter(UNBOUND_SECRET_TIMEOUT_MS, run.hardDeadline);
    for (const credential of run.journal.state.credentials) {
        const isCertain = credential.phase === 'revoked' || livePhaseOf(credential).phase === 'planned' || uidOf(credential) !== undefined;
        if (!isCertain)
            await deleteSecretOf(run, credential, deadline).catch(() => undefined);
    }
}

// EXTERNAL MODULE: ./src/system/process-handle.ts
var process_handle = __nccwpck_require__(1203);
;// CONCATENATED MODULE: ./src/scan/orphans.ts



/** This variable is in the environment of every process of the scan. Each run has its own value. */
const TRACKING_VARIABLE = 'KUBEPASS_TRACKING_ID';
/** The value for the processes that start and end the scan's namespace: unshare, and PID 1. */
function initTrackingId(trackingId) {
    return `${trackingId}${INIT_SUFFIX}`;
}
/** PID 1 removes it before it starts the command. */
const INIT_SUFFIX = '-init';
const KILL_TIMEOUT_MS = 800;
const LAST_LOOK_MS = 200;
/**
 * Kills every process of this user that has the tracking id, because an open exec or watch stream outlives a revocation. A process
 * that executes another program shows no environment for a moment, so two searches in a row must find none. The first search
 * runs before the first await.
 * @param uncounted a process group whose processes do not count as having outlived the command
 */
async function stopOrphans(trackingId, uncounted) {
    const outlived = new Set();
    const killed = new Map();
    const deadline = Date.now() + KILL_TIMEOUT_MS;
    for (let looksWithout = 0;; await (0,promises_.setTimeout)(5)) {
        const orphans = findOrphans(trackingId);
        const ofScan = orphans.filter(({ isInit }) => !isInit);
        looksWithout = ofScan.length === 0 ? looksWithout + 1 : 0;
        // Killing PID 1 of the namespace kills the other processes uncounted. So kill it when no other is found, or time runs out.
        const all = looksWithout >= 2 || Date.now() > deadline - LAST_LOOK_MS;
        for (const { pid, isInit } of all ? orphans : ofScan) {
            const handle = killNow(pid);
            if (!isInit && ![undefined, uncounted].includes(handle.group))
                outlived.add(pid);
            killed.set(pid, handle);
        }
        const isDone = looksWithout >= 2 && orphans.length === 0 && [...killed.values()].every(({ hasEnded }) => hasEnded);
        // A process that the last search killed gets time to end, too.
        if (isDone || Date.now() > deadline)
            return { outlived: outlived.size, remaining: await countRemaining([...killed.values()]) };
    }
}
/** The handle comes first: the kernel forgets the group of a process that has ended. */
function killNow(pid) {
    const handle = new process_handle/* ProcessHandle */.O(pid);
    (0,process_handle/* killQuietly */.E)(pid, 'SIGKILL');
    return handle;
}
async function countRemaining(killed) {
    const ends = await Promise.all(killed.map((handle) => handle.waitForEnd(LAST_LOOK_MS)));
    return ends.filter((hasEnded) => !hasEnded).length;
}
/** The processes whose environment this user may read and has the tracking id, with or without the suffix. */
function findOrphans(trackingId) {
    const [ofScan, ofInit] = [`${TRACKING_VARIABLE}=${trackingId}`, `${TRACKING_VARIABLE}=${initTrackingId(trackingId)}`];
    return (0,external_node_fs_.readdirSync)('/proc')
        .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
        .map((pid) => ({ pid: Number(pid), environ: environOf(pid).split('\0') }))
        .filter(({ environ }) => environ.includes(ofScan) || environ.includes(ofInit))
        .map(({ pid, environ }) => ({ pid, isInit: !environ.includes(ofScan) }));
}
function environOf(pid) {
    try {
        return (0,external_node_fs_.readFileSync)(`/proc/${pid}/environ`, 'latin1');
    }
    catch {
        return '';
    }
}

;// CONCATENATED MODULE: ./src/lifecycle/stop-scan.ts



async function stopScan(run) {
    const { scan, cleanupAttempted } = run.journal.state;
    // Where a run state is only a hint, it does not say that there is no scan.
    if (run.platform.runKey === undefined && (cleanupAttempted || scan === null))
        return { outlived: 0, remaining: 0 };
    return run.scan?.stop() ?? stopOrphans(run.journal.state.key);
}
async function reportStopped(run, { outlived, remaining }) {
    if (outlived > 0)
        await warn(run, `${outlived} process(es) outlived the scan and were ended${remaining > 0 ? `; ${remaining} could not be` : ''}.`);
    else if (remaining > 0)
        await warn(run, 'Some processes of the scan could not be ended.');
}
function restoreCommandFiles(run) {
    const { changed, left, why = [], closed = [] } = run.platform.commandFiles?.restore() ?? { changed: [], left: [] };
    const written = [...new Set([...changed, ...left])];
    if (written.length === 0 && closed.length === 0)
        return undefined;
    const facts = [];
    if (written.length > 0)
        facts.push(`The scan wrote to the runner's command files: ${written.join(', ')}.`);
    if (left.length > 0)
        facts.push(`kubepass could not remove its text from ${left.join(', ')}: ${[...new Set(why)].join('; ')}.`);
    else if (written.length > 0)
        facts.push('kubepass removed that text.');
    if (closed.length > 0)
        facts.push(`The scan took away access that the runner needs: ${[...new Set(closed)].join(', ')}. kubepass restored it.`);
    const tampered = new errors/* KubepassError */.v3('TAMPERED', facts.join(' '), {
        hint: 'If the scan may write there, name the file in pass_env. Otherwise set these values in a separate step.',
    });
    recordFailure(run, tampered);
    return tampered;
}

;// CONCATENATED MODULE: ./src/lifecycle/cleanup.ts














/** How long the end of a run on a CI waits for a runner that does not read the output. */
const DRAIN_TIMEOUT_MS = 10_000;
/**
 * Ends a run: stops the scan, revokes the credentials, removes the files, proves that the tokens are dead. Main, a signal handler and
 * the post step all call it, any number of times.
 * @param postFollows a post step comes after this process, and can prove what this process has no time for
 * @returns NOT_REVOKED if a required revocation failed; else TAMPERED if the scan wrote to the runner's command files; else undefined
 */
async function cleanUp(run, postFollows) {
    const { journal, options, platform } = run;
    const before = toEvidence(journal.state);
    // The processes of the scan have access until their end, so that a scan can delete what it made.
    const stopped = await stopScan(run).finally(() => endAccess(run));
    // The revocation waits neither for a slow reader of the output nor for a process that still writes.
    const drained = run.scan?.drain(platform.isCI ? deadlineAfter(DRAIN_TIMEOUT_MS, run.hardDeadline) : AbortSignal.any([run.hardDeadline, run.immediate]));
    const tampered = restoreCommandFiles(run);
    const revocation = await revokeAll(run, () => viewOf(run, postFollows));
    await drained;
    await reportStopped(run, stopped);
    await reportRequestLog(run);
    const { failure, isClean } = await removeAndProve(run, revocation, postFollows);
    if (run.provenance === 'owner' && !postFollows)
        await retryLateDeletions(run);
    run.client.close();
    // Post proves with the token that main kept, or could not remove.
    const proofLeftToPost = postFollows && !isClean && options.prove !== 'off' && !isProven(journal.state.credentials);
    journal.observe({ type: 'CleanedUp', proofLeftToPost });
    if (failure === undefined && isClean)
        journal.clear();
    tellOutcome(run, before);
    return conclude(run, failure, tampered);
}
function viewOf({ options, platform, provenance, signal }, postFollows) {
    return {
        isOwner: provenance === 'owner',
        requireRevocation: options.revocation === 'required',
        // On GitLab, after_script can run while main still cleans up after a signal.
        mayHaveConcurrentCleanup: platform.runKey !== undefined && (!postFollows || signal.aborted),
    };
}
/** Removes the private directory. The token in it stays for a proof in the post step. */
async function removeAndProve(run, revocation, postFollows) {
    const { immediate, journal, options, signal, tokens } = run;
    const view = {
        prove: options.prove,
        isProven: isProven(journal.state.credentials),
        heldTokens: tokens.size,
        // With the API proxy no file has the token, so that post could prove nothing.
        postFollows: postFollows && run.apiProxy === undefined,
        isStopping: signal.aborted,
    };
    const proof = revocation === undefined ? whenToProve({ ...view, hasSecondSignal: immediate.aborted }) : 'never';
    const isClean = await removeFiles(run, proof === 'later' || proof === 'try');
    await recordServerFacts(run, revocation === undefined);
    if (proof !== 'now' && proof !== 'try')
        return { failure: revocation, isClean };
    const failure = await proveEnd(run, proof);
    return { failure, isClean: proof === 'try' && isProven(journal.state.credentials) ? await removeFiles(run, false) : isClean };
}
function tellOutcome({ journal, platform, provenance }, before) {
    const evidence = toEvidence(journal.state);
    const outcome = (0,evidence_text/* credentialOutcome */.kx)(evidence);
    // Main has already shown this end in the log of the job.
    const isUnchanged = platform.isCI && provenance === 'merged' && before.finished && before.revoked !== null && (0,evidence_text/* credentialOutcome */.kx)(before) === outcome;
    if (isUnchanged || (evidence.missing && platform.runKey !== undefined && evidence.proven === null))
        platform.log.info(`Nothing of this job is left to revoke.${isUnchanged ? ` The script's token: ${outcome}.` : ''}`);
    else if (provenance !== 'derived' || evidence.revoked !== null)
        platform.log.info(`Credential: ${outcome}.`);
}
async function conclude(run, failure, tampered) {
    const { options, platform } = run;
    if (failure === undefined)
        return tampered;
    if (options.revocation === 'best-effort') {
        await warn(run, (0,errors/* describe */.q0)(failure));
        return tampered;
    }
    if (tampered !== undefined)
        await warn(run, (0,errors/* describe */.q0)(tampered));
    recordFailure(run, failure);
    const instructions = platform.savedState.retryInstructions?.();
    if (instructions !== undefined)
        platform.log.info(instructions);
    return failure;
}
/** Returns the function that ends this run if a defect of kubepass leaves the run without a result. */
function emergencyCleanup(run, postFollows) {
    return async (defect) => {
        const before = run.journal.state;
        recordFailure(run, defect);
        const failure = await cleanUp(run, postFollows);
        await report(run, before, postFollows);
        return failure;
    };
}

;// CONCATENATED MODULE: ./src/lifecycle/provenance.ts


/**
 * Decides from which run state a later process starts.
 * @param saved undefined if no state was saved, or not one of kubepass
 * @param derived the state that follows from the job; undefined on GitHub, and in a terminal with a readable state file
 * @returns undefined if the saved state is missing or does not match the inputs, and none can be derived
 */
function knownRun(saved, derived, options) {
    const matchesInputs = saved?.server === options.server && saved.requested.namespace === options.serviceAccount.namespace;
    if (derived === undefined)
        return matchesInputs ? { state: withoutPendingDeletions(saved), provenance: 'saved' } : undefined;
    if (!matchesInputs || !isOfSameRun(saved, derived, options))
        return { state: derived, provenance: 'derived' };
    return { state: provenance_merged(withoutPendingDeletions(saved), derived), provenance: 'merged' };
}
/**
 * If a Secret is missing, only the process that sent a DELETE may conclude that this DELETE removed it: the scan can change the saved
 * state.
 */
function withoutPendingDeletions(state) {
    const credentials = state.credentials.map((each) => (each.phase === 'deletion-requested' ? withPhase(each, each.last) : each));
    return { ...state, credentials };
}
/** All that can exist where only the names are known: a token in each slot. */
function withPossibleCredentials(state, options) {
    const deadBy = latestDeadByOfRequest(options);
    const credentials = [0, 1, 2].map((slot) => ({ number: slot + 1, slot, deadBy, phase: 'token-requested' }));
    return { ...state, lastNumber: credentials.length, credentials };
}
/** An unbound token cannot be revoked, and a forged state could claim one. So it counts only with `revocation: best-effort`. */
function isOfSameRun(saved, derived, { revocation }) {
    const mayBeUnbound = revocation === 'best-effort';
    return (saved.key === derived.key &&
        saved.directory === derived.directory &&
        (mayBeUnbound || saved.credentials.every(({ slot }) => slot !== 'unbound')));
}
/** Drops the uid, because the scan can change it. The name is unique to the run, so a DELETE needs no uid. */
function withoutUid(live) {
    if (live.phase === 'secret-created')
        return { phase: 'secret-requested' };
    if (live.phase !== 'token-requested' && live.phase !== 'issued')
        return live;
    const { uid, ...others } = live;
    return others;
}
/**
 * The saved state with a credential in each slot, so that the cleanup tries all names. A slot that the saved state does not use becomes
 * `planned`: a failed DELETE there is no error. If all saved credentials are unbound, no bound Secret exists.
 */
function provenance_merged(saved, derived) {
    const unbound = saved.credentials.filter(({ slot }) => slot === 'unbound');
    if (unbound.length > 0 && unbound.length === saved.credentials.length)
        return saved;
    const inSlots = derived.credentials.map((possible, index) => {
        const same = saved.credentials.find(({ slot }) => slot === possible.slot);
        if (same === undefined)
            return withPhase({ ...possible, number: saved.lastNumber + 1 + index }, { phase: 'planned' });
        const live = withoutUid(livePhaseOf(same));
        return 'last' in same ? { ...same, last: live } : withPhase(same, live);
    });
    return { ...saved, lastNumber: saved.lastNumber + inSlots.length, credentials: [...unbound, ...inSlots] };
}

;// CONCATENATED MODULE: ./src/scan/kubeconfig-file.ts






/** The longest name that Kubernetes gives to an object. */
const LONGEST_NAME = 253;
/** For a scan that holds the token. */
function directAccess(options, token) {
    const { server, certificateAuthority, proxyUrl, tlsServerName } = options;
    return { ...namesOf(options), server, certificateAuthority, proxyUrl, tlsServerName, bearer: token, hasTokenFile: true };
}
/** For a scan that reaches the API server through the API proxy. The names are still those of the API server. */
function proxiedAccess(options, proxy) {
    const { url: server, certificate: certificateAuthority, credential: bearer } = proxy;
    return { ...namesOf(options), server, certificateAuthority, proxyUrl: undefined, tlsServerName: undefined, bearer, hasTokenFile: false };
}
function namesOf({ contextName, namespace, server }) {
    return { name: contextName ?? nameOfCluster(server), namespace };
}
/**
 * Writes a kubeconfig into the private directory, and the token if it is to be in a file, or replaces both. A reader gets the old file or
 * the new one, never a part. A failed write changes no file. JSON is YAML.
 * @returns the kubeconfig's path
 */
function writeKubeconfig(directory, content, uid) {
    const about = lstatSync(directory, { throwIfNoEntry: false });
    if (about?.isDirectory() !== true || about.uid !== uid) {
        throw new KubepassError('INPUT', `The private directory ${directory} is missing, or belongs to another user.`, {
            hint: 'Does the scan remove or replace it? Set directory to another path.',
        });
    }
    const tokenFile = tokenFileIn(directory);
    const { name, namespace, server, certificateAuthority, proxyUrl, tlsServerName, bearer, hasTokenFile } = content;
    const kubeconfig = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [
            {
                name,
                cluster: {
                    server,
                    'certificate-authority-data': Buffer.from(certificateAuthority).toString('base64'),
                    ...(proxyUrl && { 'proxy-url': proxyUrl.href.replace(/\/$/, '') }),
                    ...(tlsServerName && { 'tls-server-name': tlsServerName }),
                },
            },
        ],
        users: [{ name, user: { token: bearer.reveal(), ...(hasTokenFile && { tokenFile }) } }],
        contexts: [{ name, context: { cluster: name, user: name, namespace } }],
        'current-context': name,
    };
    const path = join(directory, KUBECONFIG);
    try {
        // Both files are written before one is replaced. Go clients read the token file, which is replaced last.
        const written = [stageReplacement(path, `${JSON.stringify(kubeconfig, undefined, 2)}\n`)];
        if (hasTokenFile)
            written.push(stageReplacement(tokenFile, bearer.reveal()));
        for (const replace of written)
            replace();
    }
    catch (cause) {
        throw cannotWrite(directory, cause);
    }
    return path;
}
function tokenFileIn(directory) {
    return join(directory, TOKEN);
}
/**
 * The name of the context. Scanners print it as the account of every finding, so it must differ between clusters.
 * @returns the server's host, the port unless it is 443, and the path, because the URLs of Rancher's clusters differ only in it
 */
function nameOfCluster(server) {
    const { host, pathname } = new URL(server);
    return `${host}${pathname}`
        .replace(/\/+$/, '')
        .replaceAll(/[^A-Za-z0-9.:@_/[\]-]/g, '-')
        .slice(0, LONGEST_NAME);
}
/** The token that a run left in its directory; undefined if the file is missing, not a regular file of `uid`, or of unlikely size. */
function readSavedToken(directory, uid, seal) {
    let file;
    try {
        const path = (0,external_node_path_.join)(directory, private_directory_TOKEN);
        file = withRestoredAccess(path, () => (0,external_node_fs_.openSync)(path, external_node_fs_.constants.O_RDONLY | external_node_fs_.constants.O_NOFOLLOW | external_node_fs_.constants.O_NONBLOCK));
    }
    catch {
        return undefined;
    }
    try {
        const about = (0,external_node_fs_.fstatSync)(file);
        if (!about.isFile() || about.uid !== uid || about.size < 16 || about.size > 64 * 1024)
            return undefined;
        return seal((0,external_node_fs_.readFileSync)(file, 'utf8'));
    }
    finally {
        (0,external_node_fs_.closeSync)(file);
    }
}

;// CONCATENATED MODULE: ./src/commands/recover.ts


















const NOTHING_ASKED = 'Main requested nothing, so there is nothing to revoke.';
/**
 * Finishes the run of an earlier process, however far it got. It asks for an identity of its own, and trusts nothing in the saved state
 * unless the inputs confirm it.
 * @returns the exit code
 */
async function recoverCommand(context) {
    const { platform } = context;
    reexecWithoutNodeOptions(platform.env);
    const text = platform.savedState.load();
    const saved = { text, state: parseRunState(text ?? '', platform.job) };
    if (platform.runKey === undefined && (text === undefined || text === 'none'))
        return reportNoState(context, text);
    if (platform.runKey !== undefined && !platform.isCI)
        platform.log.info('The state file is unreadable. Using its name and your flags, which must be those of the run.');
    const run = await reopenOrReport(context, saved);
    if (run === undefined)
        return 0;
    loadTokenForProof(run);
    await finish(context, run);
    return 0;
}
async function finish(context, run) {
    const { journal, provenance } = run;
    context.emergencyCleanup = emergencyCleanup(run, false);
    const before = journal.state;
    if (provenance !== 'derived' && isCutOff(before))
        journal.observe({ type: 'RecoveryBegun' });
    const failure = await cleanUp(run, false);
    await report(run, before, false);
    if (failure === undefined)
        return;
    if (provenance !== 'derived')
        throw failure;
    const deadBy = latestDeadBy(journal.state.credentials);
    throw new errors/* KubepassError */.v3('NOT_REVOKED', `The credential lives until ${deadBy} at the latest, unless main has revoked it.`, {
        cause: failure,
        hint: failure.hint,
    });
}
/** @returns undefined when no credential can be revoked here, and none needs to be */
async function reopenOrReport(context, saved) {
    let options;
    try {
        options = await readOptions(context, 'finish');
        return reopenRun(context, await resolveIdentity(context, options, true), saved.state);
    }
    catch (cause) {
        const { isCI, runKey } = context.platform;
        // A person can call again, with the right flags.
        if (runKey !== undefined && !isCI)
            throw cause;
        if (saved.state !== undefined)
            await reportUnrecoverable(context, saved.state, cause, options);
        else if (runKey !== undefined)
            await reportUnknown(context, saved.text, cause);
        else
            throw recover_notRevoked(null, cause);
        return undefined;
    }
}
async function reportNoState({ platform }, text) {
    if (text === 'none') {
        platform.log.info(NOTHING_ASKED);
        platform.savedState.clear?.();
    }
    else
        await platform.log.warn('There is no run state. If main issued a credential, it is not revoked here and lives until its expiry.');
    return 0;
}
function reopenRun(context, resolved, saved) {
    const { platform } = context;
    const { options } = resolved;
    const derived = platform.runKey === undefined ? undefined : withPossibleCredentials(newRunState(options, platform.job, platform.runKey), options);
    const known = knownRun(saved, derived, options);
    if (known === undefined) {
        throw new errors/* KubepassError */.v3('NOT_REVOKED', 'The run state is not of this run, or its server and service_account are not those of the inputs.', { hint: 'Do the inputs differ from those of the run? Or did the scan change the saved state?' });
    }
    return openRun(context, resolved, known.state, known.provenance);
}
/** Main had the same inputs, so it failed at the same point. */
async function reportUnknown({ platform }, text, cause) {
    if (text === 'none')
        platform.log.info(NOTHING_ASKED);
    else
        await platform.log.warn(`No request could be sent. If main had the same problem, it issued no token. ${(0,errors/* describe */.q0)(cause)}`);
}
/** @throws NOT_REVOKED when a credential of the saved state may live */
async function reportUnrecoverable(context, saved, cause, options) {
    const { platform, redactor } = context;
    const why = removePrivateDirectory(saved.directory, baseDirectory(platform), platform.ownerUid);
    if (why !== undefined)
        await platform.log.warn(`The directory ${saved.directory} was not removed: ${why}.`);
    const events = isCutOff(saved) ? [{ type: 'RecoveryBegun' }] : [];
    events.push({ type: 'CleanedUp', proofLeftToPost: false });
    const evidence = toEvidence(events.reduce(reduce, saved));
    const error = (0,outcome/* mayLiveOn */.ZM)(evidence) ? recover_notRevoked(evidence.dead_by, cause) : undefined;
    if (error !== undefined)
        events.push(failedWith(error, redactor));
    else if (!saved.credentials.every(neverExisted)) {
        const text = `${unconfirmedEnd(evidence, saved.requested.namespace)} ${(0,errors/* describe */.q0)(cause)}`;
        await platform.log.warn(text);
        events.push({ type: 'Warned', text: redactor.redact(text) });
    }
    if (platform.isCI) {
        const now = events.reduce(reduce, saved);
        const provenance = platform.runKey === undefined ? 'saved' : 'merged';
        await reportState({ platform, redactor, options }, now, planReport({ before: saved, now, provenance, postFollows: false }));
    }
    if (error !== undefined)
        throw error;
}
/** Whether main ended before its own cleanup. If later steps use the credential, the post step alone does the cleanup, so main has skipped nothing. */
function isCutOff({ cleanupAttempted, deliveredToLaterSteps }) {
    return !cleanupAttempted && !deliveredToLaterSteps;
}
function unconfirmedEnd({ dead_by, revoked }, namespace) {
    if (dead_by === null)
        return `No token was issued, but a Secret of this run may be left in namespace ${namespace}.`;
    const end = revoked === null ? 'The Secret of the credential did not exist' : `The credential was revoked ${revoked.at}`;
    return `${end}, but kubepass could not confirm that with the API server.`;
}
function recover_notRevoked(deadBy, cause) {
    const until = deadBy === null ? 'at its own expiry' : `by ${deadBy}`;
    const hint = cause instanceof errors/* KubepassError */.v3 ? cause.hint : undefined;
    return new errors/* KubepassError */.v3('NOT_REVOKED', `The credential, if it was issued, was not revoked here. It is dead ${until}.`, { cause, hint });
}
/** Reads the token in the private directory, for the proof. Main wrote it there after the API server had accepted it. */
function loadTokenForProof({ journal, options, platform, seal, tokens }) {
    const { state } = journal;
    const accepted = state.credentials.filter((each) => acceptanceOf(each) !== undefined);
    const isUnneeded = options.prove === 'off' || accepted.length === 0;
    if (isUnneeded || (0,external_node_path_.dirname)(state.directory) !== options.directory)
        return;
    const token = readSavedToken(state.directory, platform.ownerUid, seal);
    const claims = token === undefined ? undefined : jwt_jwtOf(token)?.claims;
    const credential = claims && accepted.find((each) => isTokenOf(state, each, claims));
    if (token !== undefined && credential !== undefined)
        tokens.set(credential.number, { token, deadBy: credential.deadBy });
}

;// CONCATENATED MODULE: ./src/post.ts


void execute(recoverCommand);

