use super::text::{Head, Kind, Text};
use crate::model::{Geography, Timestamp};

/// Writes how the geo database is doing; no samples where none is configured.
pub(super) fn write(geography: &Geography, out: &mut Text) {
    let file = geography.database_file.as_ref();
    let mut gauge = |name, help, value: Option<f64>| {
        let mut samples = out.family(Head { name, kind: Kind::Gauge, help });
        value.into_iter().for_each(|it| samples.add(&[], it));
    };
    let seconds = |it: Timestamp| it.0 as f64 / 1000.0;
    gauge(
        "farol_geo_database_load_success",
        "Whether the geo database could be read when it was read last (1) or not (0).",
        file.map(|it| f64::from(u8::from(it.error.is_none()))),
    );
    gauge(
        "farol_geo_database_build_timestamp_seconds",
        "When the geo database in force was built, in seconds since 1970.",
        file.and_then(|it| it.built).map(seconds),
    );
    gauge(
        "farol_geo_database_loaded_timestamp_seconds",
        "When the geo database in force was read, in seconds since 1970.",
        file.and_then(|it| it.loaded).map(seconds),
    );
}
