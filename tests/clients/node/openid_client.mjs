// openid-client, as its documentation uses it, from discovery to logout. Prints what it did as one line of JSON.

import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';

import {
  CLIENT_ID, CLIENT_SECRET, ISSUER, POST_LOGOUT_REDIRECT_URI, REDIRECT_URI, RESOURCE, SCOPE, altered, browser, refused,
} from './visitor.mjs';

const config = await client.discovery(new URL(ISSUER), CLIENT_ID, {}, client.ClientSecretBasic(CLIENT_SECRET));
// Without this it trusts TLS and leaves the ID token's signature alone.
client.enableNonRepudiationChecks(config);
const metadata = config.serverMetadata();

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
const request = {
  redirect_uri: REDIRECT_URI,
  scope: SCOPE,
  resource: RESOURCE,
  state: checks.expectedState,
  nonce: checks.expectedNonce,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
};
const callback = await browser.visit(client.buildAuthorizationUrl(config, request).href, REDIRECT_URI);
const mixed_up = {};
for (const name of ['state', 'iss']) {
  mixed_up[name] = (await refused(() => client.authorizationCodeGrant(config, altered(callback, name), checks))).message;
}
const tokens = await client.authorizationCodeGrant(config, callback, checks);
const id_token = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, id_token.sub);

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
const key_set = createRemoteJWKSet(new URL(metadata.jwks_uri));
const expected = { issuer: metadata.issuer, audience: RESOURCE, typ: 'at+jwt', algorithms: ['RS256'] };
const access_token = (await jwtVerify(refreshed.access_token, key_set, expected)).payload;

const report = {
  issuer: metadata.issuer,
  mixed_up,
  id_token,
  userinfo,
  rotated: refreshed.refresh_token !== tokens.refresh_token,
  refreshed_id_token: refreshed.claims(),
  access_token,
};

if (metadata.revocation_endpoint) {
  await client.tokenRevocation(config, refreshed.refresh_token, { token_type_hint: 'refresh_token' });
  report.revoked = {
    refresh: (await refused(() => client.refreshTokenGrant(config, refreshed.refresh_token))).error,
    userinfo: (await refused(() => client.fetchUserInfo(config, refreshed.access_token, id_token.sub))).status,
  };
}

if (metadata.end_session_endpoint) {
  const farewell = {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: POST_LOGOUT_REDIRECT_URI,
    state: client.randomState(),
  };
  const goodbye = await browser.visit(client.buildEndSessionUrl(config, farewell).href, POST_LOGOUT_REDIRECT_URI);
  const silent = client.buildAuthorizationUrl(config, { ...request, prompt: 'none' });
  const answer = await browser.visit(silent.href, REDIRECT_URI);
  report.logged_out = {
    state_returned: goodbye.searchParams.get('state') === farewell.state,
    prompt_none: (await refused(() => client.authorizationCodeGrant(config, answer, checks))).error,
  };
}

console.log(JSON.stringify(report));
