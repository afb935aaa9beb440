use std::collections::BTreeSet;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::Timestamp;

fn record(number: usize) -> Record {
    let mut record = Record::own("set", Timestamp(1_767_323_045_000 + number as i64));
    record.by = format!("ann \"{number}\"\n}}");
    record.reason = Some("\",\"hash\":\"".to_owned());
    record.after.insert("weight".to_owned(), number.into());
    record
}

/// A log of so many lines, in files of about three.
fn log(lines: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut audit = Audit { longest: 900, ..Audit::open(dir.path()).unwrap() };
    for number in 1..=lines {
        audit.add(&[record(number)]);
        audit.write().unwrap();
    }
    dir
}

/// What is wrong with the log, without the names of files.
fn faults(dir: &Path) -> Vec<String> {
    verify(dir).unwrap().faults.into_iter().map(|it| it.why).collect()
}

#[test]
fn what_is_written_is_read_and_goes_on_in_one_chain_over_files_and_restarts() {
    let dir = log(8);
    let mut again = Audit { longest: 900, ..Audit::open(dir.path()).unwrap() };
    again.add(&[record(9), record(10)]);
    again.write().unwrap();
    let found = verify(dir.path()).unwrap();
    assert_eq!((found.lines, found.span, &found.faults[..]), (10, Some((1, 10)), &[][..]));
    let names: Vec<_> =
        found.files.iter().map(|it| it.file_name().unwrap().to_str().unwrap()).collect();
    assert!(names.len() > 2 && names[0] == "audit-000000000001.jsonl", "{names:?}");

    let numbers = |before, most, wanted: fn(&Entry) -> bool| -> Vec<u64> {
        let entries = last_entries(dir.path(), before, most, wanted).unwrap();
        assert!(entries.iter().all(|it| it.record == record(it.number as usize)));
        entries.into_iter().map(|it| it.number).collect()
    };
    assert_eq!(numbers(None, 3, |_| true), [10, 9, 8]);
    assert_eq!(numbers(Some(8), 3, |_| true), [7, 6, 5]);
    assert_eq!(numbers(None, 99, |it| it.number % 4 == 0), [8, 4]);
    assert_eq!(numbers(Some(1), 9, |_| true), [] as [u64; 0]);
}

#[test]
fn an_altered_line_shows_whatever_was_altered() {
    let dir = log(2);
    let path = files(dir.path()).unwrap().remove(0);
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        // Who removes the last line's end has left half a line, as a crash does.
        let last = at == good.len() - 1;
        assert_eq!(faults(dir.path()).is_empty(), last, "octet {at}");
    }
}

#[test]
fn removed_and_moved_lines_show() {
    let dir = log(15);
    let all = files(dir.path()).unwrap();
    for path in &all {
        let good = fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = good.lines().collect();
        for gone in 0..lines.len() {
            let is_end = path == all.last().unwrap() && gone == lines.len() - 1;
            let left: Vec<_> = lines.iter().enumerate().filter(|it| it.0 != gone).collect();
            fs::write(path, left.iter().map(|it| format!("{}\n", it.1)).collect::<String>())
                .unwrap();
            assert_eq!(faults(dir.path()).is_empty(), is_end, "{path:?} {gone}");
        }
        let mut moved = lines.clone();
        moved.swap(0, lines.len() - 1);
        fs::write(path, moved.join("\n") + "\n").unwrap();
        assert_eq!(faults(dir.path()).is_empty(), lines.len() == 1, "{path:?}");
        fs::write(path, &good).unwrap();
    }
    // A whole file that is archived is none the less; one from the middle is.
    fs::remove_file(&all[0]).unwrap();
    assert_eq!(faults(dir.path()), [] as [String; 0]);
    fs::remove_file(&all[2]).unwrap();
    assert!(faults(dir.path())[0].contains("are gone before it"), "{:?}", faults(dir.path()));
}

#[test]
fn lines_that_are_written_anew_show_where_they_end() {
    let dir = log(3);
    let path = files(dir.path()).unwrap().remove(0);
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let mut forged = record(2);
    forged.by = "bob".to_owned();
    let forged = Chain::after(lines[0]).unwrap().seal(&forged);
    fs::write(&path, [lines[0], &forged, lines[2], ""].join("\n")).unwrap();
    assert_eq!(faults(dir.path()), ["the one before it is another than when this was written"]);
}

#[test]
fn half_a_line_is_cut_off_before_the_next_one() {
    let dir = log(2);
    let path = files(dir.path()).unwrap().remove(0);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all("{\"number\":3,\"at\":\"é".as_bytes()).unwrap();
    assert_eq!(faults(dir.path()), [] as [String; 0]);
    let mut audit = Audit::open(dir.path()).unwrap();
    audit.add(&[record(3)]);
    audit.write().unwrap();
    let found = verify(dir.path()).unwrap();
    assert_eq!((found.span, &found.faults[..]), (Some((1, 3)), &[][..]));
}

#[test]
fn half_a_line_is_cut_off_its_own_file() {
    for is_archived in [false, true] {
        let dir = log(2);
        let path = files(dir.path()).unwrap().pop().unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"number\":3,\"at\"")).unwrap();
        let mut audit = Audit { longest: whole.len() as u64, ..Audit::open(dir.path()).unwrap() };
        if is_archived {
            fs::remove_file(&path).unwrap();
        }
        audit.add(&[record(3)]);
        audit.write().unwrap();
        let found = verify(dir.path()).unwrap();
        let first = if is_archived { 3 } else { 1 };
        assert_eq!((found.span, &found.faults[..]), (Some((first, 3)), &[][..]));
    }
}

#[test]
fn what_can_not_be_written_is_kept_and_what_was_not_stored_is_taken_back() {
    let dir = log(1);
    let mut audit = Audit::open(dir.path()).unwrap();
    audit.add(&[record(2), record(3)]);
    audit.add(&[record(9)]);
    audit.take_back(1);
    let (path, aside) = (files(dir.path()).unwrap().remove(0), dir.path().join("aside"));
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(dir.path().join("audit-000000000002.jsonl")).unwrap();
    assert!(audit.write().is_err());
    assert_eq!(audit.unwritten.len(), 2);
    fs::remove_dir(dir.path().join("audit-000000000002.jsonl")).unwrap();
    fs::rename(&aside, &path).unwrap();
    audit.write().unwrap();
    assert_eq!(audit.unwritten.len(), 0);
    let found = verify(dir.path()).unwrap();
    assert_eq!((found.span, &found.faults[..]), (Some((1, 3)), &[][..]));
}

proptest! {
    /// Whatever part of the last lines a crash kept out of the log, the lines stored with the changes make it whole.
    #[test]
    fn a_crash_loses_no_line(before in 0_usize..4, stored in 1_usize..5, cut in 0_usize..3000) {
        let dir = log(before);
        let mut audit = Audit::open(dir.path()).unwrap();
        let records: Vec<_> = (before + 1..=before + stored).map(record).collect();
        audit.add(&records);
        let lines = audit.unwritten.clone();
        let kept: BTreeSet<PathBuf> = files(dir.path()).unwrap().into_iter().collect();
        let old = kept.last().map_or(0, |it| fs::metadata(it).unwrap().len());
        audit.write().unwrap();
        let path = files(dir.path()).unwrap().pop().unwrap();
        let old = if kept.contains(&path) { old } else { 0 };
        let length = fs::metadata(&path).unwrap().len();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len((old + cut as u64).min(length)).unwrap();

        let mut again = Audit::open(dir.path()).unwrap();
        again.recover(lines);
        again.write().unwrap();
        let found = verify(dir.path()).unwrap();
        prop_assert_eq!(&found.faults, &[]);
        prop_assert_eq!(found.span, Some((1, (before + stored) as u64)));
    }
}
