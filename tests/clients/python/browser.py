"""A browser without scripts and without looks: follows redirects, keeps cookies, fills in the issuer's forms."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

PATIENCE = 20


class Form(HTMLParser):
    """The fields of a page's form, and its last button."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields, self.button = None, {}, ()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.action = attributes["action"]
        elif tag == "input" and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value") or ""
        elif tag == "button" and "name" in attributes:
            self.button = ((attributes["name"], attributes["value"]),)


class Browser:
    """`answers` is what is typed into fields, by name."""

    def __init__(self, **answers):
        self.answers = answers
        self.session = requests.Session()

    def visit(self, address, until):
        """Opens an address, does what the pages ask, and returns the first address that begins with `until`."""
        answer = self.session.get(address, allow_redirects=False, timeout=PATIENCE)
        for _ in range(20):
            if "location" in answer.headers:
                address = urljoin(address, answer.headers["location"])
                if address.startswith(until):
                    return address
                answer = self.session.get(address, allow_redirects=False, timeout=PATIENCE)
                continue
            form = Form(answer.text)
            if form.action is None:
                raise RuntimeError(f"no form on the page ({answer.status_code}) at {address}:\n{answer.text}")
            address = urljoin(address, form.action)
            fields = form.fields | {name: text for name, text in self.answers.items() if name in form.fields}
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
            fields = fields | dict(form.button)
            answer = self.session.post(
                address, data=fields, headers={"Origin": origin}, allow_redirects=False, timeout=PATIENCE
            )
        raise RuntimeError(f"20 pages, and none led to {until}; the last is {address}")
