/** Whether the browser keeps cookies for this page, which the server needs to recognise a voter. */

const PROBE = 'sayings_probe';

// Tried instead of asked: what a browser says of itself does not always agree with what it does.
export const keepsCookies = tryCookie();

function tryCookie(): boolean {
  try {
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is newer than the browsers we support
    document.cookie = `${PROBE}=1; SameSite=Strict; path=/`;
    const kept = document.cookie.includes(`${PROBE}=1`);
    // biome-ignore lint/suspicious/noDocumentCookie: as above
    document.cookie = `${PROBE}=; SameSite=Strict; path=/; max-age=0`;
    return kept;
  } catch {
    return false;
  }
}
