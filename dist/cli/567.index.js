export const id = 567;
export const ids = [567];
export const modules = {

/***/ 4567:
/***/ ((__unused_webpack_module, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  startCommandLine: () => (/* binding */ startCommandLine)
});

// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
// EXTERNAL MODULE: ./src/base/errors.ts
var errors = __webpack_require__(4758);
// EXTERNAL MODULE: ./src/base/version.ts
var version = __webpack_require__(2301);
// EXTERNAL MODULE: ./src/base/quote.ts
var quote = __webpack_require__(7541);
// EXTERNAL MODULE: ./src/base/time.ts
var time = __webpack_require__(6496);
// EXTERNAL MODULE: ./src/token/jwt.ts
var token_jwt = __webpack_require__(8684);
;// CONCATENATED MODULE: ./src/commands/decode.ts




const TIMES = ['iat', 'nbf', 'exp'];
/** The header and the claims of a token, with its times in words, without the signature. */
function decode(text, now = Date.now()) {
    const jwt = (0,token_jwt/* decodeJwt */.i)(text.trim());
    if (jwt === undefined)
        throw new errors/* KubepassError */.v3('INPUT', 'The text on standard input is no JWT.', { hint: 'kubepass decode < token' });
    const show = (value) => (typeof value === 'string' ? (0,quote/* quote */.hD)(value, 2000) : JSON.stringify(value, undefined, 2));
    const section = (name, values) => [
        `${name}:`,
        ...Object.entries(values).map(([key, value]) => {
            const inWords = TIMES.includes(key) && typeof value === 'number' ? `  (${momentInWords(value, now)})` : '';
            return `  ${(0,quote/* escapeText */.X1)(key)}: ${show(value).replaceAll('\n', '\n  ')}${inWords}`;
        }),
    ];
    return [...section('header', jwt.header), ...section('claims', jwt.claims)].join('\n');
}
function momentInWords(seconds, now) {
    const date = new Date(seconds * 1000);
    if (Number.isNaN(date.getTime()))
        return 'no date';
    return `${date.toISOString()}, ${(0,time/* relativeTime */.KW)(seconds, now / 1000)}`;
}

// EXTERNAL MODULE: ./src/commands/execute.ts + 10 modules
var execute = __webpack_require__(4187);
// EXTERNAL MODULE: ./src/commands/recover.ts + 1 modules
var recover = __webpack_require__(2400);
// EXTERNAL MODULE: ./src/commands/run.ts + 33 modules
var run = __webpack_require__(7440);
// EXTERNAL MODULE: ./src/config/invalid-value.ts
var invalid_value = __webpack_require__(6033);
// EXTERNAL MODULE: ./src/config/small-file.ts
var small_file = __webpack_require__(400);
// EXTERNAL MODULE: ./src/config/yaml.ts
var yaml = __webpack_require__(9211);
// EXTERNAL MODULE: ./src/rbac/allow-rule.ts
var allow_rule = __webpack_require__(1296);
;// CONCATENATED MODULE: ./src/rbac/compare-rights.ts

/** Compares the rules of a file with the rights that were used. */
function compareRights(rules, used) {
    return {
        missing: used.filter((right) => !rules.some((rule) => (0,allow_rule/* matchesRule */.I)(rule, right))),
        unused: rules.flatMap((rule) => unusedParts(rule, used)),
    };
}
/** The rule itself if no use needed any of it; else, for each of its resources and paths, the verbs that no use needed. */
function unusedParts(rule, used) {
    const isUnused = (part) => !used.some((right) => (0,allow_rule/* matchesRule */.I)(part, right));
    if (isUnused(rule))
        return [rule];
    const parts = [
        ...rule.apiGroups.flatMap((group) => rule.resources.map((resource) => ({ ...rule, apiGroups: [group], resources: [resource], nonResourceURLs: [] }))),
        ...rule.nonResourceURLs.map((url) => ({ ...rule, apiGroups: [], resources: [], nonResourceURLs: [url] })),
    ];
    return parts
        .map((part) => ({ ...part, verbs: part.verbs.filter((verb) => isUnused({ ...part, verbs: [verb] })) }))
        .filter(({ verbs }) => verbs.length > 0);
}

;// CONCATENATED MODULE: ./src/rbac/granted-rules.ts
/**
 * The rules that the Roles and ClusterRoles of a manifest grant, whoever their subjects are. A ClusterRole counts in the namespaces of its
 * bindings in the manifest, and everywhere if the manifest has none.
 * @param documents parsed YAML
 */
function grantedRules(documents) {
    const objects = documents.flatMap(objectsIn);
    const bindings = objects.flatMap(bindingIn);
    return objects.flatMap(roleIn).flatMap(({ kind, name, namespace, rules }) => {
        const ofRole = bindings.filter(({ role }) => kind === 'ClusterRole' && role === name);
        const places = kind === 'Role' ? [namespace ?? 'default'] : ofRole.flatMap((binding) => binding.namespace ?? []);
        const isEverywhere = kind === 'ClusterRole' && (ofRole.length === 0 || ofRole.some((binding) => binding.namespace === undefined));
        return rules.map((rule) => ruleOf(rule, isEverywhere ? [] : places));
    });
}
/** kubectl writes several objects as a List. */
function objectsIn(document) {
    if (!isFields(document))
        return [];
    return Array.isArray(document['items']) ? document['items'].flatMap(objectsIn) : [document];
}
function roleIn({ kind, metadata, rules }) {
    if ((kind !== 'Role' && kind !== 'ClusterRole') || !isFields(metadata))
        return [];
    const { name, namespace } = metadata;
    return [{ kind, name: textOf(name) ?? '', namespace: textOf(namespace), rules: Array.isArray(rules) ? rules.filter(isFields) : [] }];
}
function bindingIn({ kind, metadata, roleRef }) {
    const isBinding = kind === 'RoleBinding' || kind === 'ClusterRoleBinding';
    if (!isBinding || !isFields(roleRef) || roleRef['kind'] !== 'ClusterRole')
        return [];
    const namespace = isFields(metadata) ? textOf(metadata['namespace']) : undefined;
    return [{ role: textOf(roleRef['name']) ?? '', namespace: kind === 'RoleBinding' ? (namespace ?? 'default') : undefined }];
}
function ruleOf(rule, namespaces) {
    const listOf = (field) => {
        const list = rule[field];
        return Array.isArray(list) ? list.filter((each) => typeof each === 'string') : [];
    };
    return {
        apiGroups: listOf('apiGroups'),
        resources: listOf('resources'),
        resourceNames: listOf('resourceNames'),
        verbs: listOf('verbs'),
        nonResourceURLs: listOf('nonResourceURLs'),
        namespaces,
    };
}
function textOf(value) {
    return typeof value === 'string' ? value : undefined;
}
function isFields(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

;// CONCATENATED MODULE: ./src/rbac/read-api-access.ts
const isText = (value) => typeof value === 'string' && value.length <= 10_000;
const isTextOrNull = (value) => value === null || isText(value);
const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isStatuses = (value) => isObject(value) && Object.values(value).every(isCount);
const ACCESS = {
    ended_at: isTextOrNull,
    streams_cut: isCount,
    requests: (value) => value === null || isCount(value),
    unauthenticated: isCount,
    uses: Array.isArray,
    not_listed: isCount,
};
const USE = {
    verb: isText,
    group: isTextOrNull,
    resource: isTextOrNull,
    subresource: isTextOrNull,
    namespace: isTextOrNull,
    name: isTextOrNull,
    path: isTextOrNull,
    refused_by: (value) => value === null || value === 'api-server' || value === 'kubepass',
    count: isCount,
    statuses: isStatuses,
    first_at: isText,
    last_at: isText,
};
/** Reads the field `api_access` of an evidence; the name of its wrong field if it is not as kubepass writes it. */
function readApiAccess(value) {
    const wrong = wrongField(value, ACCESS, 'api_access');
    if (wrong !== undefined)
        return { wrongField: wrong };
    const access = value;
    const wrongUse = access.uses.map((use, index) => wrongField(use, USE, `api_access.uses[${index}]`)).find((field) => field !== undefined);
    return wrongUse === undefined ? access : { wrongField: wrongUse };
}
function wrongField(value, checks, place) {
    if (!isObject(value))
        return place;
    const names = Object.keys(checks);
    if (Object.keys(value).some((name) => !names.includes(name)))
        return place;
    const wrong = names.find((name) => checks[name]?.(value[name]) !== true);
    return wrong === undefined ? undefined : `${place}.${wrong}`;
}
function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// EXTERNAL MODULE: ./src/rbac/request-attributes.ts + 5 modules
var request_attributes = __webpack_require__(8533);
;// CONCATENATED MODULE: ./src/rbac/role-from-use.ts


const GROUP = 'rbac.authorization.k8s.io';
/** The smallest Roles and ClusterRoles that grant the rights, each with its binding to the ServiceAccount. */
function rolesFor(rights, serviceAccount) {
    const clusterWide = rulesOf(rights.filter((right) => !isNamespaced(right)));
    const granted = clusterWide.map(withEveryField);
    const namespaced = rights.filter(isNamespaced).filter((right) => !granted.some((rule) => (0,allow_rule/* matchesRule */.I)(rule, right)));
    const byNamespace = Map.groupBy(namespaced, ({ namespace = '' }) => namespace);
    return [
        ...objectsFor(clusterWide, undefined, serviceAccount),
        ...[...byNamespace.keys()]
            .toSorted()
            .flatMap((namespace) => objectsFor(rulesOf(byNamespace.get(namespace) ?? []), namespace, serviceAccount)),
    ];
}
/** The API server puts a request for a Namespace object into this namespace. A Role there would end with the namespace. */
function isNamespaced(right) {
    return right.isResource && right.namespace !== undefined && !(right.group === '' && right.resource === 'namespaces');
}
function withEveryField(rule) {
    return { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [], namespaces: [], ...rule };
}
function objectsFor(rules, namespace, serviceAccount) {
    if (rules.length === 0)
        return [];
    const kind = namespace === undefined ? 'ClusterRole' : 'Role';
    const name = `kubepass:${serviceAccount.namespace}:${serviceAccount.name}`;
    const apiVersion = `${GROUP}/v1`;
    const metadata = namespace === undefined ? { name } : { name, namespace };
    const subject = { kind: 'ServiceAccount', name: serviceAccount.name, namespace: serviceAccount.namespace };
    return [
        { apiVersion, kind, metadata, rules },
        { apiVersion, kind: `${kind}Binding`, metadata, roleRef: { apiGroup: GROUP, kind, name }, subjects: [subject] },
    ];
}
/** Merges rights of one scope into rules. */
function rulesOf(rights) {
    return [...resourceRules(rights.filter((right) => right.isResource)), ...pathRules(rights.filter((right) => !right.isResource))];
}
function resourceRules(rights) {
    const byVerb = groupsOf(rights, (right) => [right.group, (0,request_attributes/* fullResource */.c)(right), right.verb]).map(([first, ...others]) => ({
        group: first.group,
        resource: (0,request_attributes/* fullResource */.c)(first),
        verb: first.verb,
        names: namesOf([first, ...others]),
    }));
    const byNames = groupsOf(byVerb, ({ group, resource, names }) => [group, resource, ...names]).map(([first, ...others]) => ({ ...first, verbs: sorted([first, ...others].map(({ verb }) => verb)) }));
    const merged = groupsOf(byNames, ({ group, names, verbs }) => [group, verbs.join(), ...names]).map(([first, ...others]) => ({
        apiGroups: [first.group],
        resources: sorted([first, ...others].map(({ resource }) => resource)),
        ...(first.names.length > 0 && { resourceNames: first.names }),
        verbs: first.verbs,
    }));
    return merged.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}
/** The names of the objects; empty if a right is for all objects. */
function namesOf(rights) {
    const names = rights.flatMap(({ name }) => name ?? []);
    return names.length === rights.length ? sorted(names) : [];
}
function pathRules(rights) {
    const byPath = groupsOf(rights, ({ path }) => [path]).map(([first, ...others]) => ({
        path: first.path,
        verbs: sorted([first, ...others].map(({ verb }) => verb)),
    }));
    return groupsOf(byPath, ({ verbs }) => verbs).map(([first, ...others]) => ({
        nonResourceURLs: sorted([first, ...others].map(({ path }) => path)),
        verbs: first.verbs,
    }));
}
/** Groups the items whose keys are equal. */
function groupsOf(items, keyOf) {
    return [...Map.groupBy(items, (item) => JSON.stringify(keyOf(item))).values()];
}
/** Without repetitions. */
function sorted(texts) {
    return [...new Set(texts)].toSorted();
}

// EXTERNAL MODULE: ./src/rbac/allow.ts
var allow = __webpack_require__(3105);
// EXTERNAL MODULE: ./src/rbac/rules-of-every-user.ts
var rules_of_every_user = __webpack_require__(4407);
;// CONCATENATED MODULE: ./src/rbac/used-rights.ts



/** The rights that the API server demanded for the uses that it allowed, without those that every user has. */
function usedRights(uses) {
    return uses
        .filter(({ refused_by: refusedBy, verb }) => refusedBy === null && verb !== '')
        .flatMap(rightsOf)
        .filter((right) => !rules_of_every_user/* rulesOfEveryUser */.p.some((rule) => (0,allow_rule/* matchesRule */.I)(rule, right)));
}
function rightsOf(use) {
    const { verb, path, resource } = use;
    if (resource === null)
        return path === null ? [] : [{ isResource: false, verb, path }];
    const right = {
        isResource: true,
        verb,
        group: use.group ?? '',
        version: '',
        resource,
        subresource: use.subresource ?? undefined,
        namespace: use.namespace ?? undefined,
        name: use.name ?? undefined,
    };
    return needsCreate(right, use) ? [unnamed(right), unnamed({ ...right, verb: 'create' })] : [unnamed(right)];
}
/** Whether the API server also asked for `create`: for a stream that a GET opens, and for an object that an update or a patch created. */
function needsCreate(right, { statuses }) {
    if (right.verb === 'get')
        return (0,allow/* isPodStream */.OU)(right);
    return (right.verb === 'update' || right.verb === 'patch') && Object.hasOwn(statuses, '201');
}
/** A collection has no name. A rule with the selector's name would not allow its deletion without the selector. */
function unnamed(right) {
    return right.verb === 'deletecollection' ? { ...right, name: undefined } : right;
}

// EXTERNAL MODULE: ./src/rbac/describe-request.ts
var describe_request = __webpack_require__(1963);
;// CONCATENATED MODULE: ./src/commands/suggest-report.ts


const MOST_LINES = 1000;
/** The comment before the Roles. */
function introduction(accesses, objects) {
    const sum = (counts) => counts.reduce((total, count) => total + count, 0);
    const requests = sum(accesses.map((access) => access.requests ?? 0));
    const lost = accesses.filter((access) => access.requests === null).length;
    const refused = sum(accesses.flatMap(({ uses }) => uses.map((use) => (use.refused_by === null ? 0 : use.count))));
    const notListed = sum(accesses.map((access) => access.not_listed));
    return comment([
        `The rights that ${accesses.length === 1 ? 'one run' : `${accesses.length} runs`} used, without those of every user. Requests: ${requests}.`,
        ...(objects === 0 ? ['The requests used no other right, so they need no Role.'] : []),
        ...(refused > 0 ? [`Refused requests, whose rights are left out: ${refused}.`] : []),
        ...(lost > 0 ? [`Runs whose main was killed, and whose rights are missing: ${lost}.`] : []),
        ...(notListed > 0 ? [`Requests that the evidence does not list, and whose rights may be missing: ${notListed}.`] : []),
    ]);
}
/** The comment behind the Roles, about the file of --check. */
function comparisonText({ missing, unused }, file) {
    const rights = listed(missing.map(describeRight));
    const rules = listed(unused.map(describeRule));
    return comment([
        rights.length === 0 ? `${(0,quote/* quote */.hD)(file)} grants every used right.` : `Used, but not granted by ${(0,quote/* quote */.hD)(file)}:`,
        ...rights,
        rules.length === 0 ? `Every rule of ${(0,quote/* quote */.hD)(file)} was used.` : `Granted by ${(0,quote/* quote */.hD)(file)}, but not used:`,
        ...rules,
    ]);
}
function listed(texts) {
    const different = [...new Set(texts)].map((text) => `  ${text}`);
    const left = different.length - MOST_LINES;
    return left > 0 ? [...different.slice(0, MOST_LINES), `  and ${left} more`] : different;
}
function describeRight(right) {
    return right.isResource && right.name !== undefined
        ? `${(0,describe_request/* describeAttributes */.T)(right)}, object ${(0,quote/* quote */.hD)(right.name)}`
        : (0,describe_request/* describeAttributes */.T)(right);
}
/** The rule on one line, without its empty fields. */
function describeRule({ namespaces, ...rule }) {
    const fields = Object.entries(rule).filter(([, values]) => values.length > 0);
    const place = namespaces.length === 0 ? '' : ` in ${namespaces.map((name) => (0,quote/* quote */.hD)(name)).join(', ')}`;
    return `{${fields.map(([name, values]) => `${name}: [${values.map((value) => (0,quote/* quote */.hD)(value)).join(', ')}]`).join(', ')}}${place}`;
}
function comment(lines) {
    return lines.map((line) => `# ${line}\n`).join('');
}

;// CONCATENATED MODULE: ./src/commands/suggest.ts











/** An evidence with 10,000 uses is smaller. */
const LARGEST_EVIDENCE = 64 * 1024 * 1024;
/**
 * Suggests the smallest Roles for what the runs used.
 * @param oldFile a manifest with Roles, which the used rights are compared with
 * @throws INPUT if a file cannot be read
 */
async function suggest(files, oldFile) {
    const evidence = files.map(readEvidence);
    const rules = oldFile === undefined ? undefined : await rulesIn(oldFile);
    const byAccount = Map.groupBy(evidence, ({ serviceAccount: { namespace, name } }) => `${namespace}/${name}`);
    const objects = [...byAccount.values()].flatMap((runs) => {
        const [first] = runs;
        return first === undefined ? [] : rolesFor(usedRights(runs.flatMap(({ access }) => access.uses)), first.serviceAccount);
    });
    const accesses = evidence.map(({ access }) => access);
    const text = `${introduction(accesses, objects.length)}${await (0,yaml/* writeYaml */.V)(objects)}`;
    if (rules === undefined || oldFile === undefined)
        return { text, failure: undefined };
    const comparison = compareRights(rules, usedRights(accesses.flatMap(({ uses }) => uses)));
    const failure = `The runs used rights that ${(0,quote/* quote */.hD)(oldFile)} does not grant: standard output lists them.`;
    return { text: `${text}${comparisonText(comparison, oldFile)}`, failure: comparison.missing.length > 0 ? failure : undefined };
}
function readEvidence(path) {
    return (0,invalid_value/* explainInvalid */.D)(() => evidenceIn(parseJson((0,small_file/* readSmallFile */.EW)(path, LARGEST_EVIDENCE))), explain(`The evidence ${(0,quote/* quote */.hD)(path)}`));
}
async function rulesIn(path) {
    const toError = explain(`The file ${(0,quote/* quote */.hD)(path)} of --check`);
    const text = (0,invalid_value/* explainInvalid */.D)(() => (0,small_file/* readSmallFile */.EW)(path), toError);
    try {
        const rules = grantedRules(await (0,yaml/* parseYaml */.h)(text));
        if (rules.length === 0)
            throw new invalid_value/* InvalidValue */.h('has no rule of a Role or ClusterRole');
        return rules;
    }
    catch (error) {
        throw error instanceof invalid_value/* InvalidValue */.h ? toError(error.message) : error;
    }
}
function explain(what) {
    return (fault) => new errors/* KubepassError */.v3('INPUT', `${what} ${fault}.`, { hint: 'kubepass suggest --help shows an example.' });
}
function evidenceIn(value) {
    const { requested, api_access: access } = (value ?? {});
    const [, namespace, name] = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(String(requested?.service_account)) ?? [];
    if (namespace === undefined || name === undefined)
        throw new invalid_value/* InvalidValue */.h('is no evidence: requested.service_account is missing or wrong');
    if (access === undefined)
        throw new invalid_value/* InvalidValue */.h('has no field api_access: an older kubepass wrote it');
    if (access === null)
        throw new invalid_value/* InvalidValue */.h('has null in api_access: the scan had the token, so kubepass did not see its requests');
    const read = readApiAccess(access);
    if ('wrongField' in read)
        throw new invalid_value/* InvalidValue */.h(`has ${read.wrongField}, which is not as kubepass writes it`);
    return { serviceAccount: { namespace, name }, access: read };
}
function parseJson(text) {
    try {
        return JSON.parse(text);
    }
    catch {
        throw new invalid_value/* InvalidValue */.h('is no JSON');
    }
}

// EXTERNAL MODULE: ./src/base/deadline.ts
var deadline = __webpack_require__(6277);
// EXTERNAL MODULE: ./src/kube/bound-secret.ts
var bound_secret = __webpack_require__(4486);
// EXTERNAL MODULE: ./src/state/job-info.ts
var job_info = __webpack_require__(9091);
// EXTERNAL MODULE: ./src/kube/answer.ts
var kube_answer = __webpack_require__(4715);
;// CONCATENATED MODULE: ./src/kube/page-cursor.ts
/** Objects per page. A page of bound Secrets is far below the response limit. After a larger response the page size is divided by 8. */
const PAGE = 250;
/** How often the continue token may expire before listing fails. */
const MAX_EXPIRED_LISTS = 5;
/** The next page of a list that the API server gives page by page. */
class PageCursor {
    /** The API server's continue token; empty for the first page. */
    #token = '';
    #size = PAGE;
    #expired = 0;
    /** The query parameters of the page. */
    parameters() {
        return { limit: String(this.#size), ...(this.#token === '' ? {} : { continue: this.#token }) };
    }
    /**
     * Goes on to the page that the API server names.
     * @param token empty or undefined after the last page
     * @returns whether there is a next page
     */
    advance(token) {
        this.#token = token ?? '';
        return this.#token !== '';
    }
    /**
     * Goes on after the continue token has expired: with another token, or without one at the first page.
     * @returns whether to ask again; false when too many tokens have expired
     */
    restart(token) {
        this.#expired += 1;
        this.#token = token ?? '';
        return this.#expired <= MAX_EXPIRED_LISTS;
    }
    /** @returns whether to ask again; false when a page of one object was too large */
    shrink() {
        if (this.#size === 1)
            return false;
        this.#size = Math.ceil(this.#size / 8);
        return true;
    }
    /** After a response, the next page may be larger again. */
    grow() {
        this.#size = Math.min(this.#size * 2, PAGE);
    }
}

// EXTERNAL MODULE: ./src/kube/refusal.ts
var refusal = __webpack_require__(4157);
;// CONCATENATED MODULE: ./src/kube/list-secrets.ts








/** As a Table, as kubectl asks for it, the list has names, types and metadata: the API server does not send the Secrets' data. */
const AS_TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1';
/**
 * Lists every Secret of the namespace that has the label of kubepass, page by page.
 * @throws KubepassError REFUSED or UNREACHABLE when a page cannot be read
 */
async function listBoundSecrets(client, listing) {
    // By uid, because a list that starts again has the same Secrets again.
    const found = new Map();
    const cursor = new PageCursor();
    let table;
    do {
        table = await readPage(client, listing, cursor);
        for (const listed of secretsIn(table))
            found.set(listed.uid, listed);
        listing.progress(found.size);
    } while (cursor.advance(table.metadata?.continue));
    return [...found.values()];
}
/** Reads the page at the cursor. It asks again for a smaller page after a response that is too large, and after an expired token. */
async function readPage(client, { namespace, authInfo, deadline }, cursor) {
    for (;;) {
        const query = new URLSearchParams({ labelSelector: 'app.kubernetes.io/managed-by=kubepass', ...cursor.parameters() });
        const signal = deadline();
        const auth = await authInfo(signal);
        const path = `/api/v1/namespaces/${namespace}/secrets?${query.toString()}`;
        let answer;
        try {
            answer = await client.call({ method: 'GET', path, auth, accept: AS_TABLE }, signal);
        }
        catch (error) {
            if (isTooLarge(error) && cursor.shrink())
                continue;
            throw error;
        }
        cursor.grow();
        const table = answer.body;
        // The API server may give another continue token. Without it the list starts again.
        if (hasExpired(answer) && cursor.restart(table?.metadata?.continue))
            continue;
        if (answer.status === 200 && table?.kind === 'Table')
            return table;
        throw (0,refusal/* refusalOf */.O)(answer, `list the Secrets in namespace ${(0,quote/* quote */.hD)(namespace)}`, auth);
    }
}
function isTooLarge(error) {
    return error instanceof errors/* KubepassError */.v3 && error.responseTooLarge;
}
/** Whether the API server no longer knows the continue token. */
function hasExpired(answer) {
    return answer.status === 410 && (0,kube_answer/* statusOf */.c2)(answer) !== undefined;
}
function secretsIn({ columnDefinitions, rows }) {
    const column = (name) => columnDefinitions?.findIndex((definition) => definition.name === name) ?? -1;
    const [type, data] = [column('Type'), column('Data')];
    return (rows ?? []).flatMap((row) => toListedSecret(row, row.cells?.[type], row.cells?.[data]) ?? []);
}
function toListedSecret({ object }, type, data) {
    const { name, uid, labels = {}, annotations = {}, finalizers = [] } = object?.metadata ?? {};
    if (typeof name !== 'string' || typeof uid !== 'string')
        return undefined;
    const foreign = foreignContent(type, data, finalizers);
    const origin = foreign === undefined ? originOf(name, { labels, annotations }) : { foreign };
    return { name, uid, labels, annotations, origin };
}
/** Why kubepass cannot have made a Secret with this content; undefined if it can. */
function foreignContent(type, data, finalizers) {
    if (type !== 'Opaque')
        return `its type is ${(0,quote/* quote */.hD)(String(type))}`;
    if (data !== 0)
        return 'it holds data';
    return finalizers.length > 0 ? 'it has a finalizer' : undefined;
}
function originOf(name, metadata) {
    const run = (0,bound_secret/* claimedRun */.RV)(metadata);
    const deadBy = timeOf(metadata.annotations['kubepass.dev/dead-by']);
    if (!isOfRun(name, run))
        return { foreign: 'its name does not fit its labels' };
    if (deadBy === undefined)
        return { foreign: 'its annotation kubepass.dev/dead-by is missing or no time' };
    return { run, deadBy };
}
/** Whether the Secret's name is one that kubepass gives to Secrets of this run. */
function isOfRun(name, run) {
    const prefix = (0,job_info/* boundSecretPrefix */.Vv)(run);
    return (0,job_info/* isPlatformName */.bx)(run.platform) && name.startsWith(prefix) && (0,job_info/* isRunKey */.lm)(name.slice(prefix.length));
}
function timeOf(text) {
    return text !== undefined && (0,time/* isIsoTime */.dZ)(text) ? Date.parse(text) : undefined;
}

// EXTERNAL MODULE: ./src/lifecycle/run-context.ts + 6 modules
var run_context = __webpack_require__(2825);
// EXTERNAL MODULE: ./src/config/seal-credentials.ts
var seal_credentials = __webpack_require__(4074);
;// CONCATENATED MODULE: ./src/platform/ci-api.ts




/** One CiApi for each platform that has such an API. Reads the API tokens now, sends no request yet. */
function ciApis(env, flags, seal) {
    const given = (flag) => {
        const path = flags[flag];
        return typeof path === 'string' ? checked(`--${flag}`, () => (0,seal_credentials/* sealToken */.fh)((0,small_file/* readSmallFile */.EW)(path), seal)) : undefined;
    };
    const variable = (name) => {
        const value = env[name]?.trim();
        return value ? checked(name, () => (0,seal_credentials/* sealToken */.fh)(value, seal)) : undefined;
    };
    const github = given('github-token-file') ?? variable('GITHUB_TOKEN');
    const gitlab = given('gitlab-token-file') ?? variable('GITLAB_TOKEN');
    const gitlabJob = gitlab === undefined ? variable('CI_JOB_TOKEN') : undefined;
    return new Map([
        [
            'github',
            {
                name: 'GitHub',
                instance: env['GITHUB_SERVER_URL'] ?? 'https://github.com',
                needs: github === undefined ? 'GITHUB_TOKEN, or --github-token-file' : undefined,
                // Imported only when called: most sweeps do not need @actions/github, which is slow to load.
                isOver: async (run, signal) => (await Promise.all(/* import() */[__webpack_require__.e(119), __webpack_require__.e(413), __webpack_require__.e(431)]).then(__webpack_require__.bind(__webpack_require__, 8431))).isOverOnGithub(run, needed(github), env, signal),
            },
        ],
        [
            'gitlab',
            {
                name: 'GitLab',
                instance: env['CI_SERVER_URL'] ?? 'https://gitlab.com',
                needs: (gitlab ?? gitlabJob) === undefined ? 'GITLAB_TOKEN, CI_JOB_TOKEN, or --gitlab-token-file' : undefined,
                isOver: async (run, signal) => {
                    const auth = gitlabJob === undefined ? { personal: needed(gitlab) } : { job: gitlabJob };
                    return (await __webpack_require__.e(/* import() */ 409).then(__webpack_require__.bind(__webpack_require__, 6409))).isOverOnGitlab(run, auth, env, signal);
                },
            },
        ],
    ]);
}
function checked(name, read) {
    return (0,invalid_value/* explainInvalid */.D)(read, (fault) => new errors/* KubepassError */.v3('INPUT', `${name} ${fault}.`));
}
function needed(token) {
    if (token === undefined)
        throw new errors/* KubepassError */.v3('INPUT', 'There is no token for the API.');
    return token;
}

// EXTERNAL MODULE: ./src/system/node-runtime.ts
var node_runtime = __webpack_require__(2168);
// EXTERNAL MODULE: ./src/system/print.ts
var print = __webpack_require__(4162);
;// CONCATENATED MODULE: ./src/commands/sweep-report.ts


function progressBar(done, all) {
    const width = 30;
    return `deleting [${'#'.repeat(Math.floor((width * done) / all)).padEnd(width, '-')}] ${done} of ${all}`;
}
function countOfSecrets(count) {
    return `${count} ${count === 1 ? 'bound Secret' : 'bound Secrets'}`;
}
function summary(found, namespace, dryRun) {
    const count = (...outcomes) => found.filter(({ outcome }) => outcomes.includes(outcome)).length;
    if (found.length === 0)
        return `There are no bound Secrets in namespace ${(0,quote/* quote */.hD)(namespace)}.`;
    const kept = `${count('kept')} kept`;
    if (dryRun)
        return `Of ${countOfSecrets(found.length)} in namespace ${(0,quote/* quote */.hD)(namespace)} ${count('due')} would be deleted, ${kept}.`;
    const left = count('due') === 0 ? '' : `, ${count('due')} left that should be`;
    return `Of ${countOfSecrets(found.length)} in namespace ${(0,quote/* quote */.hD)(namespace)} ${count('deleted', 'gone')} deleted, ${kept}${left}.`;
}
/** One bound Secret as the report shows it. Labels and annotations are foreign text. */
function row({ listed: { name, uid, origin, labels, annotations }, state, outcome }) {
    const label = (key) => labels[`kubepass.dev/${key}`] ?? '';
    const note = (key) => annotations[`kubepass.dev/${key}`] ?? '';
    return {
        name,
        uid,
        platform: label('platform'),
        run: label('run'),
        attempt: label('attempt'),
        repository: note('repository'),
        job: note('job'),
        dead_by: note('dead-by'),
        state,
        outcome,
        why: 'foreign' in origin ? origin.foreign : '',
    };
}
function asJson(found, { server, serviceAccount }, dryRun, failure) {
    const { namespace } = serviceAccount;
    const error = failure === undefined ? null : (0,errors/* codeOf */.$N)(failure);
    return `${JSON.stringify({ version: 1, server, namespace, dry_run: dryRun, error, secrets: found.map(row) }, undefined, 2).replaceAll('##[', '##\\u005b')}\n`;
}
function asTable(found) {
    if (found.length === 0)
        return '';
    const lines = found
        .map(row)
        .map(({ name = '', platform, run, attempt, repository, job, dead_by = '', state = '', outcome = '', why = '' }) => {
        const whose = `${platform} ${run}/${attempt} ${repository} ${job}`.trim();
        // Only state and outcome are not foreign text.
        return [...[name, whose, dead_by].map((text) => (0,quote/* escapeText */.X1)(text, 80)), state, why === '' ? outcome : `${outcome}: ${why}`];
    });
    const table = [['SECRET', 'RUN', 'DEAD BY', 'STATE', 'OUTCOME'], ...lines];
    const widths = [0, 1, 2, 3].map((column) => table.reduce((widest, line) => Math.max(widest, line[column]?.length ?? 0), 0));
    return table.map((line) => `${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`).join('');
}

;// CONCATENATED MODULE: ./src/commands/sweep.ts









/** etcd syncs many writes at a time, so that more deletions at once are hardly faster, but a load for the cluster. */
const DELETIONS_AT_ONCE = 16;
const QUESTIONS_AT_ONCE = 4;
const QUESTION_MS = 10_000;
/** After so many refusals the next request will be refused, too. */
const MAX_FAILURES = 10;
const IDENTITY_MS = 30_000;
const REDRAW_MS = 100;
/**
 * Deletes the bound Secrets that no run needs: those of expired credentials, and those of runs that are over by the word of their
 * platform. Secrets that kubepass has not created stay.
 * @returns the exit code
 */
async function sweepCommand(context) {
    const { platform, seal, signal } = context;
    (0,node_runtime/* rejectUnsafeNodeOptions */.WL)(platform.env);
    const flags = platform.extraFlags ?? {};
    const apis = ciApis(platform.env, flags, seal);
    const { identity, why, options } = await (0,run_context/* resolveIdentity */.XH)(context, await (0,run_context/* readOptions */.Tt)(context, 'finish'));
    const { namespace } = options.serviceAccount;
    const dryRun = flags['dry-run'] === true;
    platform.log.info(`Identity: ${identity.kind}, because ${why}.`);
    const authInfo = refreshedAuthInfo(identity);
    const client = (0,run_context/* openClient */.My)(context, options, DELETIONS_AT_ONCE);
    const limit = () => (0,deadline/* deadlineAfter */.d)(options.deadline, signal);
    const deleteSecret = async ({ name, uid }) => {
        const deadline = limit();
        const result = await (0,bound_secret/* deleteBoundSecret */.q1)(client, await authInfo(deadline), { namespace, name, uid }, deadline);
        return result === 'gone' ? 'gone' : 'deleted';
    };
    const found = [];
    let failure;
    try {
        const progress = (count) => platform.log.progress?.(`listing bound Secrets: ${count}`);
        for (const listed of await listBoundSecrets(client, { namespace, authInfo, deadline: limit, progress }))
            found.push(classify(listed, Date.now()));
        for (const [of, api] of apis)
            await markFinishedRuns(api, livingOn(found, of), platform, signal);
        const due = found.filter(({ outcome }) => outcome === 'due');
        if (!dryRun)
            failure = await deleteAll(due, deleteSecret, platform, signal);
    }
    catch (error) {
        failure = error;
    }
    finally {
        client.close();
    }
    if (signal.aborted)
        failure = signal.reason;
    const foreign = found.filter(({ state }) => state === 'foreign').length;
    if (foreign > 0)
        await platform.log.warn(`Foreign Secrets with the label of kubepass are kept: ${foreign}.`);
    if (failure === undefined || found.length > 0)
        platform.log.info(summary(found, namespace, dryRun));
    const shown = flags['json'] === true ? asJson(found, options, dryRun, failure) : asTable(found);
    (0,print/* print */.yy)(print/* STDOUT */.UU, context.redactor.redact(shown));
    if (failure !== undefined)
        throw failure;
    return 0;
}
/** @returns the first failure; undefined when all were deleted */
async function deleteAll(due, deleteSecret, { log }, signal) {
    const failures = [];
    let done = 0;
    let drawn = 0;
    await onEach(due, DELETIONS_AT_ONCE, async (candidate) => {
        if (signal.aborted || failures.length >= MAX_FAILURES || failures.some((error) => (0,errors/* codeOf */.$N)(error) !== 'REFUSED'))
            return;
        try {
            candidate.outcome = await deleteSecret(candidate.listed);
        }
        catch (error) {
            failures.push(error);
        }
        done += 1;
        if (Date.now() - drawn < REDRAW_MS)
            return;
        drawn = Date.now();
        log.progress?.(progressBar(done, due.length));
    });
    const [first] = failures;
    if (first === undefined)
        return undefined;
    const left = due.filter(({ outcome }) => outcome === 'due').length;
    const hint = first instanceof errors/* KubepassError */.v3 ? first.hint : undefined;
    return new errors/* KubepassError */.v3((0,errors/* codeOf */.$N)(first), `${left} of ${countOfSecrets(due.length)} could not be deleted.`, { cause: first, hint });
}
function classify(listed, now) {
    if ('foreign' in listed.origin)
        return { listed, state: 'foreign', outcome: 'kept' };
    return listed.origin.deadBy <= now ? { listed, state: 'expired', outcome: 'due' } : { listed, state: 'living', outcome: 'kept' };
}
function livingOn(found, of) {
    return found.filter(({ listed: { origin }, state }) => state === 'living' && 'run' in origin && origin.run.platform === of);
}
/** Asks the platform once for each run. The Secrets of a run of unknown status stay until they expire. */
async function markFinishedRuns(api, ofPlatform, platform, signal) {
    const ofInstance = ofPlatform.filter(({ listed: { origin } }) => 'run' in origin && origin.run.instance === api.instance);
    const elsewhere = ofPlatform.length - ofInstance.length;
    if (elsewhere > 0)
        platform.log.info(`${countOfSecrets(elsewhere)} of another ${api.name} than ${api.instance}: kept until they expire.`);
    if (ofInstance.length === 0)
        return;
    if (api.needs !== undefined) {
        platform.log.info(`kubepass cannot ask ${api.name} whether the runs of ${countOfSecrets(ofInstance.length)} are over (missing: ${api.needs}): they are kept until they expire.`);
        return;
    }
    const failures = [];
    const runs = Map.groupBy(ofInstance, ({ listed: { origin } }) => 'run' in origin ? [origin.run.repository, origin.run.id, origin.run.attempt].join(' ') : '');
    let asked = 0;
    await onEach([...runs.values()], QUESTIONS_AT_ONCE, async (ofRun) => {
        const origin = ofRun[0]?.listed.origin;
        if (origin === undefined || !('run' in origin) || signal.aborted || failures.length >= MAX_FAILURES)
            return;
        platform.log.progress?.(`asking ${api.name}: run ${(asked += 1)} of ${runs.size}`);
        try {
            if (!(await api.isOver(origin.run, (0,deadline/* deadlineAfter */.d)(QUESTION_MS, signal))))
                return;
            for (const boundSecret of ofRun)
                Object.assign(boundSecret, { state: 'finished', outcome: 'due' });
        }
        catch (error) {
            failures.push(error);
        }
    });
    const [first] = failures;
    if (first === undefined)
        return;
    const reason = first instanceof errors/* KubepassError */.v3 ? first.message : (0,errors/* describe */.q0)(first);
    await platform.log.warn(`Could not get the status of a run from ${api.name} (${reason}). Its Secrets are kept until they expire.`);
}
/** Fetches the authentication again when the last one is older than IDENTITY_MS. */
function refreshedAuthInfo(identity) {
    let current;
    let since = 0;
    return (signal) => {
        if (current === undefined || Date.now() - since > IDENTITY_MS) {
            since = Date.now();
            current = identity.authInfo(signal);
        }
        return current;
    };
}
/** Calls `act` for each item, for at most `atOnce` items at a time. */
async function onEach(items, atOnce, act) {
    const queue = items.values();
    const work = async () => {
        for (const item of queue)
            await act(item);
    };
    await Promise.all(Array.from({ length: atOnce }, work));
}

// EXTERNAL MODULE: external "node:os"
var external_node_os_ = __webpack_require__(8161);
// EXTERNAL MODULE: external "node:path"
var external_node_path_ = __webpack_require__(6760);
// EXTERNAL MODULE: external "node:util"
var external_node_util_ = __webpack_require__(7975);
// EXTERNAL MODULE: ./src/config/flags.ts
var config_flags = __webpack_require__(8689);
// EXTERNAL MODULE: ./src/config/path-or-content.ts
var path_or_content = __webpack_require__(8789);
// EXTERNAL MODULE: ./src/config/cluster-source.ts
var cluster_source = __webpack_require__(6704);
// EXTERNAL MODULE: ./src/config/inputs.ts
var inputs = __webpack_require__(4389);
;// CONCATENATED MODULE: ./src/config/terminal-defaults.ts







/**
 * The inputs of a terminal that no flag gives. Each has the variable KUBEPASS_*. If nothing names the API server, the kubeconfig is
 * the one that kubectl would use.
 * @throws INPUT if kubectl would merge several kubeconfigs, or KUBECONFIG names none
 */
function terminalDefaults(line, env) {
    const { values: flags } = line;
    const values = new Map();
    const overruled = overruledInputs(line);
    for (const id of idsFromVariables(line, env)) {
        const text = (env[(0,config_flags/* variableName */.cG)(id)] ?? '').trim();
        if (text !== '' && !flags.has(id) && !overruled.has(id))
            values.set(id, { text, from: (0,config_flags/* variableName */.cG)(id) });
    }
    const where = jobOf(env);
    if (where !== undefined)
        return { values, noServerHint: NO_DEFAULTS[where] };
    const textOf = (id) => flags.get(id) ?? values.get(id)?.text ?? '';
    if (isConnectionOrIdentityGiven(textOf))
        return { values, noServerHint: NOT_SEARCHED };
    const kubeconfig = kubeconfigOfKubectl(env);
    if (kubeconfig !== undefined)
        values.set('kubeconfig', kubeconfig);
    return { values, noServerHint: env['KUBECONFIG'] ? NO_CLUSTER : NO_KUBECONFIG };
}
const NOT_SEARCHED = 'kubepass does not use the kubeconfig of kubectl, because another input sets the identity or the connection to the API server.';
const NO_CLUSTER = 'KUBECONFIG is /dev/null, so kubepass uses no kubeconfig.';
const NO_KUBECONFIG = 'No kubeconfig names the API server: KUBECONFIG is not set, and ~/.kube/config does not exist.';
const NO_DEFAULTS = {
    github: 'In a job of GitHub, KUBEPASS_* and KUBECONFIG are no defaults: give flags.',
    gitlab: 'In a job of GitLab, KUBECONFIG and the variable of this input are no defaults: give a flag.',
};
/** The CI whose variables are set. A variable of a job can change the value of GITLAB_CI, but cannot unset it, so only presence counts. */
function jobOf(env) {
    const isAnySet = (...names) => names.some((name) => env[name] !== undefined);
    if (isAnySet('GITHUB_ACTIONS', 'GITHUB_RUN_ID'))
        return 'github';
    return isAnySet('GITLAB_CI', 'CI_JOB_ID') ? 'gitlab' : undefined;
}
/** Whether the process runs in a job, whose files and variables other people can have written. */
function isInJob(env) {
    return jobOf(env) !== undefined;
}
/**
 * On GitHub an earlier step can set every variable, so none is an input. On GitLab everybody who may run a pipeline can set any variable.
 * So the guarded inputs are flags there, and an identity of a variable counts only if the flag `--identity` names it.
 */
function idsFromVariables({ values: flags, ids }, env) {
    const all = [...ids, 'token'];
    const job = jobOf(env);
    if (job === 'github')
        return [];
    if (job === undefined)
        return all;
    const identity = flags.get('identity');
    const named = identity === 'token' ? cluster_source/* TOKEN_INPUTS */.O9 : identity === 'kubeconfig' ? KUBECONFIG_INPUTS : [];
    const isAllowed = (id) => named.includes(id) || ![...cluster_source/* TOKEN_INPUTS */.O9, ...KUBECONFIG_INPUTS].includes(id);
    return all.filter((id) => inputs/* inputs */.QL[id].guard === undefined && isAllowed(id));
}
const KUBECONFIG_INPUTS = ['kubeconfig', 'context', 'allow_exec'];
/** The inputs whose variables have no effect beside a flag, because the flag names the API server or the identity in another way. */
const OVERRULED_BY = {
    server: ['identity', ...KUBECONFIG_INPUTS],
    token_file: ['identity', 'token', ...KUBECONFIG_INPUTS],
    kubeconfig: ['identity', ...cluster_source/* CLUSTER_INPUTS */.PS, ...cluster_source/* TOKEN_INPUTS */.O9],
    context: ['identity', ...cluster_source/* CLUSTER_INPUTS */.PS, ...cluster_source/* TOKEN_INPUTS */.O9],
};
/** The inputs whose variables have no effect if the flag `--identity` names this identity. */
const OVERRULED_BY_IDENTITY = {
    token: KUBECONFIG_INPUTS,
    kubeconfig: [...cluster_source/* CLUSTER_INPUTS */.PS, ...cluster_source/* TOKEN_INPUTS */.O9],
    'in-cluster': [...cluster_source/* CLUSTER_INPUTS */.PS, ...cluster_source/* TOKEN_INPUTS */.O9, ...KUBECONFIG_INPUTS],
};
function overruledInputs({ values: flags, argv }) {
    const ofFlags = [...flags.keys()].flatMap((id) => OVERRULED_BY[id] ?? []);
    const ofIdentity = OVERRULED_BY_IDENTITY[flags.get('identity') ?? ''] ?? [];
    return new Set([...ofFlags, ...ofIdentity, ...(argv.length > 0 ? ['command'] : [])]);
}
/** Whether an input sets the connection to the API server, or an identity other than that of a kubeconfig. */
function isConnectionOrIdentityGiven(textOf) {
    return ([...cluster_source/* TOKEN_INPUTS */.O9, 'kubeconfig'].some((id) => textOf(id) !== '') ||
        cluster_source/* CLUSTER_INPUTS */.PS.some((id) => (0,cluster_source/* isSuperfluous */.aL)(id, textOf(id), 'kubeconfig')) ||
        !['', 'auto', 'kubeconfig'].includes(textOf('identity')));
}
/** The file that kubectl reads: that of KUBECONFIG, or ~/.kube/config. A user without a cluster sets KUBECONFIG=/dev/null. */
function kubeconfigOfKubectl(env) {
    const named = [...new Set((env['KUBECONFIG'] ?? '').split(external_node_path_.delimiter))].filter((path) => path !== '');
    const home = env['HOME'] ?? '';
    // A relative path would be a file of the working directory, which another person may have written.
    if (named.length === 0 && !(0,external_node_path_.isAbsolute)(home))
        return undefined;
    const [path, ...others] = (named.length > 0 ? named : [(0,external_node_path_.join)(home, '.kube', 'config')]).filter(isFile);
    if (others.length > 0) {
        throw new errors/* KubepassError */.v3('INPUT', `KUBECONFIG names ${others.length + 1} files, which kubectl merges. kubepass reads one file.`, {
            hint: `Give the merged one: ${(0,config_flags/* flagName */.GI)('kubeconfig')} <(kubectl config view --flatten --raw)`,
        });
    }
    if (path === undefined && named.some((each) => each !== '/dev/null')) {
        throw new errors/* KubepassError */.v3('INPUT', `KUBECONFIG names ${(0,quote/* quote */.hD)(named.join(external_node_path_.delimiter))}, which is no regular file.`, {
            hint: `Correct the variable, or name the API server: ${(0,config_flags/* flagName */.GI)('server')}, or ${(0,config_flags/* flagName */.GI)('kubeconfig')} FILE.`,
        });
    }
    if (path === undefined)
        return undefined;
    const place = named.length > 0 ? `KUBECONFIG names ${path}` : '~/.kube/config exists';
    return { text: path, from: named.length > 0 ? 'KUBECONFIG' : '~/.kube/config', reason: `no API server is given, and ${place}` };
}
function isFile(path) {
    try {
        return (0,external_node_fs_.statSync)(path).isFile();
    }
    catch {
        return false;
    }
}

// EXTERNAL MODULE: ./src/state/evidence-text.ts + 1 modules
var evidence_text = __webpack_require__(4741);
// EXTERNAL MODULE: ./src/state/run-state-codec.ts
var run_state_codec = __webpack_require__(6243);
// EXTERNAL MODULE: ./src/system/restore-access.ts
var restore_access = __webpack_require__(7222);
// EXTERNAL MODULE: ./src/system/files.ts
var files = __webpack_require__(1650);
// EXTERNAL MODULE: ./src/system/own-user.ts
var own_user = __webpack_require__(9329);
// EXTERNAL MODULE: ./src/platform/gitlab-workspace.ts
var gitlab_workspace = __webpack_require__(7888);
;// CONCATENATED MODULE: ./src/platform/terminal.ts

















/** A user's terminal. stdout has the scan's output only; kubepass writes its messages to stderr. */
function terminalPlatform(line, env, redact) {
    const { stderr } = process;
    const { values, extraFlags, argv } = line;
    const isQuiet = extraFlags.quiet === true;
    const [path] = line.operands;
    refuseContent(values.get('kubeconfig'));
    const { values: defaults, noServerHint } = terminalDefaults(line, env);
    const given = path === undefined ? undefined : readStateFile(path);
    let stateFile = path;
    const style = (format, text) => (0,external_node_util_.styleText)(format, text, { stream: stderr });
    /** While the scan runs, kubepass must not block on a slow reader of stderr. Its messages join the queue of the scan's output. */
    let scanning = false;
    const write = (text) => {
        const line = `${stderr.isTTY ? '\r\x1b[K' : ''}kubepass: ${redact(text)}\n`;
        if (scanning)
            stderr.write(line);
        else
            (0,print/* print */.yy)(print/* STDERR */.xS, line);
    };
    const info = (text) => {
        if (!isQuiet)
            write(text);
    };
    const variables = [...defaults.values()].flatMap(({ from, reason }) => (reason === undefined ? [from] : []));
    if (variables.length > 0)
        info(`Inputs from the environment: ${variables.join(', ')}.`);
    return {
        input: (id) => values.get(id) ?? defaults.get(id)?.text,
        nameOf: (id) => defaults.get(id)?.from ?? (0,config_flags/* flagName */.GI)(id),
        noServerHint,
        whyKubeconfig: defaults.get('kubeconfig')?.reason,
        argv,
        extraFlags,
        temp: (0,external_node_os_.tmpdir)(),
        ...trustIn(env, defaults.has('kubeconfig')),
        path: env['PATH'] ?? '',
        hasLaterSteps: false,
        hasPost: false,
        postFailsJob: false,
        debugTraceVariable: undefined,
        stdin: () => process.stdin,
        isCI: false,
        env,
        ownerUid: (0,own_user/* ownUid */.N)(),
        job: RUN,
        // If the state file is unreadable, `revoke` can still finish the run: the file's name has the key.
        runKey: given !== undefined && (0,run_state_codec/* parseRunState */.Q)(given, RUN) === undefined ? runKeyOf(path ?? '') : undefined,
        log: {
            info,
            warn: (text) => Promise.resolve(write(style('yellow', `warning: ${redact(text)}`))),
            error: (text) => Promise.resolve(write(style('red', `error: ${redact(text)}`))),
            progress(text) {
                if (stderr.isTTY && !isQuiet)
                    (0,print/* print */.yy)(print/* STDERR */.xS, `\r\x1b[K${style('dim', `kubepass: ${redact(text)} ...`)}`);
            },
        },
        savedState: {
            save(state) {
                if (state === 'none')
                    return;
                const text = `${JSON.stringify(state)}\n`;
                if (stateFile !== undefined)
                    return (0,files/* stageReplacement */.JF)(stateFile, text)();
                // Written under its final name: if a signal kills kubepass during the write, `revoke` still finds everything by the name.
                stateFile = stateFilePath(state);
                (0,files/* writePrivate */.pb)(stateFile, text);
            },
            load: () => given,
            clear() {
                for (const file of stateFile === undefined ? [] : [stateFile, (0,files/* stagingPath */.Vu)(stateFile)])
                    (0,restore_access/* removeTree */.dM)(file);
            },
            retryInstructions: () => stateFile === undefined
                ? undefined
                : `To finish the run, call kubepass revoke ${stateFile} with the same flags, variables and kubeconfig.`,
        },
        scanOutputs() {
            scanning = true;
            return { stdout: () => process.stdout, stderr: () => stderr, filters: () => [], close: () => (scanning = false) };
        },
        report: (evidence) => Promise.resolve(info(`what happened:\n${(0,evidence_text/* asText */.e1)(evidence)}`)),
    };
}
/** Other people can have written the files and the variables of a job. */
function trustIn(env, isKubeconfigOfVariable) {
    if (!isInJob(env))
        return { workspace: undefined };
    const workspace = env['GITHUB_WORKSPACE'] ?? (0,gitlab_workspace/* gitlabWorkspace */.l)(env);
    return { workspace, ...(isKubeconfigOfVariable ? { whyNoFilesInKubeconfig: 'a variable of the job names the kubeconfig' } : {}) };
}
function refuseContent(kubeconfig = '') {
    if ((0,path_or_content/* kubeconfigContent */.r)(kubeconfig.trim()) === undefined)
        return;
    throw new errors/* KubepassError */.v3('INPUT', 'The content of a kubeconfig was given on the command line, which every user of the machine can read.', {
        hint: `Give its path: ${(0,config_flags/* flagName */.GI)('kubeconfig')} PATH`,
    });
}
const RUN = {
    platform: 'terminal',
    id: 'terminal',
    attempt: '1',
    job: '',
    repository: '',
    instance: '',
    ...(0,job_info/* triggerOf */.ix)({ actor: undefined, commit: undefined, ref: undefined, event: undefined }),
};
function readStateFile(path) {
    try {
        return (0,small_file/* readSmallFile */.EW)(path);
    }
    catch (error) {
        throw new errors/* KubepassError */.v3('INPUT', `STATE-FILE ${error instanceof Error ? error.message : (0,quote/* quote */.hD)(path)}.`);
    }
}
/** The end of the names of the run's bound Secret and directory. */
function runKeyOf(state) {
    return /^kubepass-([0-9a-f]{16})\.state\.json$/.exec((0,external_node_path_.basename)(state))?.[1];
}
/** Beside the private directory, because the state file exists before and after the directory. */
function stateFilePath(state) {
    return `${state.directory}.state.json`;
}

;// CONCATENATED MODULE: ./src/command-line/subcommands.ts

const completionShells = ['bash', 'zsh', 'fish'];
/** The inputs for the address of the API server, the identity and the time limit. */
const subcommands_ACCESS = [
    'server',
    'certificate_authority',
    'service_account',
    'identity',
    'token_file',
    'kubeconfig',
    'context',
    'allow_exec',
    'proxy_url',
    'tls_server_name',
    'deadline',
];
const subcommands = {
    run: {
        summary: 'Issue a credential, run the command with it, revoke the credential and prove that it is dead.',
        operands: '-- COMMAND [ARG ...]',
        operandCount: 0,
        inputs: config_flags/* terminalInputs */.MT,
        extraFlags: ['quiet'],
        examples: [
            [
                'With the current context of kubectl as the identity:',
                'kubepass run --service-account kubepass/scanner -- kubectl get pods --namespace payments',
            ],
            [
                'With a token from a file as the identity:',
                'kubepass run --server https://10.0.0.1:6443 --certificate-authority ca.crt \\\n    --service-account kubepass/scanner --token-file issuer.token -- trivy k8s --report summary',
            ],
        ],
        exitCodes: [
            'INPUT',
            'IDENTITY',
            'REFUSED',
            'UNREACHABLE',
            'RIGHTS',
            'NOT_REVOKED',
            'TIMEOUT',
            'COMMAND_NOT_FOUND',
            'INTERRUPTED',
            'INTERNAL',
        ],
    },
    revoke: {
        summary: 'Finish a run that was killed, from the run state that it left. Give the flags, variables and kubeconfig of that run.',
        operands: 'STATE-FILE',
        operandCount: 1,
        inputs: config_flags/* terminalInputs */.MT,
        extraFlags: ['quiet'],
        examples: [
            ['After a crash of the machine:', 'kubepass revoke --service-account kubepass/scanner /tmp/kubepass-0123456789abcdef.state.json'],
        ],
        exitCodes: ['INPUT', 'IDENTITY', 'NOT_REVOKED', 'INTERRUPTED', 'INTERNAL'],
    },
    sweep: {
        summary: 'Delete the bound Secrets of runs that are over, in the namespace of the ServiceAccount.',
        operands: '',
        operandCount: 0,
        inputs: subcommands_ACCESS,
        extraFlags: ['dry-run', 'json', 'github-token-file', 'gitlab-token-file', 'quiet'],
        examples: [['To see what it would delete:', 'kubepass sweep --service-account kubepass/scanner --dry-run']],
        exitCodes: ['INPUT', 'IDENTITY', 'REFUSED', 'UNREACHABLE', 'INTERRUPTED', 'INTERNAL'],
    },
    suggest: {
        summary: 'Print the smallest Roles and bindings that allow what the runs of the evidence files used.',
        operands: 'EVIDENCE ...',
        operandCount: 'one or more',
        inputs: [],
        extraFlags: ['check'],
        examples: [
            ['For the evidence of two runs:', 'kubepass suggest monday.json tuesday.json > role.yaml'],
            ['In the review of a change:', 'kubepass suggest --check role.yaml kubepass-evidence.json'],
        ],
        exitCodes: ['INPUT'],
        exitCode1: 'with --check: a right was used that the manifest does not grant',
    },
    decode: {
        summary: 'Print header and claims of the token on standard input, without its signature.',
        operands: '< TOKEN',
        operandCount: 0,
        inputs: [],
        extraFlags: [],
        examples: [['For the token of a Pod:', 'kubepass decode < /var/run/secrets/kubernetes.io/serviceaccount/token']],
        exitCodes: ['INPUT'],
    },
    completion: {
        summary: 'Print the script that completes the words of kubepass in a shell.',
        operands: completionShells.join('|'),
        operandCount: 1,
        inputs: [],
        extraFlags: [],
        examples: [
            ['In ~/.bashrc:', 'eval "$(kubepass completion bash)"'],
            ['In ~/.zshrc, after compinit:', 'eval "$(kubepass completion zsh)"'],
            ['For fish:', 'kubepass completion fish > ~/.config/fish/completions/kubepass.fish'],
        ],
        exitCodes: ['INPUT'],
    },
    version: {
        summary: 'Print the version.',
        operands: '',
        operandCount: 0,
        inputs: [],
        extraFlags: [],
        examples: [],
        exitCodes: [],
    },
};
const subcommandNames = Object.keys(subcommands);
/** How to call the command. */
function usageOf(name) {
    const { inputs, extraFlags: extra, operands } = subcommands[name];
    return ['kubepass', name, ...(inputs.length + extra.length > 0 ? ['[FLAGS]'] : []), operands].join(' ').trimEnd();
}
function isSubcommandName(word) {
    return subcommandNames.some((name) => name === word);
}

;// CONCATENATED MODULE: ./src/command-line/completion.ts





/** @param words the words after `kubepass`; the last one is the one to complete, and can be empty */
function completionOf(words) {
    const [name = '', ...rest] = words;
    if (rest.length === 0)
        return name.startsWith('-') ? GLOBAL_FLAGS : [...COMMANDS, HELP];
    if (name === HELP.word && rest.length === 1)
        return COMMANDS;
    return isSubcommandName(name) ? completionInside(name, rest) : [];
}
const COMMANDS = subcommandNames.map((word) => ({ word, about: subcommands[word].summary }));
const HELP = { word: 'help', about: 'Show the help, or that of a command.' };
const GLOBAL_FLAGS = [
    { word: '--help', about: 'Show the help.' },
    { word: '--version', about: 'Print the version.' },
];
function completionInside(name, words) {
    const before = words.slice(0, -1);
    if (before.includes('--'))
        return name === 'run' ? 'command' : [];
    const flags = completableFlags(name);
    const current = words.at(-1) ?? '';
    const ofValue = completionOfValue(before, current, flags);
    if (ofValue !== undefined)
        return ofValue;
    const names = flags.map(({ name: word, about }) => ({ word, about }));
    return current.startsWith('-') ? names : (completionOfOperand(name, before, flags) ?? names);
}
/** @returns undefined if no value of a flag can stand there */
function completionOfValue(before, current, flags) {
    // bash gives the equals sign between a flag and its value as a word of its own.
    const isAfterSign = before.at(-1) === '=';
    const flag = flags.find((each) => each.name === before.at(isAfterSign ? -2 : -1));
    if (flag?.value !== undefined)
        return flag.value;
    if (isAfterSign || current === '=')
        return flag?.isSwitch === true ? SWITCH_VALUES : [];
    return current.includes('=') ? valuesInside(current, flags) : undefined;
}
/** The word that a command takes besides its flags; undefined if it takes none. */
function completionOfOperand(name, before, flags) {
    const isGiven = before.some((word, index) => !word.startsWith('-') && !takesValue(before[index - 1], flags));
    if (name === 'completion')
        return isGiven ? [] : completionShells.map((word) => ({ word, about: '' }));
    return name === 'suggest' || (name === 'revoke' && !isGiven) ? 'file' : undefined;
}
const SWITCH_VALUES = ['true', 'false'].map((word) => ({ word, about: '' }));
function takesValue(word, flags) {
    return flags.find(({ name }) => name === word)?.value !== undefined;
}
/** Offers no path, because the shells do not complete a path after an equals sign. */
function valuesInside(word, flags) {
    const [name] = word.split('=');
    const flag = flags.find((each) => each.name === name);
    const values = flag?.isSwitch === true ? SWITCH_VALUES : flag?.value;
    return typeof values === 'object' ? values.map((each) => ({ ...each, word: `${name}=${each.word}` })) : [];
}
function completableFlags(name) {
    const { inputs: ids, extraFlags: extra } = subcommands[name];
    return [
        ...ids.map((id) => {
            const { description, path } = inputs/* inputs */.QL[id];
            const words = ((0,inputs/* optionsOn */.q4)('terminal', id) ?? []).map((word) => ({ word, about: '' }));
            const flag = { name: (0,config_flags/* flagName */.GI)(id), about: description };
            return (0,config_flags/* isSwitch */.Tb)(id) ? { ...flag, value: undefined, isSwitch: true } : { ...flag, value: path ?? words };
        }),
        ...extra.map((flag) => ({ name: `--${flag}`, about: config_flags/* extraFlags */.u6[flag].description, value: config_flags/* extraFlags */.u6[flag].path })),
        { name: '--help', about: 'Show the help.', value: undefined },
    ];
}
/** Returns one word a line, then a tab and its description. A line such as `:file` tells the shell to complete file names itself. */
function completeWords(words) {
    const completion = completionOf(words);
    if (typeof completion === 'string')
        return `:${completion}\n`;
    return completion.map(({ word, about }) => `${word}\t${about.replaceAll(/\s+/g, ' ')}\n`).join('');
}
/** @throws INPUT if there is no script for the shell */
function completionScript(shell) {
    const known = completionShells.find((each) => each === shell);
    if (known === undefined) {
        throw new errors/* KubepassError */.v3('INPUT', `There is no completion for ${(0,quote/* quote */.hD)(shell)}.`, { hint: `Give one of ${completionShells.join(', ')}.` });
    }
    return SCRIPTS[known];
}
/** Each script asks the program what can follow, so that the knowledge of flags and commands stands in one place. */
const SCRIPTS = {
    bash: `_kubepass_command() {
  local first=1
  while [[ \${COMP_WORDS[first++]} != -- ]]; do :; done
  compopt -o filenames
  if declare -F _comp_command_offset >/dev/null; then _comp_command_offset $first
  elif declare -F _command_offset >/dev/null; then _command_offset $first
  elif ((COMP_CWORD == first)); then mapfile -t COMPREPLY < <(compgen -c -f -- "$1" | sort -u)
  else mapfile -t COMPREPLY < <(compgen -f -- "$1")
  fi
}
_kubepass() {
  local current=\${COMP_WORDS[COMP_CWORD]} word about
  [[ $current == = ]] && current=
  COMPREPLY=()
  while IFS=$'\\t' read -r word about; do
    case $word in
      :file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      :command) _kubepass_command "$current" ;;
      "$current"*) COMPREPLY+=("$word") ;;
    esac
  done < <("\${COMP_WORDS[0]/#\\~/$HOME}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD-1}" "$current" 2>/dev/null)
}
complete -F _kubepass kubepass
`,
    zsh: `#compdef kubepass
_kubepass() {
  local -a described
  local word about
  while IFS=$'\\t' read -r word about; do
    case $word in
      :file) _files; return ;;
      :folder) _files -/; return ;;
      :command) local separator=\${words[(i)--]}; words=("\${(@)words[separator+1,-1]}"); (( CURRENT -= separator )); _normal; return ;;
      *) described+=("$word\${about:+:$about}") ;;
    esac
  done < <("\${words[1]/#\\~/$HOME}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe kubepass described
}
compdef _kubepass kubepass
`,
    fish: `function __kubepass_complete
  set --local words (commandline --current-process --tokenize --cut-at-cursor)
  set --local current (commandline --current-token --cut-at-cursor)
  set --local program (string replace --regex '^~' $HOME -- $words[1])
  for line in ($program __complete $words[2..] $current 2>/dev/null)
    switch $line
      case :file
        __fish_complete_path $current
      case :folder
        __fish_complete_directories $current
      case :command
        __fish_complete_subcommand --commandline $words[(math (contains --index -- -- $words) + 1)..] $current
      case '*'
        echo $line
    end
  end
end
complete --command kubepass --no-files --arguments '(__kubepass_complete)'
`,
};

// EXTERNAL MODULE: ./node_modules/commander/index.js + 6 modules
var commander = __webpack_require__(7375);
;// CONCATENATED MODULE: ./src/command-line/help.ts




const INTRODUCTION = 'A Kubernetes credential that exists only while a scan runs.';
/** The end of the help of a command that has inputs. */
const ENVIRONMENT = `
Defaults:
  The variable KUBEPASS_NAME gives the default of the flag --name: KUBEPASS_SERVER
  for --server, KUBEPASS_TOKEN_FILE for --token-file. The token of the identity has
  a variable, KUBEPASS_TOKEN, but no flag. If no input names the API server,
  kubepass uses the kubeconfig of kubectl: KUBECONFIG, or ~/.kube/config. In a job
  of GitHub or GitLab, other rules apply:
  https://github.com/kubepass/kubepass/blob/main/docs/terminal.md
`;
/** The end of the help of the program. */
const CI_COMMANDS = `
In a CI job, kubepass main does the work, and kubepass post is the cleanup.
`;
/** The description of an input, with its choices and its default. */
function describeInput(id) {
    if ((0,config_flags/* isSwitch */.Tb)(id))
        return inputs/* inputs */.QL[id].description;
    const { default: defaultValue, description, required } = inputs/* inputs */.QL[id];
    const options = (0,inputs/* optionsOn */.q4)('terminal', id);
    const notes = [
        required === true ? 'required' : required === undefined ? '' : `required ${required}`,
        options === undefined ? '' : `one of ${options.join(', ')}`,
        defaultValue === '' ? '' : `default ${defaultValue}`,
    ].filter((note) => note !== '');
    return notes.length === 0 ? description : `${description} (${notes.join('; ')})`;
}
function examplesAndExitCodes(name) {
    const { examples, exitCodes, exitCode1 } = subcommands[name];
    const ofCommand = [
        ...(name === 'run' ? ["  the command's own, if it ends by itself"] : []),
        ...(exitCode1 === undefined ? [] : [`  1    ${exitCode1}`]),
    ];
    const ofErrors = exitCodes
        .map((code) => errors/* errorCodes */.fv[code])
        .toSorted((one, other) => one.exit - other.exit)
        .map(({ exit, means }) => `  ${String(exit).padEnd(4)} ${means.replaceAll('`', '')}`);
    const lines = [
        ...examples.flatMap(([what, line], index) => [...(index === 0 ? ['', 'Examples:'] : []), `  # ${what}`, `  ${line}`]),
        ...(exitCodes.length === 0 ? [] : ['', 'Exit codes:', ...ofCommand, ...ofErrors]),
    ];
    return lines.join('\n');
}

;// CONCATENATED MODULE: ./src/command-line/usage-errors.ts






/**
 * The error about a word that commander does not know.
 * @param error the error of commander
 * @param words the command line
 */
function unknownWordError({ code, message }, words) {
    const [, wrongWord = '', suggestion] = /'([^]*?)'[^\n']*(?:\n\((Did you mean [^]*)\))?$/.exec(message) ?? [];
    const name = words[0] === 'help' ? '' : (words[0] ?? '');
    const help = isSubcommandName(name) ? `kubepass ${name} --help shows all flags.` : 'kubepass help shows all commands.';
    const wrong = aboutWord(code, wrongWord, suggestion);
    return new errors/* KubepassError */.v3('INPUT', wrong.fact, { hint: [...(wrong.hint === undefined ? [] : [wrong.hint]), help].join('\n') });
}
function missingCommandError() {
    return new errors/* KubepassError */.v3('INPUT', 'A command of kubepass is missing before --.', { hint: `Usage: ${usageOf('run')}` });
}
function aboutWord(code, word, suggestion) {
    if (code === 'commander.unknownCommand')
        return { fact: notKnown('command', word), hint: suggestion };
    if (code === 'commander.optionMissingArgument')
        return { fact: `${word.split(' ')[0]} needs a value.` };
    if (code === 'commander.unknownOption' && /^--[^=]+=/.test(word))
        return { fact: `${word.split('=')[0]} takes no value.` };
    return aboutUnknownFlag(word, suggestion);
}
function aboutUnknownFlag(flag, suggestion) {
    const id = inputs/* inputIds */.Zp.find((each) => (0,config_flags/* flagName */.GI)(each) === flag);
    if (id === undefined || config_flags/* terminalInputs */.MT.includes(id)) {
        const meant = inputs/* inputIds */.Zp.map(config_flags/* flagName */.GI).find((name) => name === `-${flag}`);
        return { fact: notKnown('flag', flag), hint: meant === undefined ? suggestion : `Did you mean ${meant}?` };
    }
    if (inputs/* inputs */.QL[id].ciOnly === true)
        return { fact: `${flag} is no flag of a terminal, because the input has an effect only in a CI job.` };
    return {
        fact: `${flag} is no flag, because every user of the machine can read a command line.`,
        hint: `Set the variable ${(0,config_flags/* variableName */.cG)(id)}.`,
    };
}
function notKnown(kind, word) {
    return mayBeSecret(word) ? `A ${kind} is not known. ${NOT_SHOWN}` : `There is no ${kind} ${(0,quote/* quote */.hD)(word)}.`;
}
/** A user who mistypes a flag can leave a token as a stray word. */
function mayBeSecret(word) {
    return (0,path_or_content/* isNoPath */.F)(word) || word.length > 40;
}
const NOT_SHOWN = 'kubepass does not show the word, because it may be a secret.';
/**
 * Checks the words besides the flags.
 * @param isSeparated whether the command line has `--`
 * @throws INPUT
 */
function checkOperands(command, { operands, argv }, isSeparated) {
    const fact = problemOfRun(command, operands, isSeparated) ?? problemOfCount(command, operands) ?? problemOfArgv(command, argv);
    if (fact !== undefined) {
        throw new errors/* KubepassError */.v3('INPUT', fact, { hint: `Usage: ${usageOf(command)}\nkubepass ${command} --help shows more.` });
    }
}
function problemOfRun(command, [first], isSeparated) {
    if (command !== 'run' || first === undefined)
        return undefined;
    if (isSeparated)
        return strayWord(first);
    return mayBeSecret(first) ? '-- is missing before the command.' : `-- is missing before the command, which begins with ${(0,quote/* quote */.hD)(first)}.`;
}
function problemOfCount(command, operands) {
    const { operandCount: count } = subcommands[command];
    const [first] = operands;
    if (count === 'one or more' ? first !== undefined : operands.length === count)
        return undefined;
    if (command === 'decode')
        return 'kubepass decode reads the token from standard input.';
    if (count === 0 && first !== undefined)
        return strayWord(first);
    return `kubepass ${command} needs ${count === 1 ? 'one' : count} word${count === 1 ? '' : 's'} (${subcommands[command].operands}) besides its flags, but gets ${operands.length}.`;
}
function strayWord(word) {
    return mayBeSecret(word) ? `A word is no flag. ${NOT_SHOWN}` : `The word ${(0,quote/* quote */.hD)(word)} is no flag.`;
}
function problemOfArgv(command, argv) {
    return command !== 'run' && argv.length > 0 ? `kubepass ${command} runs no command after --.` : undefined;
}

;// CONCATENATED MODULE: ./src/command-line/parse.ts







/**
 * Reads a command line of a terminal.
 * @param columns the width of the terminal, for the help
 * @throws INPUT
 */
function parseCommandLine(words, columns) {
    const end = words.includes('--') ? words.indexOf('--') : words.length;
    let printed = '';
    let request;
    const program = newProgram(columns, (text) => (printed += text));
    for (const name of subcommandNames) {
        const command = subcommandOf(program, name);
        command.action((operands) => {
            request = { command: name, ...flagsOf(command, name), operands, argv: words.slice(end + 1) };
        });
    }
    try {
        program.parse(normalize(words.slice(0, end)), { from: 'user' });
    }
    catch (error) {
        if (!(error instanceof commander/* CommanderError */.b7))
            throw error;
        if (error.exitCode !== 0)
            throw unknownWordError(error, words);
    }
    if (request === undefined && end === 0 && words.length > 0)
        throw missingCommandError();
    if (request === undefined)
        return { print: printed };
    checkOperands(request.command, request, end < words.length);
    return request;
}
function newProgram(columns, print) {
    return new commander/* Command */.uB('kubepass')
        .description(INTRODUCTION)
        .optionsGroup('Flags:')
        .version(version/* version */.r, '--version', 'Print the version.')
        .helpOption('-h, --help', 'Show the help.')
        .helpCommand('help [COMMAND]', 'Show the help, or that of a command.')
        .addHelpText('after', CI_COMMANDS)
        .enablePositionalOptions()
        .exitOverride()
        .configureHelp({
        optionTerm: ({ flags, long }) => (isInputSwitch(long) ? (long ?? '') : flags),
        subcommandTerm: (command) => command.name(),
        commandUsage: (command) => (command.parent === null ? 'kubepass COMMAND [FLAGS]' : usageOf(command.name())),
    })
        .configureOutput({ writeOut: print, writeErr: () => undefined, getOutHelpWidth: () => columns });
}
function subcommandOf(program, name) {
    const { summary, inputs: ids, extraFlags: extra } = subcommands[name];
    const command = program
        .command(name)
        .description(summary)
        .optionsGroup('Flags:')
        .argument('[words...]')
        // commander must not read the flags after the first word, so that the error names the missing `--`.
        .passThroughOptions(name === 'run')
        .addHelpText('after', examplesAndExitCodes(name));
    for (const id of ids)
        command.addOption(new commander/* Option */.c$(`${(0,config_flags/* flagName */.GI)(id)} <${placeholderOf(id)}>`, describeInput(id)));
    for (const flag of extra) {
        const { description, path } = config_flags/* extraFlags */.u6[flag];
        command.addOption(new commander/* Option */.c$(path === undefined ? `--${flag}` : `--${flag} <FILE>`, description));
    }
    return ids.length === 0 ? command : command.addHelpText('after', ENVIRONMENT);
}
function flagsOf(command, name) {
    const { inputs: ids, extraFlags: extra } = subcommands[name];
    const given = new Map(command.options.map((option) => [option.long, command.getOptionValue(option.attributeName())]));
    const values = ids.flatMap((id) => {
        const value = given.get((0,config_flags/* flagName */.GI)(id));
        return typeof value === 'string' ? [[id, value]] : [];
    });
    return { ids, values: new Map(values), extraFlags: Object.fromEntries(extra.map((flag) => [flag, given.get(`--${flag}`)])) };
}
function placeholderOf(id) {
    const { options, path } = inputs/* inputs */.QL[id];
    // A placeholder with all choices would be too long, and the description lists the choices.
    return options !== undefined ? 'CHOICE' : (path?.toUpperCase() ?? 'VALUE');
}
/**
 * The words as commander reads them. A switch alone means true, as in kubectl; the word true or false behind it is its value, because
 * messages say "set --allow-exec to true". A flag that is not known loses its value, because the
 * message about the flag quotes it, and the value may be a secret.
 */
function normalize(words) {
    const [first, second, ...rest] = words;
    if (first === undefined || (first === 'help' && second === undefined))
        return ['--help'];
    if (first === 'help' && second !== undefined)
        return isSubcommandName(second) ? [second, '--help', ...rest] : [second];
    const knownFlags = isSubcommandName(first) ? valueNeedByFlag(first) : new Map();
    let isValue = false;
    return words.map((word, index) => {
        const isFlag = !isValue && word.startsWith('-');
        const isSwitchWithValue = isInputSwitch(word) && ['true', 'false'].includes(words[index + 1] ?? '');
        isValue = isFlag && (knownFlags.get(word) === true || isSwitchWithValue);
        return isFlag && !isSwitchWithValue ? normalizeFlag(word, knownFlags) : word;
    });
}
function normalizeFlag(word, knownFlags) {
    const [name = ''] = word.split('=');
    if (isInputSwitch(word))
        return `${word}=true`;
    if (knownFlags.has(name))
        return word;
    // commander would read a bare -- as the end of the flags.
    if (name === '--')
        return '--=';
    return word.startsWith('--') ? name : shortFlag(word, knownFlags);
}
/**
 * Keeps only the letter of a short flag, because the other letters can be a secret value. A long flag with one dash stays whole, so
 * that the error can suggest two dashes.
 */
function shortFlag(word, knownFlags) {
    return knownFlags.has(`-${word}`) ? word : word.slice(0, 2);
}
/** The flags of a command, and whether the next word is their value. */
function valueNeedByFlag(name) {
    const { inputs: ids, extraFlags: extra } = subcommands[name];
    return new Map([
        ...ids.map((id) => [(0,config_flags/* flagName */.GI)(id), !(0,config_flags/* isSwitch */.Tb)(id)]),
        ...extra.map((flag) => [`--${flag}`, config_flags/* extraFlags */.u6[flag].path !== undefined]),
    ]);
}
function isInputSwitch(flag) {
    return config_flags/* terminalInputs */.MT.some((id) => (0,config_flags/* isSwitch */.Tb)(id) && (0,config_flags/* flagName */.GI)(id) === flag);
}

;// CONCATENATED MODULE: ./src/command-line/start.ts













/** For an output that is no terminal. */
const DEFAULT_COLUMNS = 100;
const start_COMMANDS = { run: run/* runCommand */.d, revoke: recover/* recoverCommand */.o, sweep: sweepCommand };
/**
 * Runs what a command line of a terminal asks for.
 * @returns the exit code of a command that has no run; undefined if it is 0, or set by execute()
 * @throws INPUT if the command line is wrong
 */
async function startCommandLine(words, { env, columns }) {
    // The completion scripts call `__complete`, so no help lists the command.
    if (words[0] === '__complete')
        return shown(completeWords(words.slice(1)));
    const request = parseCommandLine(words, columns ?? DEFAULT_COLUMNS);
    if ('print' in request)
        return shown(request.print);
    const { command, operands } = request;
    if (command === 'version')
        return shown(`${version/* version */.r}\n`);
    if (command === 'completion')
        return shown(completionScript(operands[0] ?? ''));
    if (command === 'decode')
        return shown(`${decode(textOfStdin())}\n`);
    if (command === 'suggest')
        return suggestRoles(request);
    await (0,execute/* execute */.g)(start_COMMANDS[command], (redact) => terminalPlatform(request, env, redact));
    return undefined;
}
function shown(text) {
    (0,print/* print */.yy)(print/* STDOUT */.UU, text);
    return undefined;
}
async function suggestRoles({ operands, extraFlags }) {
    const { check } = extraFlags;
    const { text, failure } = await suggest(operands, typeof check === 'string' ? check : undefined);
    (0,print/* print */.yy)(print/* STDOUT */.UU, text);
    if (failure === undefined)
        return undefined;
    (0,print/* print */.yy)(print/* STDERR */.xS, `kubepass: ${failure}\n`);
    return 1;
}
function textOfStdin() {
    try {
        return (0,external_node_fs_.readFileSync)(0, 'utf8');
    }
    catch (error) {
        throw new errors/* KubepassError */.v3('INPUT', `Standard input cannot be read (${(0,errors/* errnoOf */.UQ)(error)}).`, { hint: 'Usage: kubepass decode < TOKEN' });
    }
}


/***/ })

};
