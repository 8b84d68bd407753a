// A browser without scripts and without looks: follows redirects, keeps cookies, fills in the issuer's forms.

const PATIENCE = 20_000;

export class Browser {
  #cookies = new Map();
  #answers;

  /** @param answers what is typed into fields, by name */
  constructor(answers) {
    this.#answers = answers;
  }

  /** Opens an address, does what the pages ask, and returns the first address that begins with `until`. */
  async visit(address, until) {
    let request = {};
    for (let pages = 0; pages < 20; pages++) {
      const answer = await this.#send(address, request);
      const location = answer.headers.get('location');
      if (location) {
        address = new URL(location, address).href;
        request = {};
        if (address.startsWith(until)) return new URL(address);
      } else {
        [address, request] = this.#fill(address, answer.status, await answer.text());
      }
    }
    throw new Error(`20 pages, and none led to ${until}; the last is ${address}`);
  }

  async #send(address, request) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...request.headers, ...(cookie && { cookie }) };
    const answer = await fetch(address, { ...request, headers, redirect: 'manual', signal: AbortSignal.timeout(PATIENCE) });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      if (value) this.#cookies.set(name, value);
      else this.#cookies.delete(name);
    }
    return answer;
  }

  /** The page's form with all its fields, sent by its last button. */
  #fill(address, status, page) {
    const form = page.match(/<form[^>]* action="([^"]*)"[^>]*>(.*?)<\/form>/s);
    if (!form) throw new Error(`no form on the page (${status}) at ${address}:\n${page}`);
    const attribute = (tag, name) => tag.match(new RegExp(` ${name}="([^"]*)"`))?.[1];
    const named = (tags) => tags.filter((tag) => attribute(tag, 'name'));
    const fields = named([...form[2].match(/<input[^>]*>/g), ...named(form[2].match(/<button[^>]*>/g)).slice(-1)]);
    const body = new URLSearchParams(
      fields.map((tag) => [attribute(tag, 'name'), this.#answers[attribute(tag, 'name')] ?? attribute(tag, 'value') ?? '']),
    );
    const action = new URL(form[1], address);
    return [action.href, { method: 'POST', body, headers: { origin: action.origin } }];
  }
}
