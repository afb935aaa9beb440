use std::sync::Arc;

use crate::model::{Geography, Timestamp};

/// What is to be in force: what was read, but where its database could not be, the database that was in force before.
pub(super) fn in_force(read: &Geography, before: &Geography, now: Timestamp) -> Arc<Geography> {
    let mut geography = read.clone();
    let Some(file) = &mut geography.database_file else { return Arc::new(geography) };
    match (&file.error, &before.database_file) {
        (None, former) => {
            let same = former.as_ref().filter(|it| it.digest == file.digest);
            file.loaded = same.and_then(|it| it.loaded).or(Some(now));
        }
        (Some(_), Some(former)) => {
            (file.digest, file.built, file.loaded) = (former.digest, former.built, former.loaded);
            geography.database = before.database.clone();
        }
        (Some(_), None) => {}
    }
    Arc::new(geography)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::model::{
        Adjacent, DatabaseFile, DefaultLocation, Overlapping, Point, RangesBuilder, Spot,
    };

    fn read(built: Option<i64>, error: Option<&str>) -> Geography {
        let mut spots = RangesBuilder::new();
        if built.is_some() {
            let spot = Spot { region: "US".parse().ok(), point: None };
            spots.add_network("192.0.2.0/24".parse().unwrap(), spot).unwrap();
        }
        let spots = spots.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap();
        let (path, error) = (PathBuf::from("geo.mmdb"), error.map(str::to_owned));
        let (digest, built) = (built.map(i64::unsigned_abs), built.map(Timestamp));
        let file = DatabaseFile { path, digest, built, loaded: None, error };
        Geography { database: Arc::new(spots), database_file: Some(file), ..Geography::default() }
    }

    fn state(geography: &Geography) -> (Option<i64>, Option<i64>, bool, usize) {
        let file = geography.database_file.as_ref().unwrap();
        let time = |it: Option<Timestamp>| it.map(|it| it.0);
        (time(file.built), time(file.loaded), file.error.is_some(), geography.database.len())
    }

    #[test]
    fn a_database_that_cannot_be_read_leaves_the_one_before_in_force() {
        let none = Geography::default();
        let bad = in_force(&read(None, Some("damaged")), &none, Timestamp(1));
        assert_eq!(state(&bad), (None, None, true, 0));
        let good = in_force(&read(Some(70), None), &bad, Timestamp(2));
        assert_eq!(state(&good), (Some(70), Some(2), false, 1));
        let point = Point::new(1.0, 2.0).map(DefaultLocation::Point);
        let broken = Geography { location_default: point.clone(), ..read(None, Some("damaged")) };
        let kept = in_force(&broken, &good, Timestamp(3));
        assert_eq!(state(&kept), (Some(70), Some(2), true, 1));
        assert_eq!(kept.location_default, point, "everything else is taken");
        assert!(Arc::ptr_eq(&kept.database, &good.database));
        let again = in_force(&read(Some(70), None), &kept, Timestamp(4));
        assert_eq!(state(&again), (Some(70), Some(2), false, 1), "it has been in force since then");
        let newer = in_force(&read(Some(80), None), &kept, Timestamp(5));
        assert_eq!(state(&newer), (Some(80), Some(5), false, 1));
        assert!(in_force(&none, &newer, Timestamp(6)).database.is_empty());
    }
}
