// The demo client: the authorization code flow with PKCE (RFC 7636, S256), in one page and without a library.
// For development only. It keeps its tokens in sessionStorage, where any script of this origin could read them.
"use strict";

const page = document.getElementById("demo");
const { issuer, clientId, scope, resource, ordersUrl } = page.dataset;
const redirectUri = location.origin + "/demo";
const byId = (id) => document.getElementById(id);

// ---- what is kept between page loads -------------------------------------------------------------------------------------

const kept = {
  get(name) {
    const text = sessionStorage.getItem("demo." + name);
    return text === null ? null : JSON.parse(text);
  },
  set(name, value) { sessionStorage.setItem("demo." + name, JSON.stringify(value)); },
  take(name) {
    const value = kept.get(name);
    sessionStorage.removeItem("demo." + name);
    return value;
  },
};

// ---- the flow ------------------------------------------------------------------------------------------------------------

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function signIn() {
  const begun = { verifier: random(), state: random(), nonce: random() };
  kept.set("begun", begun);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(begun.verifier));
  const query = new URLSearchParams({
    response_type: "code", client_id: clientId, redirect_uri: redirectUri, scope, resource,
    state: begun.state, nonce: begun.nonce, code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "S256",
  });
  location.assign("/authorize?" + query);
}

// The answer is believed only if this tab began the flow (state) and this issuer ended it (iss, RFC 9207).
async function finish(answer) {
  const begun = kept.take("begun");
  history.replaceState(null, "", redirectUri);
  if (begun === null || answer.get("state") !== begun.state) {
    throw new Error("This answer belongs to no sign-in that this tab began (state does not match), so it was dropped.");
  }
  if (answer.get("iss") !== issuer) {
    throw new Error("This answer comes from another issuer (iss does not match), so it was dropped.");
  }
  if (answer.has("error")) {
    throw new Error(oauthError(answer.get("error"), answer.get("error_description")));
  }
  const tokens = await askForTokens({
    grant_type: "authorization_code", code: answer.get("code") ?? "", redirect_uri: redirectUri, code_verifier: begun.verifier,
  });
  if (tokens.id_token !== undefined && decode(tokens.id_token).claims.nonce !== begun.nonce) {
    throw new Error("The ID token was made for another sign-in (nonce does not match), so it was dropped.");
  }
  kept.take("revoked");
  kept.set("tokens", tokens);
}

// What the account page's own form does, with that form's own token: this page is of the same origin, another could not read it.
async function endAll() {
  const path = "/account/sessions/end-all";
  const account = await fetch("/", { headers: { Accept: "text/html" } }).then((reply) => reply.text()).catch(silent);
  const form = new DOMParser().parseFromString(account, "text/html").querySelector(`form[action="${path}"]`);
  if (form === null) {
    throw new Error("This browser is not signed in at Passant any more, so there is nothing to log out of. Sign in again first.");
  }
  const request = { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(new FormData(form)) };
  const reply = await fetch(path, request).catch(silent);
  if (!reply.ok) throw new Error("Passant did not log you out (status " + reply.status + "). Load this page anew and try again.");
  kept.set("revoked", await reply.json());
}

function silent() {
  throw new Error("Passant does not answer. Is the server still running?");
}

async function refresh() {
  const before = kept.get("tokens");
  const after = await askForTokens({ grant_type: "refresh_token", refresh_token: before.refresh_token });
  kept.set("tokens", { ...before, ...after });
}

async function askForTokens(form) {
  let reply;
  try {
    reply = await fetch("/token", { method: "POST", body: new URLSearchParams({ client_id: clientId, resource, ...form }) });
  } catch {
    throw new Error("The token endpoint does not answer. Is the server still running?");
  }
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) {
    throw new Error(oauthError(body.error ?? "HTTP status " + reply.status, body.error_description));
  }
  return body;
}

function oauthError(code, description) {
  return code === "access_denied" && !description ? "You said no, so there is no token. (access_denied)"
    : "Passant answered: " + code + (description ? " – " + description : "");
}

// ---- reading a token (for show: nothing here checks the signature, which is the service's task) ----------------------------

function decode(token) {
  const part = (text) => {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  };
  const [header, claims] = token.split(".");
  return { header: part(header), claims: part(claims) };
}

const local = (seconds) => new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

const meanings = {
  alg: (name) => "How it is signed" + (name === "RS256" ? ": RSA with SHA-256." : "."),
  typ: () => "An access token (RFC 9068), so that nobody mistakes it for an ID token.",
  kid: () => "Which of the published keys signed it.",
  iss: () => "Who issued it. A service accepts only the issuer it was told about.",
  sub: () => "Who you are: a random id that is never given to anybody else.",
  aud: () => "The service it is for. Every other service refuses it.",
  client_id: () => "The application that asked for it.",
  scope: () => "What the application may do with it.",
  iat: (at) => "Issued at " + local(at) + ".",
  exp: (at) => "Good until " + local(at) + ".",
  auth_time: (at) => "You signed in at " + local(at) + ".",
  jti: () => "This token’s own id, so that it can be revoked by itself.",
  sid: () => "Your sign-in. Signing out revokes every token that carries it.",
  gid: () => "What you allowed this application. Withdrawing it revokes the tokens that carry it.",
  born: () => "The tick at which the permission began. A revocation kills what was born before it.",
};

// ---- showing it ------------------------------------------------------------------------------------------------------------

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function list(target, values) {
  target.replaceChildren(...Object.entries(values).map(([name, value]) => {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    term.append(element("code", name));
    const shown = document.createElement("dd");
    shown.append(element("code", typeof value === "string" ? value : JSON.stringify(value)));
    row.append(term, shown);
    if (Object.hasOwn(meanings, name)) row.append(element("dd", meanings[name](value)));
    return row;
  }));
}

function show() {
  const tokens = kept.get("tokens");
  byId("signed-out").hidden = tokens !== null;
  byId("signed-in").hidden = tokens === null;
  byId("answer").replaceChildren();
  if (tokens === null) return;
  const { header, claims } = decode(tokens.access_token);
  list(byId("claims"), claims);
  list(byId("header"), header);
  byId("token").value = tokens.access_token;
  byId("curl").value = `curl -H "Authorization: Bearer ${tokens.access_token}" ${ordersUrl}`;
  byId("call-url").textContent = "GET " + ordersUrl;
  byId("refresh").hidden = tokens.refresh_token === undefined;
  byId("refresh-note").textContent = tokens.refresh_token === undefined
    ? "There is no refresh token: sign in again when it ends."
    : "There is a refresh token, which changes at every use.";
  showRevoked();
  showLife();
}

function showRevoked() {
  const revoked = kept.get("revoked");
  byId("revoked").hidden = revoked === null;
  byId("end-all").hidden = revoked !== null;
  byId("refresh").hidden ||= revoked !== null;
  if (revoked === null) return;
  byId("refresh-note").textContent = "It has not expired, but it was revoked.";
  byId("revoked").textContent = "You are logged out everywhere: all that you had was revoked at tick " + revoked.tick
    + ". Every service that follows the feed refuses this token within " + seconds(revoked.effective_within)
    + ", and so does Passant. Call the orders service again and see.";
}

const seconds = (count) => count === 1 ? "a second" : count + " seconds";

function showLife() {
  const tokens = kept.get("tokens");
  if (tokens === null) return;
  const left = Math.ceil(decode(tokens.access_token).claims.exp - Date.now() / 1000);
  const minutes = Math.floor(left / 60);
  byId("life").textContent = left <= 0 ? "This token has expired."
    : "This token is good for another " + (minutes > 0 ? minutes + " min " : "") + (left % 60) + " s.";
}

async function callOrders() {
  const answer = document.createElement("div");
  answer.className = "answer";
  try {
    const reply = await fetch(ordersUrl, { headers: { Authorization: "Bearer " + kept.get("tokens").access_token } });
    const text = await reply.text();
    answer.classList.toggle("refused", !reply.ok);
    answer.append(element("p", "Answered with status " + reply.status + verdict(reply.status)));
    const challenge = reply.headers.get("WWW-Authenticate");
    if (challenge) answer.append(element("pre", "WWW-Authenticate: " + challenge));
    if (text) answer.append(element("pre", pretty(text)));
  } catch {
    answer.classList.add("refused");
    const origin = new URL(ordersUrl).origin;
    answer.append(
      element("p", "Nothing is listening at " + origin + ", or it does not allow calls from this page. Start it with:"),
      element("pre", "ISSUER=" + issuer + " cargo run -p passant-verifier --example orders_api --features http,axum"));
  }
  byId("answer").replaceChildren(answer);
}

function verdict(status) {
  if (status === 401 && kept.get("revoked") !== null) return ": the service refuses this token, which was revoked. It asked nobody.";
  if (status === 503) return ": the service cannot judge tokens at the moment. Try again.";
  return status < 400 ? "." : ": the service refuses this token.";
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

async function copy(source) {
  source.select();
  try {
    await navigator.clipboard.writeText(source.value);
    return "Copied";
  } catch {
    return "Selected";
  }
}

// ---- buttons ---------------------------------------------------------------------------------------------------------------

const say = (text) => { byId("status").textContent = text; };

function complain(problem) {
  const notice = byId("problem");
  notice.hidden = problem === null;
  notice.textContent = problem === null ? "" : problem.message;
  document.title = document.title.replace(/^Error: /, "").replace(/^/, problem === null ? "" : "Error: ");
}

let running = false;

// Runs one action at a time, and tells what came of it.
async function run(action, done) {
  if (running) return;
  running = true;
  complain(null);
  say("");
  try {
    await action();
    show();
    say(done);
  } catch (problem) {
    show();
    complain(problem);
  }
  running = false;
}

async function forget() {
  const known = kept.get("revoked") === null ? " Passant still knows you." : "";
  await run(() => sessionStorage.clear(), "This page has forgotten its tokens." + known);
  byId("sign-in").focus();
}

// The button goes once it has done its work; what to do next takes the focus.
async function logOut() {
  await run(endAll, "You are logged out everywhere.");
  if (kept.get("revoked") !== null) byId("call").focus();
}

async function copyBeside(button) {
  const said = await copy(byId(button.dataset.copies));
  button.textContent = said;
  say(said);
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

byId("sign-in").addEventListener("click", () => run(signIn, "Going to the sign-in page …"));
byId("refresh").addEventListener("click", () => run(refresh, "Here is a new token."));
byId("end-all").addEventListener("click", logOut);
byId("forget").addEventListener("click", forget);
byId("call").addEventListener("click", callOrders);
for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => copyBeside(button));
}

const answer = new URLSearchParams(location.search);
if (answer.has("state") || answer.has("error")) {
  run(() => finish(answer), "You are signed in.");
} else {
  run(() => {}, "");
}
setInterval(showLife, 1000);
