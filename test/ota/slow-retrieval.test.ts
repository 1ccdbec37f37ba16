/**
 * Uptane 2.1, slow retrieval attack: whoever sits on the line sends a device its update so slowly that it never gets there, though it
 * never stops coming. It is told by its name, what came is kept, and another update starts all the same.
 */

import { randomBytes } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import {
  DELIVERY_IDLE_TIMEOUT_MS,
  MIN_RETRIEVAL_BYTES_PER_SECOND,
  SLOW_RETRIEVAL_WINDOW_MS,
} from "../../ota/limits.ts";
import { BlobBroker } from "../support/blob-broker.ts";
import { InstallRig } from "../support/install-rig.ts";
import { makeRelease } from "../support/releases.ts";

const CHUNK_BYTES = 4_000;
const OLD = makeRelease("1.0.0");
const NEW = makeRelease("1.1.0", { component: randomBytes(200 * CHUNK_BYTES), chunkBytes: CHUNK_BYTES });
const THIRD = makeRelease("1.2.0");
const LISTS = new Set([NEW.release.chunks.sha256, NEW.release.manifest.sha256]);

/** A broker that gives the chunks of NEW only when the test says so. */
class DrippingBroker extends BlobBroker {
  #given = 0;

  constructor() {
    super((digest, payload) => {
      const isHeld = NEW.blobs.has(digest) && !LISTS.has(digest);
      return payload === undefined || isHeld ? [] : [payload];
    });
  }

  /** The next chunk that was asked for, and its bytes. */
  async drip(): Promise<number> {
    const asked = this.requested.filter((each) => NEW.blobs.has(each) && !LISTS.has(each));
    const digest = asked[this.#given++];
    const payload = digest === undefined ? undefined : NEW.blobs.get(digest);
    if (digest === undefined || payload === undefined) throw new Error("nothing is asked for");
    await this.push(digest, payload);
    return payload.length;
  }
}

async function slowRig(t: ExecutionContext): Promise<{ rig: InstallRig; broker: DrippingBroker }> {
  const broker = new DrippingBroker();
  const rig = await InstallRig.create(t, { broker });
  await rig.install(OLD);
  rig.ask(NEW);
  await rig.until("progress", "1.1.0");
  return { rig, broker };
}

const isRefused = (rig: InstallRig): boolean =>
  rig.reports.some(({ event, version }) => event === "refused" && version === "1.1.0");

test("a broker that is never silent and never done is slow retrieval; the old version runs, and the next update starts", async (t) => {
  const { rig, broker } = await slowRig(t);
  let bytes = 0;
  for (let passedMs = 0; passedMs < SLOW_RETRIEVAL_WINDOW_MS; passedMs += DELIVERY_IDLE_TIMEOUT_MS / 2) {
    t.false(isRefused(rig), `${passedMs} ms`);
    bytes += await broker.drip();
    rig.clock.advance(DELIVERY_IDLE_TIMEOUT_MS / 2);
  }
  const refused = await rig.until("refused", "1.1.0");
  t.is(refused.code, "delivery/slow-retrieval");
  t.regex(refused.message ?? "", new RegExp(`slow retrieval, ${bytes} bytes came in 300 s`));
  t.is(rig.runner.runningVersion(), "1.0.0");
  t.is(broker.subscribed, 0);

  rig.ask(THIRD);
  await rig.passTrial("1.2.0");
  t.is(rig.runner.runningVersion(), "1.2.0");
});

test("what came is kept: the next attempt asks for the rest only", async (t) => {
  const { rig, broker } = await slowRig(t);
  for (let drops = 0; drops < 20; drops++) {
    await broker.drip();
    rig.clock.advance(SLOW_RETRIEVAL_WINDOW_MS / 20);
  }
  await rig.until("refused", "1.1.0");
  const from = rig.reports.length;
  rig.installer.retryNow();
  const resumed = await rig.until("progress", "1.1.0", from);
  t.is(resumed.received, 20 * CHUNK_BYTES);
});

test("a slow line is no attack: at the least rate the download goes on", async (t) => {
  const { rig, broker } = await slowRig(t);
  const leastBytes = (MIN_RETRIEVAL_BYTES_PER_SECOND * SLOW_RETRIEVAL_WINDOW_MS) / 1_000;
  const drops = Math.ceil(leastBytes / CHUNK_BYTES);
  for (let windows = 0; windows < 2; windows++) {
    for (let drop = 0; drop < drops; drop++) {
      await broker.drip();
      rig.clock.advance(Math.floor(SLOW_RETRIEVAL_WINDOW_MS / drops));
    }
  }
  t.false(isRefused(rig));
  t.true(broker.subscribed > 0);
});

test("a message that arrives byte by byte and never ends is slow retrieval, too; silence is not", async (t) => {
  for (const isReceiving of [true, false]) {
    const { rig, broker } = await slowRig(t);
    Object.assign(broker, { isReceiving: () => isReceiving });
    rig.clock.advance(DELIVERY_IDLE_TIMEOUT_MS);
    const { code } = await rig.until("refused", "1.1.0");
    t.is(code, isReceiving ? "delivery/slow-retrieval" : "delivery/timeout");
    t.is(rig.runner.runningVersion(), "1.0.0");
  }
});
