// GitHub's description of its API, and whether requests and responses agree with it. A response must neither lack
// described members nor have others.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const require = createRequire(import.meta.url);
const document = JSON.parse(readFileSync(require.resolve('@octokit/openapi/generated/api.github.com.json'), 'utf8'));

// Responses that any operation may give, even if its description doesn't list them.
const ANYWHERE = { 304: null, 307: 'basic-error', 400: 'basic-error', 401: 'basic-error', 403: 'basic-error',
  404: 'basic-error', 409: 'basic-error', 422: 'basic-error' };

const ajv = new Ajv({ strict: false, allErrors: true, verbose: true });
addFormats(ajv);
// GitHub's number formats are plain JSON numbers.
for (const format of ['int32', 'int64', 'repo.nwo', 'binary']) ajv.addFormat(format, true);

const operations = Object.entries(document.paths).flatMap(([path, methods]) => {
  const pattern = path.replace(/[.*+?^$|()[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '([^/]+)');
  const names = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
  return Object.entries(methods).map(([method, operation]) => (
    { method: method.toUpperCase(), path, pattern: new RegExp(`^${pattern}$`), names, operation }));
});

const resolve = (node) => (node.$ref ? node.$ref.slice(2).split('/').reduce((at, key) => at[key], document) : node);

// Converts OpenAPI 3.0 to JSON Schema. `closed` forbids members that aren't described.
function schema(node, closed) {
  if (Array.isArray(node)) return node.map((part) => schema(part, closed));
  if (node === null || typeof node !== 'object') return node;
  if (node.$ref) return { $ref: `#/definitions/${named(node.$ref.split('/').pop(), closed)}` };
  const { nullable, example, examples, discriminator, description, title, ...rest } = node;
  const made = {};
  for (const [key, value] of Object.entries(rest)) {
    if (key === 'properties') {
      const members = Object.entries(value).map(([name, member]) => [name, schema(member, closed)]);
      made.properties = Object.fromEntries(members);
    } else if (['items', 'anyOf', 'oneOf', 'additionalProperties'].includes(key)) {
      made[key] = schema(value, closed);
    } else if (key === 'allOf') {
      // Each of them describes only some of the members.
      made.allOf = schema(value, false);
    } else {
      made[key] = value;
    }
  }
  if (closed && made.properties && made.additionalProperties === undefined && !made.allOf) {
    made.additionalProperties = false;
  }
  return nullable ? { anyOf: [{ type: 'null' }, made] } : made;
}

const definitions = {};
function named(name, closed) {
  const key = closed ? name : `${name} or more`;
  if (!(key in definitions)) {
    definitions[key] = {};
    definitions[key] = schema(document.components.schemas[name], closed);
  }
  return encodeURIComponent(key);
}

const compiled = new Map();
function complaints(name, node, closed, value) {
  if (!compiled.has(name)) compiled.set(name, ajv.compile({ ...schema(node, closed), definitions }));
  const validate = compiled.get(name);
  if (validate(value)) return [];
  return validate.errors.map((error) => {
    const what = error.params.additionalProperty ?? JSON.stringify(error.data)?.slice(0, 200);
    return `${error.instancePath || 'the body'} ${error.message}: ${what}`;
  });
}

function find(method, path) {
  // The path that a renamed repository redirects to is described only with the repository's name.
  const plain = path.replace(/^\/repositories\/\d+/, '/repos/octo-org/app');
  const fitting = operations.filter((one) => one.method === method && one.pattern.test(plain));
  fitting.sort((one, other) => one.names.length - other.names.length);
  return fitting[0];
}

function ofRequest(found, path, query, body) {
  const { operation, path: template } = found;
  const wrong = [];
  const parameters = (operation.parameters ?? []).map(resolve);
  for (const [name, text] of query) {
    const parameter = parameters.find((one) => one.in === 'query' && one.name === name);
    if (!parameter) {
      wrong.push(`the query's ${name} is not described`);
      continue;
    }
    // The description says that it takes a range, as in a search, but its format is a time.
    if (name === 'created') continue;
    const of = parameter.schema;
    const value = of.type === 'integer' ? Number(text) : of.type === 'boolean' ? text === 'true' : text;
    wrong.push(...complaints(`${template} ?${name}`, of, true, value).map((one) => `query ${name}: ${one}`));
  }
  const values = path.match(found.pattern)?.slice(1) ?? [];
  found.names.forEach((name, index) => {
    const parameter = parameters.find((one) => one.in === 'path' && one.name === name);
    if (parameter?.schema?.type === 'integer' && !/^\d+$/.test(values[index])) {
      wrong.push(`the path's ${name} is no number: ${values[index]}`);
    }
  });
  const described = operation.requestBody?.content['application/json']?.schema;
  if (body !== undefined && described) {
    wrong.push(...complaints(`${found.method} ${template}`, described, true, body));
  } else if (body !== undefined) {
    wrong.push('a body where none is described');
  } else if (described?.required?.length > 0) {
    wrong.push('no body');
  }
  return wrong;
}

function ofAnswer(found, status, body) {
  const { operation, path } = found;
  if (!(status in operation.responses) && !(status in ANYWHERE)) return [`the status ${status} is not described`];
  const described = operation.responses[status] && resolve(operation.responses[status]);
  if (status >= 300) {
    // Errors have more members than described, such as `status`.
    const basic = !described && ANYWHERE[status] && { $ref: `#/components/schemas/${ANYWHERE[status]}` };
    const error = described?.content?.['application/json']?.schema ?? basic;
    if (!error) return body === undefined ? [] : ['a body where none is described'];
    const wrong = complaints(`${found.method} ${path} ${status}`, error, false, body);
    for (const key of ['message', 'documentation_url']) {
      if (typeof body?.[key] !== 'string') wrong.push(`an error without ${key}`);
    }
    return wrong;
  }
  const content = described.content?.['application/json'];
  if (!content) return body === undefined ? [] : ['a body where none is described'];
  return complaints(`${found.method} ${path} ${status}`, content.schema, true, body);
}

// The responses seen, as `METHOD path STATUS`.
export const seen = new Set();

// Throws if something doesn't agree. `expected` means that the request is invalid on purpose.
export function check({ method, path, query, request, status, answer, expected = false }) {
  const found = find(method, path);
  if (!found) throw new Error(`${method} ${path} is not described`);
  const wrong = expected ? [] : ofRequest(found, path, query, request).map((one) => `request: ${one}`);
  wrong.push(...ofAnswer(found, status, answer).map((one) => `answer ${status}: ${one}`));
  if (wrong.length > 0) {
    throw new Error(`${method} ${path} does not agree with GitHub's description:\n  ${wrong.join('\n  ')}`);
  }
  seen.add(`${method} ${found.path} ${status}`);
}
