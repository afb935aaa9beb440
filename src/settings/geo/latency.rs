//! The latency table: a CSV file with a row for each network and a column for each site.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::problem::{Log, Place, Problem, nearest, twice};
use crate::model::{Adjacent, Ident, Latencies, Overlapping, Ranges, RangesBuilder, parse_network};

/// So many wrong rows are told; the others are counted.
const SHOWN: usize = 20;
/// What the column of networks is called.
const NETWORK: &str = "network";
const MILLISECONDS: &str = "write milliseconds such as 12.5, or nothing where they are not known";

/// Reads a table whose columns may be these sites; none where not all are known. Only to be used if the log has no error
/// afterwards.
pub(super) fn read(
    path: &Path,
    text: &str,
    sites: Option<&HashMap<Ident, Place>>,
    log: &Log,
) -> Ranges<Latencies> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut records = reader.records().flatten();
    let mut table = Table { path, text, log, wrong: Vec::new() };
    let Some(columns) = table.columns(records.next(), sites) else { return Ranges::default() };
    let mut builder = RangesBuilder::new();
    let mut starts = Vec::new();
    for record in records {
        let start = record.position().map_or(0, csv::Position::byte);
        match row(&record, &columns) {
            Ok((network, latencies)) => match builder.add_network(network, latencies) {
                Ok(()) => starts.push(start),
                Err(error) => table.wrong.push((start, Wrong::of(NETWORK, error))),
            },
            Err(wrong) => table.wrong.push((start, wrong)),
        }
    }
    match builder.build(Overlapping::NarrowestWins, Adjacent::Apart) {
        Ok(ranges) if table.wrong.is_empty() => return ranges,
        Ok(_) => {}
        // Networks overlap only where they are equal or one lies in the other, which is no mistake.
        Err(overlaps) => {
            for it in overlaps {
                let rows = starts.get(it.first.index).zip(starts.get(it.second.index));
                let Some((first, second)) = rows else { continue };
                let found = format!("the network of {}", it.second);
                let wrong =
                    Wrong { found: Some(found), twice: Some(*first), ..Wrong::of(NETWORK, "") };
                table.wrong.push((*second, wrong));
            }
        }
    }
    table.complain();
    Ranges::default()
}

/// A table that is read.
struct Table<'a> {
    path: &'a Path,
    text: &'a str,
    log: &'a Log,
    /// By where the row begins in the text.
    wrong: Vec<(u64, Wrong)>,
}

/// What is wrong with a row.
struct Wrong {
    column: String,
    found: Option<String>,
    message: String,
    /// Where the row begins that says the same; its line is only counted if it is told.
    twice: Option<u64>,
}

impl Wrong {
    fn of(column: &str, message: impl ToString) -> Self {
        Self { column: column.to_owned(), found: None, message: message.to_string(), twice: None }
    }

    fn found(self, found: &str) -> Self {
        let found: String = found.escape_debug().take(60).collect();
        Self { found: Some(format!("\"{found}\"")), ..self }
    }
}

impl Table<'_> {
    /// The sites of the first row, which is wrong if there is none.
    fn columns(
        &mut self,
        header: Option<csv::StringRecord>,
        sites: Option<&HashMap<Ident, Place>>,
    ) -> Option<Arc<[Ident]>> {
        let header = header.unwrap_or_default();
        let mut columns: Vec<Ident> = Vec::new();
        let mut wrong = Vec::new();
        let first = header.get(0).unwrap_or_default();
        if first != NETWORK || header.len() < 2 || header.len() > usize::from(u16::MAX) {
            let message = "write a first row such as `network,seattle,orlando`: the networks' column, and one for each site";
            wrong.push(Wrong::of("", message));
        }
        for name in header.iter().skip(1) {
            let found = |message: String| Wrong::of(name, message);
            match (name.parse::<Ident>(), sites) {
                (Err(error), _) => wrong.push(found(format!("as a site's name, {error}"))),
                (Ok(site), _) if columns.contains(&site) => {
                    wrong.push(found("has two columns; keep one of them".to_owned()));
                }
                (Ok(site), Some(sites)) if !sites.contains_key(&site) => {
                    wrong.push(found(no_such_site(&site, sites)));
                }
                (Ok(site), _) => columns.push(site),
            }
        }
        let start = header.position().map_or(0, csv::Position::byte);
        let is_right = wrong.is_empty();
        self.wrong.extend(wrong.into_iter().map(|it| (start, it)));
        if !is_right {
            self.complain();
        }
        is_right.then(|| columns.into())
    }

    /// Tells what is wrong, from the top of the file.
    fn complain(&mut self) {
        self.wrong.sort_by_key(|it| it.0);
        for (start, wrong) in self.wrong.iter().take(SHOWN) {
            let again = wrong.twice.map(|first| twice(&self.place(first)));
            let message = again.as_deref().unwrap_or(&wrong.message);
            let problem = Problem::at(&self.place(*start), wrong.column.as_str(), message);
            self.log.error(Problem { found: wrong.found.clone(), ..problem });
        }
        if let Some((start, _)) = self.wrong.get(SHOWN) {
            let more = self.wrong.len() - SHOWN;
            let message = format!("and {more} more mistakes from here on");
            self.log.error(Problem::at(&self.place(*start), "", message));
        }
    }

    /// The line of a row. Where it begins for the reader, comments and empty lines may still come before it.
    fn place(&self, start: u64) -> Place {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let (before, from) = self.text.split_at_checked(start).unwrap_or((self.text, ""));
        let is_row = |it: &&str| !it.trim_end_matches('\r').is_empty() && !it.starts_with('#');
        let skipped = from.split('\n').position(|it| is_row(&it)).unwrap_or(0);
        let line = before.bytes().filter(|it| *it == b'\n').count() + skipped + 1;
        Place { file: self.path.into(), line: Some(line) }
    }
}

/// What to say about a site that doesn't exist.
pub(super) fn no_such_site(site: &Ident, sites: &HashMap<Ident, Place>) -> String {
    match nearest(site.as_str(), sites.keys().map(Ident::as_str)) {
        Some(near) => format!("no such site; did you mean \"{near}\"?"),
        None => "no such site; add a `[[site]]` with this name, or name another".to_owned(),
    }
}

fn row(record: &csv::StringRecord, columns: &Arc<[Ident]>) -> Result<(IpNet, Latencies), Wrong> {
    let text = record.get(0).unwrap_or_default();
    let network = parse_network(text).map_err(|error| {
        let message = format!("{error}; write a network such as 192.0.2.0/24 or 2001:db8::/32");
        Wrong::of(NETWORK, message).found(text)
    })?;
    let (found, wanted) = (record.len(), columns.len() + 1);
    if found != wanted {
        let message = format!(
            "has {found} cells; write {wanted}, as in the first row, with nothing where milliseconds are not known"
        );
        return Err(Wrong::of("", message).found(text));
    }
    let mut cells = Vec::with_capacity(columns.len());
    for (site, text) in columns.iter().zip(record.iter().skip(1)) {
        let wrong = || Wrong::of(site.as_str(), MILLISECONDS).found(text);
        cells.push(if text.is_empty() {
            None
        } else {
            Some(milliseconds(text).ok_or_else(wrong)?)
        });
    }
    let latencies = Latencies::new(columns.clone(), &cells);
    Ok((network, latencies.ok_or_else(|| Wrong::of("", MILLISECONDS).found(text))?))
}

/// A decimal without sign or exponent.
fn milliseconds(text: &str) -> Option<f32> {
    let is_decimal = text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    text.parse::<f32>().ok().filter(|it| is_decimal && it.is_finite())
}
