//! Watches the configuration's files, and has control look at them again when something has happened to one. Whether they
//! say something else then is for control to find out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::control::Handle;
use crate::settings::{Reading, counts_in_directory};

/// Files are looked at when nothing has happened to them for so long: who writes them may not be through.
const QUIET: Duration = Duration::from_millis(250);
/// They are looked at so long after the first touch, though somebody touches them still.
const LONGEST: Duration = Duration::from_secs(2);
/// Links that a path may lead through, as the kernel has it (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Watches until `stop` is cancelled. `paths` are those that the operator named, `readings` what was read for them last.
pub(super) async fn watch(
    paths: Arc<[PathBuf]>,
    readings: watch::Receiver<Reading>,
    control: Handle,
    stop: CancellationToken,
) {
    stop.run_until_cancelled(watch_always(paths, readings, control)).await;
}

async fn watch_always(
    paths: Arc<[PathBuf]>,
    mut readings: watch::Receiver<Reading>,
    control: Handle,
) {
    let seen = Arc::<Seen>::default();
    let mut watcher = match start(seen.clone()) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(event = "watch_failed", %error, "changes of the configuration's files are not noticed ({error}); SIGHUP and `farol reload` still work");
            return std::future::pending().await;
        }
    };
    loop {
        let reading = readings.borrow_and_update().clone();
        let (now, paths) = (seen.clone(), paths.clone());
        // Looking at files may take as long as their disk likes.
        let armed = spawn_blocking(move || {
            let missed = arm(&mut watcher, &now, &paths, &reading);
            (watcher, missed)
        });
        let Ok((armed, missed)) = armed.await else { return };
        watcher = armed;
        if missed {
            settle(&seen.touched).await;
            control.look_again().await;
        }
        tokio::select! {
            Ok(()) = readings.changed() => {}
            () = seen.touched.notified() => {
                settle(&seen.touched).await;
                control.look_again().await;
            }
        }
    }
}

/// Waits for the end of a burst of touches, after its first.
async fn settle(touched: &Notify) {
    // Whoever never ceases is not waited for, so it doesn't matter how this ends.
    let _ =
        timeout(LONGEST, async { while timeout(QUIET, touched.notified()).await.is_ok() {} }).await;
}

/// What the watcher heeds, and what it has seen of that.
#[derive(Default)]
struct Seen {
    scope: ArcSwap<Scope>,
    touched: Notify,
    /// A directory that is watched went away or elsewhere: another may have come in its place, which is not.
    went: AtomicBool,
}

fn start(seen: Arc<Seen>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<Event>| {
        let scope = seen.scope.load();
        if event.as_ref().is_ok_and(|it| scope.loses(it)) {
            seen.went.store(true, Ordering::SeqCst);
        }
        if event.map_or(true, |it| scope.concerns(&it)) {
            seen.touched.notify_one();
        }
    })
}

/// Watches what is to be watched now. Tells whether changes were missed before that.
fn arm(
    watcher: &mut RecommendedWatcher,
    seen: &Seen,
    paths: &[PathBuf],
    reading: &Reading,
) -> bool {
    let went = seen.went.swap(false, Ordering::SeqCst);
    let (before, now) = (seen.scope.load_full(), Arc::new(Scope::of(paths, reading)));
    seen.scope.store(now.clone());
    for gone in before.directories.difference(&now.directories) {
        // Whatever was removed is watched no more already.
        let _ = watcher.unwatch(gone);
    }
    for directory in &now.directories {
        // Again, also where it is watched: it may have been replaced.
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive)
            && !before.directories.contains(directory)
        {
            let directory = directory.display();
            tracing::warn!(event = "watch_failed", %directory, %error, "changes in {directory} are not noticed ({error}); SIGHUP and `farol reload` still work");
        }
    }
    // What happens to something before it is heeded is told by nobody: to files, and to what leads to them.
    (went || now != before) && !(reading.is_current() && Scope::of(paths, reading) == *now)
}

/// What is to be watched.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scope {
    /// Watched as a whole, since files are replaced by renaming others.
    directories: BTreeSet<PathBuf>,
    /// What matters in them: files, and the links by which they are reached.
    entries: BTreeSet<PathBuf>,
    /// The directories in which files may become a part of the configuration by their names.
    open: BTreeSet<PathBuf>,
}

impl Scope {
    fn of(paths: &[PathBuf], reading: &Reading) -> Self {
        let mut scope = Self::default();
        for path in paths.iter().map(PathBuf::as_path).chain(reading.files()) {
            scope.follow(path);
        }
        for directory in
            paths.iter().filter(|it| it.is_dir()).filter_map(|it| it.canonicalize().ok())
        {
            scope.directories.insert(directory.clone());
            scope.open.insert(directory);
        }
        scope
    }

    /// Adds every link on the way of a path, and its end, each with the directory that it is in. Where that is missing, adds
    /// what has to come first, in the nearest directory that exists.
    fn follow(&mut self, path: &Path) {
        let Ok(mut path) = std::path::absolute(path) else { return };
        for _ in 0..MOST_LINKS {
            let mut prefixes: Vec<&Path> = path.ancestors().collect();
            prefixes.reverse();
            let link = prefixes.into_iter().find(|it| it.is_symlink()).map(Path::to_owned);
            let entry = link.as_deref().unwrap_or(&path);
            if let Some((directory, name)) = entry.ancestors().find_map(place) {
                self.entries.insert(directory.join(name));
                self.directories.insert(directory);
            }
            let Some((link, target)) =
                link.and_then(|it| Some((it.clone(), fs::read_link(it).ok()?)))
            else {
                return;
            };
            let rest = path.strip_prefix(&link).map(Path::to_owned).unwrap_or_default();
            let base = link.parent().unwrap_or(Path::new("/"));
            path = base.join(target).join(rest);
        }
    }

    /// Whether an event says that a watched directory is not where it was.
    fn loses(&self, event: &Event) -> bool {
        matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
            && event.paths.iter().any(|it| self.directories.contains(it))
    }

    fn concerns(&self, event: &Event) -> bool {
        let changes = match event.kind {
            // To read a file is also an event, and we do that.
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        };
        let matters = |it: &PathBuf| {
            let open = it.parent().is_some_and(|it| self.open.contains(it));
            self.entries.contains(it)
                || self.directories.contains(it)
                || (open && counts_in_directory(it))
        };
        event.need_rescan() || (changes && event.paths.iter().any(matters))
    }
}

/// The directory that something is in, if it exists, and the name there.
fn place(entry: &Path) -> Option<(PathBuf, &OsStr)> {
    let directory = entry.parent()?.canonicalize().ok().filter(|it| it.is_dir())?;
    Some((directory, entry.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    use crate::settings::load_noting;
    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep};

    #[test]
    fn every_link_on_the_way_matters_and_its_directory_is_watched() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("conf/..2026_a")).unwrap();
        fs::create_dir(root.join("zones")).unwrap();
        fs::write(root.join("conf/..2026_a/farol.toml"), "").unwrap();
        symlink("..2026_a", root.join("conf/..data")).unwrap();
        symlink("..data/farol.toml", root.join("conf/farol.toml")).unwrap();
        symlink("conf", root.join("etc")).unwrap();
        let mut scope = Scope::of(&[root.join("etc")], &Reading::default());
        scope.follow(&root.join("etc/farol.toml"));
        scope.follow(&root.join("zones/missing.zone"));
        let at = |names: &[&str]| -> BTreeSet<PathBuf> {
            names.iter().map(|it| root.join(it)).collect()
        };
        let entries = [
            "etc",
            "conf",
            "conf/farol.toml",
            "conf/..data",
            "conf/..2026_a/farol.toml",
            "zones/missing.zone",
        ];
        assert_eq!(scope.entries, at(&entries));
        assert_eq!(scope.open, at(&["conf"]));
        let mut directories = at(&["conf", "conf/..2026_a", "zones"]);
        directories.insert(root.clone());
        assert_eq!(scope.directories, directories);

        let concerns =
            |kind, name: &str| scope.concerns(&Event::new(kind).add_path(root.join(name)));
        let (created, read) = (
            EventKind::Create(notify::event::CreateKind::File),
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
        );
        for (name, matters) in [
            ("conf/..data", true),
            ("conf/new.toml", true),
            ("conf/.new.toml", false),
            ("conf/notes.txt", false),
            ("conf/plain", false),
            ("zones/missing.zone", true),
            ("zones/other.zone", false),
            ("zones", true),
            ("elsewhere", false),
        ] {
            assert_eq!(concerns(created, name), matters, "{name}");
            assert!(!concerns(read, name), "{name} was only read");
        }
    }

    #[test]
    fn what_is_missing_is_waited_for_where_it_has_to_come_first() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::write(root.join("file"), "").unwrap();
        let of = |path: &str| {
            let scope = Scope::of(&[root.join(path)], &Reading::default());
            let under = |it: BTreeSet<PathBuf>| -> Vec<String> {
                let within = |it: &PathBuf| it.strip_prefix(&root).unwrap().display().to_string();
                it.iter().map(within).collect()
            };
            (under(scope.directories), under(scope.entries))
        };
        let expected = |directory: &str, entry: &str| (vec![directory.into()], vec![entry.into()]);
        assert_eq!(of("a/b/farol.toml"), expected("", "a"));
        assert_eq!(of("a/../b/farol.toml"), expected("", "a"));
        assert_eq!(of("file/farol.toml"), expected("", "file"));
        fs::create_dir(root.join("a")).unwrap();
        assert_eq!(of("a/b/farol.toml"), expected("a", "a/b"));
        fs::create_dir(root.join("a/b")).unwrap();
        assert_eq!(of("a/b/farol.toml"), expected("a/b", "a/b/farol.toml"));
        symlink("elsewhere/conf", root.join("link")).unwrap();
        let (directories, entries) = of("link/farol.toml");
        assert_eq!(
            (directories, entries),
            (vec!["".into()], vec!["elsewhere".into(), "link".into()])
        );
    }

    #[tokio::test]
    async fn what_comes_while_nobody_watches_is_missed_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let conf = directory.path().canonicalize().unwrap().join("a/conf");
        let file = conf.join("farol.toml");
        let paths = [file.clone()];
        let read = || load_noting(&paths.to_vec().into()).1;
        let seen = Arc::<Seen>::default();
        let mut watcher = start(seen.clone()).unwrap();
        let mut arm = |reading: &Reading| arm(&mut watcher, &seen, &paths, reading);
        fs::create_dir_all(&conf).unwrap();
        fs::write(&file, "").unwrap();
        let reading = read();
        assert!(!arm(&reading) && !arm(&reading), "nothing has happened");

        // Another directory takes the first one's place, and gets its file after that was looked for.
        fs::remove_dir_all(&conf).unwrap();
        fs::create_dir(&conf).unwrap();
        while !seen.went.load(Ordering::SeqCst) {
            seen.touched.notified().await;
        }
        let reading = read();
        fs::write(&file, "").unwrap();
        assert!(arm(&reading));
        assert!(!arm(&read()));

        // A file that was none of the configuration's is written after it was read, in a directory that is watched all the time.
        let zone = conf.join("a.zone");
        fs::write(&zone, "").unwrap();
        let text = format!("[[zone]]\nname = 'a.'\nfile = '{}'\n", zone.display());
        fs::write(&file, text).unwrap();
        let reading = read();
        fs::write(&zone, "other").unwrap();
        assert!(arm(&reading));
        assert!(!arm(&read()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_waited_for_but_not_one_without_an_end() {
        let touched = Arc::new(Notify::new());
        let settled = async || {
            let start = Instant::now();
            settle(&touched).await;
            start.elapsed().as_millis()
        };
        assert!((250..300).contains(&settled().await));
        let other = touched.clone();
        let mut touching = JoinSet::new();
        touching.spawn(async move {
            for count in 0_u32.. {
                sleep(Duration::from_millis(100)).await;
                // One burst of half a second, then one that never ends.
                if !(5..=20).contains(&count) {
                    other.notify_one();
                }
            }
        });
        assert!((700..800).contains(&settled().await));
        touched.notified().await;
        assert!((2000..2100).contains(&settled().await));
    }

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let scope = Scope::of(&[root.join("a")], &Reading::default());
        assert_eq!(scope.entries, BTreeSet::from([root.join("a"), root.join("b")]));
    }
}
