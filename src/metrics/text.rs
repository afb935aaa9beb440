//! Prometheus's text format, version 0.0.4, written piece by piece: whoever scrapes a large configuration gets a stream, and
//! nothing ever holds all of it.

use std::fmt::{Display, Write};

/// What kind of metric a family is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A number that only grows; its name ends in `_total`.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
}

/// The name of a family and what goes before its samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// A piece of the text, which begins and ends between two lines.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, head: Head) -> Samples<'_> {
        let Head { name, kind, help } = head;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        self.more(head)
    }

    /// Goes on with a family that has begun.
    pub(super) fn more(&mut self, head: Head) -> Samples<'_> {
        Samples { text: self, name: head.name }
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Display) {
        self.family(Head { name, kind: Kind::Gauge, help }).add(&[], value);
    }

    /// A counter without labels.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, value: impl Display) {
        self.family(Head { name, kind: Kind::Counter, help }).add(&[], value);
    }

    /// How long it is, in octets.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What was written.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn push(&mut self, text: impl Display) {
        // A string takes everything.
        let _ = write!(self.0, "{text}");
    }

    fn push_escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                _ => self.0.push(character),
            }
        }
    }
}

impl From<String> for Text {
    /// What somebody else wrote.
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The samples of one family.
pub(super) struct Samples<'t> {
    text: &'t mut Text,
    name: &'static str,
}

impl Samples<'_> {
    /// A sample, with its labels' names and values.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, value);
    }

    /// All of a histogram without labels. `buckets` are cumulative, and the last one is above every bound.
    pub(super) fn histogram(&mut self, bounds: &[f64], buckets: &[u64], sum: f64) {
        for (bound, count) in bounds.iter().zip(buckets) {
            self.line("_bucket", &[("le", &bound.to_string())], count);
        }
        let all = buckets.last().copied().unwrap_or_default();
        self.line("_bucket", &[("le", "+Inf")], all);
        self.line("_sum", &[], sum);
        self.line("_count", &[], all);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.0.push_str(self.name);
        self.text.0.push_str(suffix);
        for (at, (name, value)) in labels.iter().enumerate() {
            self.text.0.push(if at == 0 { '{' } else { ',' });
            self.text.0.push_str(name);
            self.text.0.push_str("=\"");
            self.text.push_escaped(value);
            self.text.0.push('"');
        }
        self.text.0.push_str(if labels.is_empty() { " " } else { "} " });
        self.text.push(value);
        self.text.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_reads_as_prometheus_wants_it() {
        let mut text = Text::default();
        let head = Head { name: "a_total", kind: Kind::Counter, help: "What." };
        text.family(head).add(&[("x", r#"a\.b"#), ("y", "\"\n")], 3_u64);
        text.more(head).add(&[], 0.25);
        text.gauge("b", "That.", 1e-7);
        let head = Head { name: "c", kind: Kind::Histogram, help: "How long." };
        text.family(head).histogram(&[0.000_001, 0.5], &[1, 2, 4], 7.5);
        let expected = r#"# HELP a_total What.
# TYPE a_total counter
a_total{x="a\\.b",y="\"\n"} 3
a_total 0.25
# HELP b That.
# TYPE b gauge
b 0.0000001
# HELP c How long.
# TYPE c histogram
c_bucket{le="0.000001"} 1
c_bucket{le="0.5"} 2
c_bucket{le="+Inf"} 4
c_sum 7.5
c_count 4
"#;
        assert_eq!(text.into_string(), expected);
    }
}
