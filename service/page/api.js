// The service as the page asks it: JSON, and server-sent events of an explanation being written.

/** A failure that the service told (problem+json), or that kept it from answering. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

let key = ""; // where the service asks for one; kept until the page is left

/** Send this API key along from now on. */
export function useKey(value) {
  key = value;
}

async function ask(path, { headers = {}, ...options } = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: key ? { ...headers, authorization: `Bearer ${key}` } : headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service cannot be reached. Is it still running?");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Problem(response.status, told.detail || `The service answered with status ${response.status}.`);
}

export const get = async (path) => (await ask(path)).json();

const posted = (body, signal) =>
  ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });

export const post = async (path, body, signal) => (await ask(path, posted(body, signal))).json();

/** Events of POST /explain as [name, value] pairs, as they arrive. */
export async function* explained(body, signal) {
  const response = await ask("/explain", posted({ ...body, stream: true }, signal));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const name = field("event"), data = field("data");
      if (name && data) yield [name, JSON.parse(data)];
    }
  }
}
