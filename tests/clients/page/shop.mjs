// A single-page application with oidc-client-ts. Its buttons are pressed by the test; what it did stands on the page as JSON.

import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Log, UserManager } from 'oidc-client-ts';

const settings = await (await fetch('/settings.json')).json();
const manager = new UserManager({ ...settings, loadUserInfo: true, automaticSilentRenew: false });
Log.setLogger(console);
const shown = document.getElementById('report');
const report = JSON.parse(sessionStorage.getItem('report') ?? '{}');

/** Shows a step, done or failed, once and for all to see. */
async function step(name, work) {
  try {
    await work();
    sessionStorage.setItem('report', JSON.stringify(report));
    shown.textContent = JSON.stringify(report);
    shown.dataset.step = name;
  } catch (error) {
    shown.textContent = `${name}: ${error.stack}`;
    shown.dataset.step = 'failed';
  }
}

async function refused(work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error(`this should have been refused: ${work}`);
}

async function signedIn() {
  const metadata = await manager.metadataService.getMetadata();
  report.issuer = metadata.issuer;
  const altered = new URL(location);
  altered.searchParams.set('state', 'of somebody else');
  report.mixed_up = { state: (await refused(() => manager.signinCallback(altered.href))).message };

  const user = await manager.signinCallback();
  // oidc-client-ts trusts TLS and leaves signatures alone.
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
  const verified = async (token, audience, typ) =>
    (await jwtVerify(token, keys, { issuer: metadata.issuer, audience, typ, algorithms: ['RS256'] })).payload;
  report.id_token = await verified(user.id_token, settings.client_id, 'JWT');
  report.userinfo = user.profile;

  const refreshed = await manager.signinSilent();
  report.rotated = refreshed.refresh_token !== user.refresh_token;
  report.refreshed_id_token = await verified(refreshed.id_token, settings.client_id, 'JWT');
  report.access_token = await verified(refreshed.access_token, settings.resource, 'at+jwt');

  if (metadata.revocation_endpoint) {
    const { refresh_token } = refreshed;
    await manager.revokeTokens(['refresh_token']);
    // It forgets what it revoked: somebody else might not have.
    refreshed.refresh_token = refresh_token;
    await manager.storeUser(refreshed);
    const headers = { authorization: `Bearer ${refreshed.access_token}` };
    report.revoked = {
      refresh: (await refused(() => manager.signinSilent())).error,
      userinfo: (await fetch(metadata.userinfo_endpoint, { headers })).status,
    };
  }
}

async function signedOut() {
  const { userState } = await manager.signoutCallback();
  report.logged_out = { state_returned: userState === 'a state of the shop' };
}

async function notSignedIn() {
  report.logged_out.prompt_none = (await refused(() => manager.signinCallback())).error;
}

document.getElementById('sign-in').onclick = () => manager.signinRedirect();
document.getElementById('sign-in-silently').onclick = () => manager.signinRedirect({ prompt: 'none' });
document.getElementById('sign-out').onclick = () => manager.signoutRedirect({ state: 'a state of the shop' });

const parameters = new URLSearchParams(location.search);
if (location.pathname === '/bye') await step('signed-out', signedOut);
else if (parameters.has('error')) await step('not-signed-in', notSignedIn);
else if (parameters.has('code')) await step('signed-in', signedIn);
// Nobody presses a button that nothing listens to yet.
for (const button of document.querySelectorAll('button')) button.disabled = false;
