//! Metric families made at the moment of a scrape, from state that is kept elsewhere.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

/// A metric of one name, with a sample for each combination of labels.
pub(super) struct Family {
    family: MetricFamily,
    labels: &'static [&'static str],
    is_counter: bool,
    samples: Vec<Metric>,
}

impl Family {
    /// A number that only grows; its name ends in `_total`.
    pub(super) fn counter(name: &str, help: &str, labels: &'static [&'static str]) -> Self {
        Self::new(name, help, labels, MetricType::COUNTER)
    }

    /// A number that goes up and down.
    pub(super) fn gauge(name: &str, help: &str, labels: &'static [&'static str]) -> Self {
        Self::new(name, help, labels, MetricType::GAUGE)
    }

    fn new(name: &str, help: &str, labels: &'static [&'static str], kind: MetricType) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Self { family, labels, is_counter: kind == MetricType::COUNTER, samples: Vec::new() }
    }

    /// Adds a sample; `values` are its labels', in the order of their names.
    pub(super) fn add(&mut self, values: &[&str], value: f64) {
        let mut metric = Metric::from_label(pairs(self.labels, values));
        if self.is_counter {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.samples.push(metric);
    }

    /// The family, unless it has no sample.
    pub(super) fn finish(mut self) -> Option<MetricFamily> {
        self.family.set_metric(self.samples);
        (!self.family.get_metric().is_empty()).then_some(self.family)
    }
}

fn pairs(names: &[&str], values: &[&str]) -> Vec<LabelPair> {
    let pair = |(name, value): (&&str, &&str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    names.iter().zip(values).map(pair).collect()
}

/// A histogram without labels. `buckets` are cumulative, and the last one is above every bound.
pub(super) fn histogram(
    name: &str,
    help: &str,
    bounds: &[f64],
    buckets: &[u64],
    sum: f64,
) -> MetricFamily {
    let bucket = |(bound, count): (&f64, &u64)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(*count);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(bounds.iter().zip(buckets).map(bucket).collect());
    histogram.set_sample_count(buckets.last().copied().unwrap_or_default());
    histogram.set_sample_sum(sum);
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(MetricType::HISTOGRAM);
    family.set_metric(vec![metric]);
    family
}
