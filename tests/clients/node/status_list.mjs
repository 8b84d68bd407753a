// @sd-jwt/jwt-status-list with jose: a service of another vendor that checks a token and its status list, before and after the token
// was revoked. Prints what it saw as one line of JSON.

import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;

const metadata = await (await fetch(`${ISSUER}/.well-known/oauth-authorization-server`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
const authorization = `Basic ${Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64')}`;
const post = async (endpoint, fields) => {
  const answer = await fetch(endpoint, { method: 'POST', headers: { authorization }, body: new URLSearchParams(fields) });
  if (!answer.ok) throw new Error(`${endpoint} answers ${answer.status}: ${await answer.text()}`);
  return answer.json();
};

const fresh = async () => (await post(metadata.token_endpoint, { grant_type: 'client_credentials' })).access_token;
const [token, other] = [await fresh(), await fresh()];

const status = async (token) => {
  await jwtVerify(token, keys, { issuer: ISSUER, typ: 'at+jwt' });
  const { idx, uri } = getStatusListFromJWT(token);
  const answer = await fetch(uri, { headers: { accept: 'application/statuslist+jwt' } });
  const list = await answer.text();
  const { payload } = await jwtVerify(list, keys, { issuer: ISSUER, subject: uri, typ: 'statuslist+jwt', requiredClaims: ['iat', 'exp', 'ttl'] });
  return { uri, idx, media_type: answer.headers.get('content-type'), ttl: payload.ttl, status: getListFromStatusListJWT(list).getStatus(idx) };
};

const before = [await status(token), await status(other)];
await post(metadata.revocation_endpoint, { token });
const after = [await status(token), await status(other)];
console.log(JSON.stringify({ before, after }));
