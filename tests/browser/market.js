// Starts a market of its own for the stories: the built binary, a fresh data directory, its own ports; stops it at the end.
// With MARKET_URL set, the stories play on that market instead, which must be fresh.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

export const OPERATOR = { email: "operator@stories.example", password: "seven blue kettles" };
const STARTS_WITHIN_MS = 60_000;

function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/markethub/target");
  const found = ["debug", "release"].map((profile) => join(target, profile, "markethub")).find(existsSync);
  if (!found) throw new Error(`there is no markethub binary below ${target}: build it first`);
  return found;
}

async function ready(url, market) {
  const until = Date.now() + STARTS_WITHIN_MS;
  while (Date.now() < until) {
    if (market.exitCode !== null) throw new Error(`the market ended with code ${market.exitCode}`);
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`the market was not ready within ${STARTS_WITHIN_MS} ms`);
}

export default async function start() {
  if (process.env.MARKET_URL) return undefined;
  const data = mkdtempSync(join(tmpdir(), "markethub-stories-"));
  const log = openSync(join(data, "market.log"), "w");
  // One address makes all requests here, faster than a person would.
  const settings = {
    MARKETHUB__SANDBOX__LISTEN: "127.0.0.1:18082",
    MARKETHUB__REST__ADDRESS_PER_SECOND: "10000",
    MARKETHUB__REST__ADDRESS_BURST: "10000",
    // What was delivered is available at once.
    MARKETHUB__SERVICES__PAYMENTS__SETTLEMENT__HOLD_MINUTES: "0",
  };
  const flags = ["--data", join(data, "market"), "--http", "127.0.0.1:18080", "--grpc", "127.0.0.1:18081"];
  const env = { ...process.env, ...settings };
  const market = spawn(binary(), ["serve", ...flags], { env, stdio: ["ignore", log, log] });
  await ready("http://127.0.0.1:18080", market);
  const made = spawnSync(binary(), ["operator", ...flags, OPERATOR.email], { env, input: `${OPERATOR.password}\n`, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`cannot make the operator: ${made.stderr}`);
  return async () => {
    const gone = new Promise((resolve) => market.once("exit", resolve));
    market.kill("SIGTERM");
    await gone;
    rmSync(data, { recursive: true, force: true });
  };
}
