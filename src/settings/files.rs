//! Which files a configuration consists of, and their contents.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::sync::Arc;

use super::format::{EXTENSIONS, Format};
use super::problem::{Log, Place, Problem};

/// The most octets of a configuration file, or of certificates.
pub(super) const FILE_MOST: u64 = 64 << 20;
/// The most octets of a zone file.
pub(super) const ZONE_FILE_MOST: u64 = 1 << 30;

/// Gives a file's content; its second argument is how many octets it may have.
pub(super) type ReadFile<'a> = &'a dyn Fn(&Path, u64) -> io::Result<Vec<u8>>;

/// The text of one configuration file.
pub(super) struct Source {
    pub(super) path: Arc<Path>,
    pub(super) format: Format,
    pub(super) text: String,
}

/// Reads the files that a configuration names, and remembers which. The function is the disk, or a test's memory.
pub(super) struct Library<'a> {
    read: ReadFile<'a>,
    files: RefCell<Files>,
}

/// Paths in the order of their coming, each once.
#[derive(Default)]
struct Files {
    known: HashSet<PathBuf>,
    list: Vec<PathBuf>,
}

impl Files {
    fn add(&mut self, path: &Path) {
        if self.known.insert(path.to_owned()) {
            self.list.push(path.to_owned());
        }
    }
}

impl<'a> Library<'a> {
    pub(super) fn new(read: ReadFile<'a>) -> Self {
        Self { read, files: RefCell::default() }
    }

    /// # Errors
    /// A phrase that says what is wrong with the file.
    pub(super) fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>, String> {
        let content =
            (self.read)(path, most).map_err(|error| format!("{path:?} can't be read: {error}"))?;
        self.files.borrow_mut().add(path);
        Ok(content)
    }

    /// Every file that was read, in that order.
    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files.into_inner().list
    }
}

/// Reads a regular file, which may be reached by symbolic links, as Kubernetes swaps them. Anything else could make its
/// reader wait for ever or fill the memory.
///
/// # Errors
/// Also when it is no regular file, or longer than `most`.
pub(crate) fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // To open a pipe or a device has effects of its own, so it is asked before; to ask again keeps out what came since.
    regular(&fs::metadata(path)?)?;
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    regular(&file.metadata()?)?;
    let too_long = || {
        let shown = if most < 1 << 30 { most >> 20 } else { most >> 30 };
        let unit = if most < 1 << 30 { "MiB" } else { "GiB" };
        io::Error::other(format!("it is longer than {shown} {unit}; divide it"))
    };
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_long());
    }
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most { Err(too_long()) } else { Ok(content) }
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let found = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::other(format!("it is {found}, not a regular file")))
}

/// The text of a file, without the byte order mark that some editors put first.
///
/// # Errors
/// When it is not UTF-8.
pub(super) fn decode(mut content: Vec<u8>) -> Result<String, FromUtf8Error> {
    if content.starts_with("\u{feff}".as_bytes()) {
        content.drain(..3);
    }
    String::from_utf8(content)
}

/// Reads configuration files; a directory stands for every one in it, sorted. A file that is named twice counts once.
/// Files that can't be read are missing from the result and told to the log.
pub(super) fn sources(paths: &[PathBuf], library: &Library<'_>, log: &Log) -> Vec<Source> {
    named(paths, log).iter().filter_map(|file| source(file, library, log)).collect()
}

/// The files that these paths stand for.
pub(super) fn named(paths: &[PathBuf], log: &Log) -> Vec<PathBuf> {
    let mut files = Files::default();
    for path in paths {
        let found = if path.is_dir() { in_directory(path, log) } else { vec![path.clone()] };
        found.iter().for_each(|file| files.add(file));
    }
    files.list
}

/// Whether a file of a directory is a part of the configuration, by its name.
pub(crate) fn counts_in_directory(path: &Path) -> bool {
    // Editors leave hidden files beside the one they edit.
    let hidden = path.file_name().is_none_or(|it| it.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some() && Format::of(path).is_some()
}

fn in_directory(directory: &Path, log: &Log) -> Vec<PathBuf> {
    let complain = |message: String| log.error(Problem::at(&Place::file(directory), "", message));
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            complain(format!("the directory can't be read: {error}"));
            return Vec::new();
        }
    };
    let is_configuration = |path: &PathBuf| counts_in_directory(path) && !path.is_dir();
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|it| it.path()).filter(is_configuration).collect();
    if files.is_empty() {
        complain(format!("has no {EXTENSIONS} file in it; add one, or name another path"));
    }
    files.sort();
    files
}

/// Reads one file. One that can't be read is told to the log.
pub(super) fn source(path: &Path, library: &Library<'_>, log: &Log) -> Option<Source> {
    let complain = |message: String| log.error(Problem::at(&Place::file(path), "", message));
    let Some(format) = Format::of(path) else {
        complain(format!(
            "is no configuration file by its name; name one that ends in {EXTENSIONS}"
        ));
        return None;
    };
    let content = match library.read(path, FILE_MOST) {
        Ok(content) => content,
        Err(why) => {
            complain(format!("{why}; name a configuration file, or a directory of them"));
            return None;
        }
    };
    match decode(content) {
        Ok(text) => Some(Source { path: path.into(), format, text }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(at).filter(|it| **it == b'\n').count() + 1;
            let place = Place { file: path.into(), line: Some(line) };
            log.error(Problem::at(&place, "", "is not UTF-8 from here on; save it as UTF-8"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &[PathBuf], expected: Result<&[&str], &str>) {
        let (library, log) = (Library::new(&read_file), Log::default());
        let found = sources(paths, &library, &log);
        match (log.finish(), expected) {
            (Ok(_), Ok(names)) => {
                let name = |it: &Source| it.path.file_name().unwrap().to_str().unwrap().to_owned();
                assert_eq!(found.iter().map(name).collect::<Vec<_>>(), names);
                assert_eq!(library.into_files().len(), names.len());
            }
            (Err(problems), Err(text)) => {
                assert!(problems.to_string().contains(text), "{problems}")
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_directory_is_its_configuration_files_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        check(
            &[directory.path().to_owned()],
            Err("has no `.toml`, `.yaml`, `.yml` or `.json` file in it"),
        );
        fs::create_dir(at("dir.toml")).unwrap();
        for name in ["b.toml", "a.yml", "c.yaml", "d.json", ".#a.toml", "plain", "z.zone", "e.JSON"]
        {
            fs::write(at(name), "").unwrap();
        }
        check(&[directory.path().to_owned()], Ok(&["a.yml", "b.toml", "c.yaml", "d.json"]));
        check(
            &[at("c.yaml"), directory.path().to_owned()],
            Ok(&["c.yaml", "a.yml", "b.toml", "d.json"]),
        );
        check(&[at("plain")], Ok(&["plain"]));
        let refused =
            "z.zone: is no configuration file by its name; name one that ends in `.toml`, `.yaml`";
        check(&[at("z.zone")], Err(refused));
        check(&[at("missing.toml")], Err("name a configuration file, or a directory"));
        fs::write(at("latin.toml"), b"# a\n# \xe9\n").unwrap();
        check(&[at("latin.toml")], Err("latin.toml:2: is not UTF-8"));
    }

    #[test]
    fn only_regular_files_of_a_bearable_length_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(at("pipe.toml")).status().unwrap();
        assert!(made.success());
        check(&[directory.path().to_owned()], Err("pipe.toml\" can't be read: it is a pipe"));
        std::os::unix::fs::symlink("/dev/zero", at("zero.toml")).unwrap();
        check(&[at("zero.toml")], Err("it is a device, not a regular file"));
        let refused = read_file(directory.path(), FILE_MOST).unwrap_err();
        assert_eq!(refused.to_string(), "it is a directory, not a regular file");

        File::create(at("long.toml")).unwrap().set_len(FILE_MOST + 1).unwrap();
        check(&[at("long.toml")], Err("it is longer than 64 MiB; divide it"));
        fs::write(at("four"), "1234").unwrap();
        assert_eq!(read_file(&at("four"), 4).unwrap(), b"1234");
        assert!(read_file(&at("four"), 3).is_err());
        // What has no length of its own is still not read for ever.
        assert!(read_file(Path::new("/proc/self/status"), 3).is_err());
    }

    #[test]
    fn links_are_followed_as_kubernetes_swaps_them() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("..2026")).unwrap();
        fs::write(at("..2026/farol.toml"), "").unwrap();
        symlink("..2026", at("..data")).unwrap();
        symlink("..data/farol.toml", at("farol.toml")).unwrap();
        check(&[directory.path().to_owned()], Ok(&["farol.toml"]));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(decode(b"\xef\xbb\xbfa\xef\xbb\xbf".to_vec()).unwrap(), "a\u{feff}");
        assert_eq!(decode(b"a".to_vec()).unwrap(), "a");
        assert!(decode(b"\xef\xbb".to_vec()).is_err());
    }
}
