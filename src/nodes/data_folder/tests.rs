use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::stores::Storage;

/// A folder that is gone at the end of a test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sibcheck-data-folder-{}-{count}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// All files with their bytes.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }

    fn take(&self) -> Result<DataFolder, FolderError> {
        DataFolder::take(&self.0, STORE)
    }

    fn open(&self) -> Result<Records<String, u32>, FolderError> {
        self.take()?.open(&"n1".into(), &cluster(3))
    }

    /// What a node would find.
    fn found(&self) -> Result<Vec<(String, u32)>, FolderError> {
        let mut found = Vec::new();
        self.open()?.recover(&mut |records| found.extend(records))?;
        Ok(found)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const STORE: StoreName = StoreName::Dotted;

fn cluster(nodes: u32) -> Vec<Actor> {
    (1..=nodes).map(|node| format!("n{node}").into()).collect()
}

fn dynamo(quorums: &str) -> StoreName {
    format!("dynamo:{quorums}").parse().unwrap()
}

fn record(place: &str, record: u32) -> (String, u32) {
    (place.to_owned(), record)
}

#[test]
fn what_was_synced_is_found_and_the_rest_is_not() {
    let scratch = Scratch::new();
    assert_eq!(scratch.found().unwrap(), []);
    let mut records = scratch.open().unwrap();
    for (place, value) in [("b", 1), ("a", 1), ("c", 1), ("a", 2)] {
        records.write(place.to_owned(), value).unwrap();
    }
    records.remove("c".to_owned()).unwrap();
    records.sync().unwrap();
    records.write("d".to_owned(), 3).unwrap();
    records.remove("b".to_owned()).unwrap();
    drop(records);
    assert_eq!(scratch.found().unwrap(), [record("a", 2), record("b", 1)]);
}

#[test]
fn a_sync_writes_nothing_where_nothing_is_to_be_written() {
    let scratch = Scratch::new();
    let mut records = scratch.open().unwrap();
    records.write("a".to_owned(), 1).unwrap();
    records.sync().unwrap();
    let before = scratch.files();
    records.sync().unwrap();
    assert!(before == scratch.files());
    records.write("a".to_owned(), 1).unwrap();
    records.sync().unwrap();
    assert!(before != scratch.files());
}

#[test]
fn a_folder_of_another_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let store = dynamo("3-2-2");
    let open = |store, name: &str, cluster: &[Actor]| {
        let folder = DataFolder::take(&scratch.0, store)?;
        folder.open::<String, u32>(&name.into(), cluster).map(drop)
    };
    open(store, "n1", &cluster(3)).unwrap();
    let before = scratch.files();
    let mut turned = cluster(3);
    turned.swap(0, 1);
    let blank = [Actor::from("n1"), "n2 n3".into()];
    for (store, name, cluster, told) in [
        (StoreName::Dotted, "n1", cluster(3), "the store dynamo"),
        (dynamo("3-1-1"), "n1", cluster(3), "the quorums 3-2-2"),
        (
            "faulty:counter-lost".parse().unwrap(),
            "n1",
            cluster(3),
            "the store dynamo",
        ),
        (store, "n2", cluster(3), "the node n1"),
        (store, "n1", cluster(4), "the cluster n1 n2 n3"),
        (store, "n1", turned, "the cluster n1 n2 n3"),
        (store, "n1", blank.to_vec(), "the header"),
    ] {
        let error = open(store, name, &cluster).unwrap_err();
        assert!(
            matches!(error.fault, FolderFault::Foreign { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(told), "{error}");
        assert!(before == scratch.files(), "{error}");
    }
    open(store, "n1", &cluster(3)).unwrap();
}

#[test]
fn a_folder_of_another_version_is_refused() {
    let scratch = Scratch::new();
    scratch.open().unwrap();
    let path = scratch.0.join(HEADER);
    // What else it says is for that version to know.
    fs::write(&path, r#"{"sibcheck_node_format":2,"disks":[]}"#).unwrap();
    let before = scratch.files();
    let error = scratch.take().unwrap_err();
    assert!(
        matches!(error.fault, FolderFault::Version { theirs: 2, .. }),
        "{error}"
    );
    assert!(before == scratch.files());
}

#[test]
fn a_folder_in_use_is_refused() {
    let scratch = Scratch::new();
    let records = scratch.open().unwrap();
    let error = scratch.take().unwrap_err();
    assert!(matches!(error.fault, FolderFault::InUse), "{error}");
    drop(records);
    scratch.open().unwrap();
}

#[test]
fn missing_or_unreadable_files_are_damage() {
    for (file, content) in [
        (HEADER, None),
        (RECORDS, None),
        (HEADER, Some("")),
        (HEADER, Some("{\"sibcheck_node_format\":1}")),
        (HEADER, Some("\u{7}[")),
        (RECORDS, Some("")),
        (RECORDS, Some("nonsense")),
    ] {
        let scratch = Scratch::new();
        scratch.open().unwrap();
        let path = scratch.0.join(file);
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        let before = scratch.files();
        let error = scratch.found().unwrap_err();
        assert!(
            matches!(error.fault, FolderFault::Damaged { file: damaged, .. } if damaged == file),
            "{file} {content:?}: {error}"
        );
        assert!(before == scratch.files(), "{file} {content:?}");
    }
}

/// A bit that is wrong is noticed wherever it counts, and nothing that was acknowledged is missing where it
/// does not.
#[test]
fn a_damaged_file_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().unwrap();
    for number in 0..60 {
        writer.write(format!("{number:0100}"), number).unwrap();
    }
    writer.sync().unwrap();
    drop(writer);
    let path = scratch.0.join(RECORDS);
    let good = fs::read(&path).unwrap();
    let used: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
    let (mut refused, mut harmless) = (0, 0);
    for at in used.iter().copied().step_by(used.len() / 60) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        match scratch.found() {
            Ok(found) => {
                assert_eq!(found.len(), 60, "byte {at}");
                harmless += 1;
            }
            Err(error) => {
                assert!(fs::read(&path).unwrap() == bad, "byte {at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "{refused} refused, {harmless} harmless");
    for length in [0, 1, 4_096, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let error = scratch.found().unwrap_err();
        assert!(
            matches!(error.fault, FolderFault::Damaged { .. }),
            "{length} bytes: {error}"
        );
        assert_eq!(fs::metadata(&path).unwrap().len(), length as u64);
    }
}

#[test]
fn a_start_that_was_cut_short_begins_anew() {
    // Before the header was there, and after.
    for after in [false, true] {
        let scratch = Scratch::new();
        scratch.open().unwrap();
        fs::rename(scratch.0.join(RECORDS), scratch.0.join(NEW_RECORDS)).unwrap();
        if !after {
            fs::remove_file(scratch.0.join(HEADER)).unwrap();
            fs::write(scratch.0.join(NEW_RECORDS), "half").unwrap();
        }
        assert_eq!(scratch.found().unwrap(), []);
    }
}

#[test]
fn what_cannot_be_a_folder_is_refused() {
    let scratch = Scratch::new();
    fs::write(&scratch.0, "a file").unwrap();
    let error = scratch.take().unwrap_err();
    assert!(matches!(error.fault, FolderFault::Failed { .. }), "{error}");
    fs::remove_file(&scratch.0).unwrap();
}
