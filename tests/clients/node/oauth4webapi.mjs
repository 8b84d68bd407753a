// oauth4webapi, each request and each judgement of its own, from discovery to logout. Prints what it did as one line of JSON.

import * as oauth from 'oauth4webapi';

import {
  CLIENT_ID, CLIENT_SECRET, ISSUER, POST_LOGOUT_REDIRECT_URI, REDIRECT_URI, RESOURCE, SCOPE, altered, browser, refused,
} from './visitor.mjs';

const issuer = new URL(ISSUER);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oidc' }));
const as_oauth = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }));
if (as_oauth.token_endpoint !== as.token_endpoint) throw new Error('the two well-known paths disagree');
const client = { client_id: CLIENT_ID };
const authentication = oauth.ClientSecretPost(CLIENT_SECRET);

const code_verifier = oauth.generateRandomCodeVerifier();
const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
const code_challenge = await oauth.calculatePKCECodeChallenge(code_verifier);
const request = {
  client_id: CLIENT_ID, response_type: 'code', redirect_uri: REDIRECT_URI, scope: SCOPE, resource: RESOURCE, state, nonce,
  code_challenge, code_challenge_method: 'S256',
};
const at = (endpoint, parameters) => `${endpoint}?${new URLSearchParams(parameters)}`;
const callback = await browser.visit(at(as.authorization_endpoint, request), REDIRECT_URI);
const mixed_up = {};
for (const name of ['state', 'iss']) {
  mixed_up[name] = (await refused(async () => oauth.validateAuthResponse(as, client, altered(callback, name), state))).message;
}
const parameters = oauth.validateAuthResponse(as, client, callback, state);
const redeemed = await oauth.authorizationCodeGrantRequest(as, client, authentication, parameters, REDIRECT_URI, code_verifier);
const tokens = await oauth.processAuthorizationCodeResponse(as, client, redeemed, { expectedNonce: nonce, requireIdToken: true });
await oauth.validateApplicationLevelSignature(as, redeemed);
const id_token = oauth.getValidatedIdTokenClaims(tokens);
const look_up = async (token) =>
  oauth.processUserInfoResponse(as, client, id_token.sub, await oauth.userInfoRequest(as, client, token));
const userinfo = await look_up(tokens.access_token);

const refresh = async (token) =>
  oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, authentication, token));
const refreshed = await refresh(tokens.refresh_token);
const presented = new Request(RESOURCE, { headers: { authorization: `Bearer ${refreshed.access_token}` } });
const access_token = await oauth.validateJwtAccessToken(as, presented, RESOURCE);

const report = {
  issuer: as.issuer,
  mixed_up,
  id_token,
  userinfo,
  rotated: refreshed.refresh_token !== tokens.refresh_token,
  refreshed_id_token: oauth.getValidatedIdTokenClaims(refreshed),
  access_token,
};

if (as.revocation_endpoint) {
  const revocation = await oauth.revocationRequest(as, client, authentication, refreshed.refresh_token);
  await oauth.processRevocationResponse(revocation);
  report.revoked = {
    refresh: (await refused(() => refresh(refreshed.refresh_token))).error,
    userinfo: (await refused(() => look_up(refreshed.access_token))).status,
  };
}

if (as.end_session_endpoint) {
  const farewell = {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: POST_LOGOUT_REDIRECT_URI,
    state: oauth.generateRandomState(),
  };
  const goodbye = await browser.visit(at(as.end_session_endpoint, farewell), POST_LOGOUT_REDIRECT_URI);
  const answer = await browser.visit(at(as.authorization_endpoint, { ...request, prompt: 'none' }), REDIRECT_URI);
  report.logged_out = {
    state_returned: goodbye.searchParams.get('state') === farewell.state,
    prompt_none: (await refused(async () => oauth.validateAuthResponse(as, client, answer, state))).error,
  };
}

console.log(JSON.stringify(report));
