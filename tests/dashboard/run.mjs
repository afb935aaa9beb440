// Goes through every journey of the dashboard, one after the other: they share a daemon.

import { after, before } from "node:test";
import { start, stop } from "./setup.mjs";

before(start);
after(stop);

await import("./seeing.mjs");
await import("./matters.mjs");
await import("./changing.mjs");
await import("./losing.mjs");
