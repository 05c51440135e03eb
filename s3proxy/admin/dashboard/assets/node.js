// What is asked of the node, with the token that this tab keeps.

const TOKEN = "s3proxy-token";

export class TokenRefusedError extends Error {}

/** No answer came, or it broke off. */
export class NoAnswerError extends Error {}

/** The node answered, but not with what was asked for; the message says why. */
export class RefusedError extends Error {}

/** Takes a token out of the page's address, where it would stay in histories and screenshots. */
export function adoptTokenOfAddress() {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (token === null) return;
  keepToken(token);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);
export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

/** The answer to GET as a value. Times out, so that a node that hangs is noticed like one that is gone. */
export async function ask(name, query = {}, timeoutMilliseconds = 10_000) {
  const search = new URLSearchParams(query).toString();
  const token = sessionStorage.getItem(TOKEN);
  const options = {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    cache: "no-store",
    signal: AbortSignal.timeout(timeoutMilliseconds),
  };
  const { status, text } = await received(search ? `${name}?${search}` : name, options);
  if (status === 401) {
    if (sessionStorage.getItem(TOKEN) === token) throw new TokenRefusedError();
    return ask(name, query, timeoutMilliseconds); // another token was given meanwhile
  }
  if (status !== 200) throw new RefusedError(reasonIn(text) || `the node answered ${status}`);
  return JSON.parse(text);
}

async function received(address, options) {
  try {
    const response = await fetch(address, options);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw new NoAnswerError("The node does not answer.", { cause: error });
  }
}

function reasonIn(text) {
  try {
    return JSON.parse(text).reason ?? "";
  } catch {
    return text.slice(0, 300);
  }
}
