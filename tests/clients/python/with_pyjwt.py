"""PyJWT and its PyJWKClient, as its documentation checks OpenID Connect's tokens. Prints what it did as one line of JSON."""

import base64
import json

import jwt
import requests
from authlib.integrations.requests_client import OAuth2Session
from jwt import PyJWKClient
from visitor import (
    CLIENT_ID, CLIENT_SECRET, ISSUER, REDIRECT_URI, RESOURCE, SCOPE, browser, log_out, refused,
)

metadata = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=20).json()
session = OAuth2Session(
    CLIENT_ID, CLIENT_SECRET, scope=SCOPE, redirect_uri=REDIRECT_URI, code_challenge_method="S256", default_timeout=20
)
code_verifier, nonce = "v" * 43, "n" * 22
authorization_url, state = session.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=code_verifier, nonce=nonce, resource=RESOURCE
)
answer = browser.visit(authorization_url, REDIRECT_URI)
mixed_up = {"state": str(refused(lambda: session.fetch_token(
    metadata["token_endpoint"], authorization_response=answer.replace("state=", "state=x"), state=state
)))}
tokens = session.fetch_token(
    metadata["token_endpoint"], authorization_response=answer, state=state, code_verifier=code_verifier
)

keys = PyJWKClient(metadata["jwks_uri"], timeout=20)


def verified(token, audience, typ):
    """What a token says, once its signature, issuer, audience and times are good."""
    complete = jwt.decode_complete(
        token,
        key=keys.get_signing_key_from_jwt(token),
        algorithms=metadata["id_token_signing_alg_values_supported"],
        issuer=metadata["issuer"],
        audience=audience,
        options={"require": ["exp", "iat", "iss", "aud", "sub"]},
    )
    assert complete["header"]["typ"].lower() == typ, complete["header"]
    return complete["payload"]


id_token = verified(tokens["id_token"], CLIENT_ID, "jwt")
assert id_token["nonce"] == nonce, id_token
digest = jwt.get_algorithm_by_name("RS256").compute_hash_digest(tokens["access_token"].encode())
at_hash = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
assert id_token["at_hash"] == at_hash, id_token

userinfo = session.get(metadata["userinfo_endpoint"]).json()
refreshed = session.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
access_token = verified(refreshed["access_token"], RESOURCE, "at+jwt")
mixed_up["aud"] = str(refused(lambda: verified(refreshed["access_token"], "https://elsewhere.example.com", "at+jwt")))

report = {
    "issuer": metadata["issuer"],
    "mixed_up": mixed_up,
    "id_token": id_token,
    "userinfo": userinfo,
    "rotated": refreshed["refresh_token"] != tokens["refresh_token"],
    "refreshed_id_token": verified(refreshed["id_token"], CLIENT_ID, "jwt"),
    "access_token": access_token,
}

if "revocation_endpoint" in metadata:
    revoked = session.revoke_token(
        metadata["revocation_endpoint"], token=refreshed["refresh_token"], token_type_hint="refresh_token"
    )
    revoked.raise_for_status()
    again = refused(
        lambda: session.refresh_token(metadata["token_endpoint"], refresh_token=refreshed["refresh_token"])
    )
    bearer = {"Authorization": f"Bearer {refreshed['access_token']}"}
    report["revoked"] = {
        "refresh": again.error,
        "userinfo": requests.get(metadata["userinfo_endpoint"], headers=bearer, timeout=20).status_code,
    }

if "end_session_endpoint" in metadata:
    report["logged_out"] = log_out(metadata, tokens["id_token"], authorization_url)

print(json.dumps(report))
