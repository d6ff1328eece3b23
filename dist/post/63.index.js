export const id = 63;
export const ids = [63];
export const modules = {

/***/ 1063:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  kubeconfigIdentity: () => (/* binding */ kubeconfigIdentity)
});

// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
// EXTERNAL MODULE: ./src/base/errors.ts
var errors = __webpack_require__(4758);
// EXTERNAL MODULE: ./src/base/quote.ts
var quote = __webpack_require__(7541);
// EXTERNAL MODULE: ./src/config/certificates.ts
var certificates = __webpack_require__(8812);
// EXTERNAL MODULE: ./src/config/damage.ts
var config_damage = __webpack_require__(885);
// EXTERNAL MODULE: ./src/config/invalid-value.ts
var invalid_value = __webpack_require__(6033);
// EXTERNAL MODULE: ./src/config/parsers.ts
var parsers = __webpack_require__(4358);
// EXTERNAL MODULE: ./src/config/path-or-content.ts
var path_or_content = __webpack_require__(8789);
// EXTERNAL MODULE: ./src/config/seal-credentials.ts
var seal_credentials = __webpack_require__(4074);
// EXTERNAL MODULE: ./src/config/small-file.ts
var small_file = __webpack_require__(400);
// EXTERNAL MODULE: ./src/system/find-program.ts
var find_program = __webpack_require__(4319);
// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
// EXTERNAL MODULE: external "node:events"
var external_node_events_ = __webpack_require__(8474);
// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __webpack_require__(8500);
// EXTERNAL MODULE: external "node:util"
var external_node_util_ = __webpack_require__(7975);
// EXTERNAL MODULE: ./src/system/process-handle.ts
var process_handle = __webpack_require__(1203);
;// CONCATENATED MODULE: ./src/identity/exec-plugin.ts










const MAX_OUTPUT_BYTES = 1024 * 1024;
const OURS = /^(INPUT|STATE|KUBEPASS)_/;
const SECRET_NAME = /TOKEN|SECRET|PASSWORD|KEY/i;
const SECRET_FLAG = /^-.*(token|secret|password|key)$/i;
/** Matches a word that may be a secret, or the URL of a page. A failing program may print either. */
const SECRET_LIKE = /(?:https:\/\/)?[\w.=+/~-]{20,}/g;
/** How many lines of the program's standard error to show. */
const LAST_LINES = 10;
const KEPT_BYTES = 16 * 1024;
const ASKS = /\b(device ?code|devicelogin|enter the code|browser|sign in|log ?in|password|passphrase|otp)\b/i;
/** How long to wait for the end of the outputs after the program and its process group have ended. */
const OUTPUT_GRACE_MS = 1_000;
/** The value of KUBERNETES_EXEC_INFO, as client-go gives it to a plugin. */
function execInfo({ apiVersion, clusterInfo }, cluster) {
    const about = clusterInfo && {
        server: cluster.server,
        'certificate-authority-data': Buffer.from(cluster.certificateAuthority).toString('base64'),
        ...(cluster.tlsServerName === undefined ? {} : { 'tls-server-name': cluster.tlsServerName }),
        ...(cluster.proxyUrl === undefined ? {} : { 'proxy-url': cluster.proxyUrl.href }),
        ...(clusterInfo.config === undefined ? {} : { config: clusterInfo.config }),
    };
    return JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false, ...(about && { cluster: about }) } });
}
/** Seals each variable and argument of the plugin whose name suggests a secret. */
function sealSecrets({ args, env }, seal) {
    const ofVariables = env.filter(({ name }) => SECRET_NAME.test(name)).map(({ value }) => value);
    const ofFlags = args.map((arg, index) => {
        const [flag = '', ...inline] = arg.split('=');
        return SECRET_FLAG.test(flag) ? inline.join('=') || args[index + 1] : undefined;
    });
    for (const value of [...ofVariables, ...ofFlags])
        if (value !== undefined && value.length >= 16)
            seal(value);
}
/** Runs the plugin once, without standard input. When `signal` aborts, the plugin is killed. */
async function runExecPlugin(exec, env, seal, signal) {
    const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name)));
    const { stdout, stderr } = await outputsOf(exec, inherited, signal);
    return (0,invalid_value/* explainInvalid */.D)(() => credentialOf(stdout, exec.apiVersion, seal), (fault) => failed(exec, `printed no credential: ${fault}`, lastLines(stderr)));
}
async function outputsOf(exec, env, signal) {
    const inTime = (printed) => {
        if (!signal.aborted)
            return;
        throw signal.reason instanceof errors/* KubepassError */.v3
            ? signal.reason
            : failed(exec, 'did not end in time', [lastLines(printed) ?? [], 'If it needs longer, raise deadline.'].flat().join('\n'));
    };
    inTime('');
    try {
        // In its own process group, so that its child processes are killed with it.
        const child = (0,external_node_child_process_.spawn)(exec.command, exec.args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
        const stop = () => {
            if (child.pid !== undefined)
                (0,process_handle/* killQuietly */.E)(-child.pid, 'SIGKILL');
        };
        const [stdout, stderr] = [collect(child.stdout, stop), collectEnd(child.stderr)];
        const closed = new Promise((resolve) => child.once('close', resolve));
        signal.addEventListener('abort', stop, { once: true });
        try {
            const [code, killedBy] = (await (0,external_node_events_.once)(child, 'exit'));
            stop();
            // A process that has left the group may keep an output open.
            await Promise.race([closed, (0,promises_.setTimeout)(OUTPUT_GRACE_MS, undefined, { ref: false })]);
            inTime(stderr());
            if (stdout.isOver())
                throw failed(exec, 'printed over 1 MiB');
            if (code !== 0)
                throw failed(exec, `ended with ${killedBy ?? `exit code ${String(code)}`}`, lastLines(stderr()));
            return { stdout: stdout.text(), stderr: stderr() };
        }
        finally {
            signal.removeEventListener('abort', stop);
            child.stdout.destroy();
            child.stderr.destroy();
        }
    }
    catch (error) {
        if (error instanceof errors/* KubepassError */.v3)
            throw error;
        throw failed(exec, `could not be started (${(0,errors/* errnoOf */.UQ)(error)})`, exec.installHint && `The kubeconfig says: ${(0,quote/* quote */.hD)(exec.installHint)}`);
    }
}
/** https://kubernetes.io/docs/reference/config-api/client-authentication.v1/#client-authentication-k8s-io-v1-ExecCredential */
function credentialOf(text, apiVersion, seal) {
    const status = statusIn(text, apiVersion);
    return { authInfo: authInfoIn(status, seal), expiresAt: expiryIn(status) };
}
/** The status of the plugin's answer; empty if it has none. */
function statusIn(text, apiVersion) {
    const { status, ...about } = parseObject(text);
    if (about['kind'] !== 'ExecCredential')
        throw new invalid_value/* InvalidValue */.h('its answer is no ExecCredential');
    if (about['apiVersion'] !== apiVersion)
        throw new invalid_value/* InvalidValue */.h(`its answer is not of ${apiVersion}, the version in the kubeconfig`);
    return isObject(status) ? status : {};
}
/** Milliseconds since 1970; undefined if the plugin states no expiry, or one that is no time. */
function expiryIn({ expirationTimestamp }) {
    const expiry = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : NaN;
    return Number.isNaN(expiry) ? undefined : expiry;
}
function authInfoIn({ token, clientCertificateData, clientKeyData }, seal) {
    const bearer = given(token) ? named('status.token', () => (0,seal_credentials/* sealToken */.fh)(token, seal)) : undefined;
    const key = given(clientKeyData) ? named('status.clientKeyData', () => (0,seal_credentials/* sealKey */.FD)(clientKeyData, seal)) : undefined;
    if (bearer !== undefined && key !== undefined)
        throw new invalid_value/* InvalidValue */.h('its answer has a token and a client certificate: which of them counts?');
    if (bearer !== undefined)
        return { bearer };
    if (key === undefined || !given(clientCertificateData))
        throw new invalid_value/* InvalidValue */.h('its answer has neither a token nor a client certificate with its key');
    return named('status.clientCertificateData', () => (0,seal_credentials/* checkKeyPair */.ce)({ certificate: (0,certificates/* parseCertificate */.h)(clientCertificateData), key }));
}
function parseObject(text) {
    let value;
    try {
        value = JSON.parse(text);
    }
    catch {
        // The error is dropped, because its message quotes the text.
    }
    if (!isObject(value))
        throw new invalid_value/* InvalidValue */.h('its answer is no JSON object');
    return value;
}
function named(field, read) {
    return (0,invalid_value/* explainInvalid */.D)(read, (fault) => new invalid_value/* InvalidValue */.h(`its ${field} ${fault}`));
}
function collect(stream, whenOver) {
    const chunks = [];
    let size = 0;
    stream.on('data', (chunk) => {
        size += chunk.length;
        if (size <= MAX_OUTPUT_BYTES)
            chunks.push(chunk);
        else
            whenOver();
    });
    return { text: () => Buffer.concat(chunks).toString(), isOver: () => size > MAX_OUTPUT_BYTES };
}
/** Keeps the end of an output, without a word that was cut, because the rest of it may be a part of a secret. */
function collectEnd(stream) {
    let end = Buffer.alloc(0);
    let isCut = false;
    stream.on('data', (chunk) => {
        const all = Buffer.concat([end, chunk]);
        isCut ||= all.length > KEPT_BYTES;
        end = all.subarray(-KEPT_BYTES);
    });
    return () => (isCut ? end.toString().replace(/^\S+/, '') : end.toString());
}
/** Returns the last lines of an output, each in quotes. Three dots replace each word that may be a secret. */
function lastLines(text) {
    const lines = (0,external_node_util_.stripVTControlCharacters)(text)
        .split(/[\r\n]+/)
        .filter((line) => line.trim() !== '')
        .slice(-LAST_LINES)
        .map((line) => `  ${(0,quote/* quote */.hD)(line.replaceAll(SECRET_LIKE, (run) => (isPage(run) ? run : '...')))}`);
    if (lines.length === 0)
        return undefined;
    const advice = lines.some((line) => ASKS.test(line))
        ? '\nIf it asks for a sign-in: in a job it gets no answer. Let it use an identity of the job, such as a service account or workload identity.'
        : '';
    return `The last lines of its standard error:\n${lines.join('\n')}${advice}`;
}
/** Whether a text is the URL of a page and consists of words only, so that it contains no secret. */
function isPage(text) {
    const [scheme, address = ''] = text.split('://');
    return scheme === 'https' && address.split(/[./_-]/).every((part) => /^[A-Z]?[a-z]{0,20}\d{0,2}$/.test(part));
}
function failed({ command }, fault, hint) {
    return new errors/* KubepassError */.v3('IDENTITY', `The program of the kubeconfig, ${(0,quote/* quote */.hD)(command)}, ${fault}.`, { hint });
}
function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function given(value) {
    return typeof value === 'string' && value !== '';
}

;// CONCATENATED MODULE: ./src/identity/kubeconfig.ts












/** When less than this is left of an exec plugin's credential, kubepass runs the plugin again. */
const FRESH_MS = 60_000;
/** The user and the cluster of one context of a kubeconfig. */
async function kubeconfigIdentity(input, context) {
    const { nameOf, seal } = context;
    const refuse = (why, hint) => new errors/* KubepassError */.v3('INPUT', `${nameOf('kubeconfig')} ${why}.`, { hint });
    const checked = (field, read) => (0,invalid_value/* explainInvalid */.D)(read, (fault) => refuse(`has ${field}, which ${fault}`, hintFor(field)));
    // Imported only here, because it brings client-node and a YAML parser.
    const { readKubeconfig } = await Promise.resolve(/* import() */).then(__webpack_require__.bind(__webpack_require__, 8136));
    const parsed = readKubeconfig(input.text(), input.context, {
        token: (text) => checked('a token', () => (0,seal_credentials/* sealToken */.fh)(text, seal)),
        key: (text) => checked('client-key-data', () => (0,seal_credentials/* sealKey */.FD)(text, seal)),
    });
    const damage = 'refused' in parsed ? (0,config_damage/* damageOfKubeconfig */.KB)(input.text()) : undefined;
    if ('refused' in parsed)
        throw damage === undefined ? refuse(parsed.refused, parsed.hint) : refuse(damage);
    const cluster = {
        server: checked('a server', () => (0,parsers/* parseServer */.ld)(parsed.server)),
        certificateAuthority: trustedBy(parsed.certificateAuthority),
        proxyUrl: parsed.proxyUrl ? checked('a proxy-url', () => (0,parsers/* parseProxy */.YR)(parsed.proxyUrl ?? '')) : undefined,
        tlsServerName: parsed.tlsServerName ? checked('a tls-server-name', () => (0,parsers/* parseServerName */.ey)(parsed.tlsServerName ?? '')) : undefined,
    };
    const remarks = [
        ...(context.whyKubeconfig === undefined ? [] : [`its context ${(0,quote/* escapeText */.X1)(parsed.context)} leads to ${cluster.server}`]),
        ...(parsed.user.by === 'certificate' && parsed.user.besideToken
            ? ['its user has a token and a client certificate: kubepass uses the certificate, which the API server prefers']
            : []),
    ];
    const remark = remarks.length === 0 ? undefined : remarks.join('; ');
    return { kind: 'kubeconfig', cluster, remark, authInfo: authInfoOf(parsed.user) };
    function trustedBy(own) {
        const { systemRoots } = input;
        if (own !== undefined && systemRoots !== undefined)
            throw refuse(`has a CA, and ${nameOf('certificate_authority')} is system: which of them counts`, 'Leave one of them out.');
        if (own !== undefined)
            return certificateIn('certificate-authority', own);
        if (systemRoots !== undefined)
            return systemRoots;
        throw refuse('has no certificate-authority-data for its cluster: nothing is trusted on first use', `Add it: the base64 of the API server's CA certificate, as PEM. Or set ${nameOf('certificate_authority')} to system, if a public CA ` +
            "signed the API server's certificate, as at the DNS endpoint of GKE.");
    }
    function authInfoOf(user) {
        if (user.by === 'exec')
            return ofPlugin(user.exec);
        if (user.by === 'token file') {
            const path = pathOf('tokenFile', user.file);
            // Read again for each use, because another program may renew the token.
            const read = () => checked('a tokenFile', () => (0,seal_credentials/* sealToken */.fh)((0,small_file/* readSmallFile */.EW)(path), seal));
            read();
            return () => Promise.try(() => ({ bearer: read() }));
        }
        const authInfo = user.by === 'token' ? { bearer: user.token } : certificateOf(user);
        return () => Promise.resolve(authInfo);
    }
    function certificateOf(user) {
        const { key } = user;
        const certificate = certificateIn('client-certificate', user.certificate);
        const sealed = 'secret' in key ? key.secret : keyIn(pathOf('client-key', key.file));
        return checked('a client-certificate', () => (0,seal_credentials/* checkKeyPair */.ce)({ certificate, key: sealed }));
    }
    function keyIn(path) {
        return checked('a client-key', () => (0,seal_credentials/* sealKey */.FD)((0,small_file/* readSmallFile */.EW)(path), seal));
    }
    function certificateIn(field, from) {
        return 'text' in from
            ? checked(`${field}-data`, () => (0,certificates/* parseCertificate */.h)(from.text))
            : checked(`a ${field}`, () => (0,certificates/* parseCertificate */.h)((0,small_file/* readSmallFile */.EW)(pathOf(field, from.file))));
    }
    /** The author of a kubeconfig could have any file read and sent to any server. So a kubeconfig of the job may name no file. */
    function pathOf(field, file) {
        if ((0,path_or_content/* isNoPath */.F)(file, 'folder' in input.files ? input.files.folder : ''))
            throw refuse(`has ${field}, but not as the path of a file`);
        if ('folder' in input.files)
            return (0,external_node_path_.resolve)(input.files.folder, file);
        throw refuse(`names a file (${field}: ${(0,quote/* quote */.hD)(file)}), but ${input.files.refused}: its author could have kubepass read any file and send it to a server`, 'Write the value itself into it, as kubectl config view --raw --flatten does, or give the path of a kubeconfig outside of the workspace.');
    }
    function ofPlugin(exec) {
        if (!input.allowExec) {
            throw refuse(`names a program to run (exec: ${(0,quote/* quote */.hD)(exec.command)})`, `Set ${nameOf('allow_exec')} to true, if no untrusted person can write this kubeconfig.`);
        }
        const plugin = { ...exec, command: commandOf(exec.command) };
        sealSecrets(exec, seal);
        const own = Object.fromEntries(exec.env.map(({ name, value }) => [name, value]));
        // The system's CAs do not fit into a variable, and the program can read them itself.
        const ownAuthority = input.systemRoots === undefined ? cluster.certificateAuthority : '';
        const env = { ...context.env, ...own, KUBERNETES_EXEC_INFO: execInfo(exec, { ...cluster, certificateAuthority: ownAuthority }) };
        let current;
        return async (signal) => {
            if (current?.expiresAt === undefined || current.expiresAt - Date.now() < FRESH_MS)
                current = await runExecPlugin(plugin, env, seal, signal);
            return current.authInfo;
        };
    }
    function commandOf(command) {
        if ((0,external_node_path_.isAbsolute)(command))
            return command;
        // As in the Go clients, a command with a slash is a path relative to the kubeconfig.
        const path = command.includes('/') ? pathOf('exec.command', command) : command;
        if (!context.hasPost)
            return path;
        const program = (0,find_program/* findProgram */.Kp)(path, context.path);
        throw refuse(`names the program ${(0,quote/* quote */.hD)(command)} without its absolute path: kubepass runs it again at the end of the job, and PATH may have changed by then`, program === undefined ? 'It is not on PATH now.' : `Write command: ${program}`);
    }
}
/** The correct form of a field of a kubeconfig. */
function hintFor(field) {
    if (field.endsWith('server'))
        return 'Write it as https://HOST:PORT.';
    if (field.endsWith('proxy-url'))
        return 'Write it as http://HOST:PORT or https://HOST:PORT; kubepass uses no other proxies.';
    if (field.endsWith('-data'))
        return 'Write the base64 of a PEM file: base64 -w0 FILE.';
    return undefined;
}


/***/ })

};
