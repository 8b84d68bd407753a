// What both programs share: where the issuer is and who signs in, and what an error was.

import { Browser } from './browser.mjs';

export const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, POST_LOGOUT_REDIRECT_URI, RESOURCE, SCOPE } = process.env;

/** The browser of the user who signs in. */
export const browser = new Browser({ username: process.env.LOGIN_NAME, password: process.env.LOGIN_PASSWORD });

/** The error that a step must end with. */
export async function refused(step) {
  try {
    await step();
  } catch (error) {
    return error;
  }
  throw new Error(`this should have been refused: ${step}`);
}

/** A copy of a callback with one parameter changed. */
export function altered(callback, name) {
  const copy = new URL(callback);
  copy.searchParams.set(name, 'https://elsewhere.example.com');
  return copy;
}
