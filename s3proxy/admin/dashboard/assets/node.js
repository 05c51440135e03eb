// What is asked of the node, with the token that this tab keeps.

const TOKEN = "s3proxy-token";

export class TokenRefusedError extends Error {}

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
  const response = await fetch(search ? `${name}?${search}` : name, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    cache: "no-store",
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  if (response.status === 401) throw new TokenRefusedError();
  if (!response.ok) throw new RefusedError(reasonIn(await response.text()) || `the node answered ${response.status}`);
  return response.json();
}

function reasonIn(text) {
  try {
    return JSON.parse(text).reason ?? "";
  } catch {
    return text.slice(0, 300);
  }
}
