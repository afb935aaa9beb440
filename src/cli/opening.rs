//! What the daemon finds in its state directory when it starts, and the world that it begins with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::api::needs_own_token;
use crate::control::{Recall, Timelines, World};
use crate::model::{Now, Timestamp, chain};
use crate::settings::Settings;
use crate::store::{AdminToken, IssuedToken, Loaded, Memory, Store};

/// How far the clock may have gone back since the last verdicts were stored, without a word about it.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// The state directory, and what the daemon begins with by what is in it.
pub(super) struct Opened {
    pub(super) store: Arc<Store>,
    /// The token in a file of its own.
    pub(super) own_token: Option<AdminToken>,
    /// Those that were made over the API.
    pub(super) tokens: Vec<IssuedToken>,
    pub(super) world: World,
    pub(super) timelines: Arc<Timelines>,
}

impl Opened {
    /// Takes the directory, says what is wrong with it, and makes a world for so many workers.
    pub(super) fn from(settings: &Settings, workers: usize, now: Now) -> anyhow::Result<Self> {
        let dir = &settings.state.dir;
        let store = Arc::new(Store::open(dir)?);
        let tokens = told_aside("tokens", store.load_tokens()?).unwrap_or_default();
        let needed = needs_own_token(&settings.admin, &tokens, now.time);
        let own_token = read_token(&store, dir, needed)?;
        let overrides = told_aside("overrides", store.load()?).unwrap_or_default();
        let memory = recall(&store, now.time);
        store.look_for_damage();
        let seed = getrandom::u64().context("the operating system gives no random numbers")?;
        let recall = Recall::new(&memory, now.time, settings.state.max_age);
        let world = World::new(&settings.model, overrides, recall, workers, seed, now);
        let timelines = Arc::new(Timelines::resume(memory, &world, now.time));
        Ok(Self { store, own_token, tokens, world, timelines })
    }
}

fn read_token(store: &Store, dir: &Path, needed: bool) -> anyhow::Result<Option<AdminToken>> {
    let Some(token) = store.admin_token(needed)? else { return Ok(None) };
    let file = dir.join("admin.token");
    let file = file.display();
    if token.created {
        tracing::info!(event = "token_created", %file, "the API's token was made: {file}");
    }
    if token.too_open {
        tracing::warn!(event = "token_too_open", %file, "others may read {file}; run: chmod 600 {file}");
    }
    Ok(Some(token))
}

/// What was stored in a file; says where it is if it couldn't be read.
fn told_aside<T>(what: &str, loaded: Loaded<T>) -> Option<T> {
    if let Some(aside) = &loaded.set_aside {
        let (file, why) = (aside.file.display(), &aside.why);
        tracing::error!(event = "state_set_aside", %file, why, "the stored {what} can't be read ({why}); they were put aside as {file}, and none is in force");
    }
    loaded.stored
}

/// What is remembered of the endpoints. Whatever is wrong with it, probes find it anew, so the daemon starts all the same.
fn recall(store: &Store, now: Timestamp) -> Memory {
    let memory = store.load_memory().map(|it| told_aside("verdicts", it)).unwrap_or_else(|error| {
        let error = chain(&error);
        tracing::error!(
            event = "state_unreadable",
            error,
            "the last verdicts can't be read, so probes have to find them anew: {error}"
        );
        None
    });
    let memory = memory.unwrap_or_default();
    let ahead = memory.written.0.saturating_sub(now.0);
    if ahead > CLOCK_TOLERANCE.as_millis() as i64 {
        let seconds = ahead / 1000;
        tracing::warn!(
            event = "clock_went_back",
            seconds,
            "the last verdicts were stored {seconds} s in the future: the clock was set back, or is wrong; they count as that old"
        );
    }
    memory
}
