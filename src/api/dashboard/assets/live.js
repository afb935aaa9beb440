// What happens, as it happens: keeps listening, and knows how old what is shown is.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
const KINDS = ["transition", "change", "expiry", "fail_open", "failback", "reload", "publish", "reset", "pending", "confirmed", "undone"];

/** Listens to the daemon, and goes on after every interruption. */
export class Live {
  #source = null;
  #timer = 0;
  #wait = FIRST_WAIT;
  #listening = false;
  #answering = true;

  /**
   * @param {object} to whom it tells
   * @param {(kind: string, event: object) => void} to.news something happened; `reset` when something may have been missed
   * @param {(live: boolean, asOf: number) => void} to.state whether what is shown is of now, and else of when it is
   * @param {() => void} to.refused the connection was refused, as after a restart
   */
  constructor(to) {
    this.to = to;
    /** When the daemon last answered, in milliseconds since 1970. */
    this.asOf = Date.now();
  }

  /** Begins to listen. */
  start() {
    this.stop();
    const source = new EventSource("/v1/events");
    this.#source = source;
    source.onopen = () => {
      this.#wait = FIRST_WAIT;
      this.#listening = true;
      this.to.news("reset", {});
      this.#tell();
    };
    source.onerror = () => {
      const refused = source.readyState === EventSource.CLOSED;
      this.stop();
      this.#tell();
      if (refused) this.to.refused();
      this.#timer = setTimeout(() => this.start(), this.#wait);
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => this.to.news(kind, JSON.parse(event.data)));
    }
  }

  /** Listens no more. */
  stop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#listening = false;
  }

  /**
   * Takes note of whether the daemon answered.
   * @param {boolean} did
   */
  answered(did) {
    if (did) this.asOf = Date.now();
    this.#answering = did;
    this.#tell();
  }

  #tell() {
    this.to.state(this.#listening && this.#answering, this.asOf);
  }
}
