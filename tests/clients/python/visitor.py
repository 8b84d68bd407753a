"""What both programs share: where the issuer is and who signs in, and how the session ends."""

import os
from urllib.parse import parse_qs, urlencode, urlsplit

from browser import Browser

ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, POST_LOGOUT_REDIRECT_URI, RESOURCE, SCOPE = (
    os.environ[name]
    for name in (
        "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "POST_LOGOUT_REDIRECT_URI", "RESOURCE", "SCOPE",
    )
)

browser = Browser(username=os.environ["LOGIN_NAME"], password=os.environ["LOGIN_PASSWORD"])


def query(address):
    """The parameters of a callback."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def refused(step):
    """The error that a step must end with."""
    try:
        answer = step()
    except Exception as error:
        return error
    raise RuntimeError(f"this should have been refused: {answer}")


def log_out(metadata, id_token, authorization_url):
    """Ends the session by RP-initiated logout and tries to sign in silently after it."""
    farewell = {
        "id_token_hint": id_token,
        "post_logout_redirect_uri": POST_LOGOUT_REDIRECT_URI,
        "state": "a state of the client",
    }
    goodbye = browser.visit(f"{metadata['end_session_endpoint']}?{urlencode(farewell)}", POST_LOGOUT_REDIRECT_URI)
    silent = browser.visit(f"{authorization_url}&prompt=none", REDIRECT_URI)
    return {
        "state_returned": query(goodbye).get("state") == farewell["state"],
        "prompt_none": query(silent).get("error"),
    }
