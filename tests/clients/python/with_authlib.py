"""Authlib in a Flask application, from discovery to logout. Prints what it did as one line of JSON."""

import json
from urllib.parse import urlsplit

import requests
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask
from visitor import (
    CLIENT_ID, CLIENT_SECRET, ISSUER, REDIRECT_URI, RESOURCE, SCOPE, browser, log_out, refused,
)

application = Flask(__name__)
application.secret_key = "of the application's own cookie"
application.testing = True
passant = OAuth(application).register(
    "passant",
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": SCOPE, "code_challenge_method": "S256"},
)


@application.get("/login")
def login():
    return passant.authorize_redirect(REDIRECT_URI, resource=RESOURCE)


@application.get("/cb")
def callback():
    return passant.authorize_access_token()


shop = application.test_client()
origin = "{0.scheme}://{0.netloc}".format(urlsplit(REDIRECT_URI))
authorization_url = shop.get("/login", base_url=origin).location
answer = browser.visit(authorization_url, REDIRECT_URI)
mixed_up = {"state": str(refused(lambda: shop.get(answer.replace("state=", "state=x"), base_url=origin)))}
tokens = shop.get(answer, base_url=origin).json
id_token = tokens["userinfo"]
with application.app_context():
    metadata = passant.load_server_metadata()
    userinfo = passant.userinfo(token=tokens)

session = OAuth2Session(
    CLIENT_ID, CLIENT_SECRET, token=tokens, token_endpoint=metadata["token_endpoint"], default_timeout=20
)
refreshed = session.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])


class Service(JWTBearerTokenValidator):
    def get_jwks(self):
        return requests.get(metadata["jwks_uri"], timeout=20).json()


service = Service(issuer=ISSUER, resource_server=RESOURCE)
access_token = service.authenticate_token(refreshed["access_token"])
service.validate_token(access_token, ["openid"], None)

with application.test_request_context():
    refreshed_id_token = passant.parse_id_token(refreshed, nonce=None)

report = {
    "issuer": metadata["issuer"],
    "mixed_up": mixed_up,
    "id_token": id_token,
    "userinfo": userinfo,
    "rotated": refreshed["refresh_token"] != tokens["refresh_token"],
    "refreshed_id_token": refreshed_id_token,
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
    report["revoked"] = {
        "refresh": again.error,
        "userinfo": requests.get(
            metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {refreshed['access_token']}"}, timeout=20
        ).status_code,
    }

if "end_session_endpoint" in metadata:
    report["logged_out"] = log_out(metadata, tokens["id_token"], authorization_url)

print(json.dumps(report))
