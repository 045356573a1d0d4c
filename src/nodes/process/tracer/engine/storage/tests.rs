//! Against plain states of a folder, and against a naive model.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::PathBuf,
};

use super::Storage;
use crate::{
    choices::{Choices, SeededChoices},
    simulation::Purpose,
};

/// A folder on a storage of its own.
struct Disk {
    folder: PathBuf,
    storage: Option<Storage>,
}

impl Disk {
    fn new(name: &str) -> Self {
        let name = format!("sibcheck-storage-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("data")).unwrap();
        let mut disk = Self {
            folder,
            storage: None,
        };
        disk.start();
        disk
    }

    fn start(&mut self) {
        self.storage = None;
        let storage = Storage::begin(&self.at(""), self.folder.join("copies"));
        self.storage = Some(storage.unwrap());
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    fn storage(&mut self) -> &mut Storage {
        self.storage.as_mut().unwrap()
    }

    fn append(&self, name: &str, text: &str) {
        let options = OpenOptions::new().append(true).create(true).clone();
        let mut file = options.open(self.at(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    fn sync(&mut self, name: &str) {
        let file = File::open(self.at(name)).unwrap();
        self.storage().sync(file);
        assert_eq!(self.storage().unknown(), None);
    }

    /// Loses power, and starts again; returns what is there then.
    fn lose_power(&mut self, keeps_names: bool) -> BTreeMap<String, String> {
        self.storage().lose_power(keeps_names).unwrap();
        let there = self.there();
        self.start();
        there
    }

    /// The text in each file, by its path.
    fn there(&self) -> BTreeMap<String, String> {
        let mut there = BTreeMap::new();
        let mut left = vec![self.at("")];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path.clone());
                }
                let name = path.strip_prefix(self.at("")).unwrap();
                let text = fs::read_to_string(&path).unwrap_or_else(|_| "a folder".to_owned());
                there.insert(name.to_string_lossy().into_owned(), text);
            }
        }
        there
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.storage = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn there(texts: &[(&str, &str)]) -> BTreeMap<String, String> {
    let texts = texts.iter();
    texts
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn a_file_has_what_it_had_when_it_was_synced() {
    for keeps_names in [false, true] {
        let mut disk = Disk::new(&format!("content-{keeps_names}"));
        disk.append("log", "one ");
        disk.sync("log");
        disk.append("log", "two ");
        disk.append("new", "never synced");
        let left = disk.lose_power(keeps_names);
        let log = ("log", "one ");
        if keeps_names {
            assert_eq!(left, there(&[log, ("new", "")]));
        } else {
            assert_eq!(left, there(&[log]));
        }
    }
}

#[test]
fn a_file_that_takes_the_place_of_another_without_a_sync_is_empty_or_never_did() {
    for (synced, keeps_names, left) in [
        (false, false, "old"),
        (false, true, ""),
        (true, false, "old"),
        (true, true, "new"),
    ] {
        let mut disk = Disk::new(&format!("replaced-{synced}-{keeps_names}"));
        disk.append("all", "old");
        disk.sync("all");
        disk.append("all.new", "new");
        if synced {
            disk.sync("all.new");
        }
        disk.rename("all.new", "all");
        let found = disk.lose_power(keeps_names);
        assert_eq!(found["all"], left, "{synced} {keeps_names}");
        // The sync of the new file made its first name durable.
        let first_name = found.contains_key("all.new");
        assert_eq!(first_name, synced && !keeps_names);
    }
}

#[test]
fn a_sync_of_the_folder_makes_names_durable() {
    let mut disk = Disk::new("names");
    disk.append("all", "old");
    disk.sync("all");
    disk.append("all.new", "new");
    disk.sync("all.new");
    disk.rename("all.new", "all");
    disk.sync("");
    assert_eq!(disk.lose_power(false), there(&[("all", "new")]));
    // What was removed comes back, and what was written to it is gone.
    disk.append("all", " newer");
    fs::remove_file(disk.at("all")).unwrap();
    assert_eq!(disk.lose_power(false), there(&[("all", "new")]));
    fs::remove_file(disk.at("all")).unwrap();
    disk.sync("");
    assert_eq!(disk.lose_power(false), there(&[]));
}

#[test]
fn folders_and_links_are_names_too() {
    let mut disk = Disk::new("folders");
    fs::create_dir(disk.at("a")).unwrap();
    disk.append("a/x", "x");
    fs::hard_link(disk.at("a/x"), disk.at("y")).unwrap();
    symlink("y", disk.at("z")).unwrap();
    disk.sync("a/x");
    let synced = disk.there();
    assert_eq!(synced.len(), 4);
    fs::remove_file(disk.at("z")).unwrap();
    fs::remove_dir_all(disk.at("a")).unwrap();
    disk.append("a", "a file now");
    disk.append("y", " and more");
    assert_eq!(disk.lose_power(false), synced);
    // Both names still are of one file.
    disk.append("y", "!");
    assert_eq!(disk.there()["a/x"], "x!");
}

#[test]
fn a_number_that_is_given_again_is_another_file() {
    let mut disk = Disk::new("numbers");
    for round in 0..20 {
        disk.append("old", "old");
        disk.sync("old");
        fs::remove_file(disk.at("old")).unwrap();
        disk.append("new", &format!("new {round}"));
        let left = disk.lose_power(true);
        assert_eq!(left, there(&[("new", "")]));
        fs::remove_file(disk.at("new")).unwrap();
    }
}

#[test]
fn a_file_that_is_synced_before_it_has_a_name_keeps_what_it_has() {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use std::os::fd::AsRawFd;
    let mut disk = Disk::new("nameless");
    let flags = OFlags::TMPFILE | OFlags::RDWR;
    let Ok(file) = open(disk.at(""), flags, Mode::from_raw_mode(0o600)) else {
        println!("skipped: the file system has no files without a name");
        return;
    };
    let mut file = File::from(file);
    file.write_all(b"text").unwrap();
    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    disk.storage().sync(File::open(&source).unwrap());
    // As another file is synced it is not forgotten.
    disk.append("other", "");
    disk.sync("other");
    let name = disk.at("named");
    linkat(CWD, source, CWD, name, AtFlags::SYMLINK_FOLLOW).unwrap();
    disk.sync("");
    let left = disk.lose_power(false);
    assert_eq!(left, there(&[("named", "text"), ("other", "")]));
}

#[test]
fn large_files_with_holes_are_kept_as_they_are() {
    use std::os::unix::fs::FileExt;
    let mut disk = Disk::new("holes");
    let options = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .clone();
    let file = options.open(disk.at("large")).unwrap();
    let length = 1 << 30;
    file.set_len(length).unwrap();
    for at in [0, 5 << 20, length - 3] {
        file.write_all_at(b"abc", at).unwrap();
    }
    disk.sync("large");
    file.write_all_at(b"xyz", 5 << 20).unwrap();
    file.set_len(10).unwrap();
    disk.storage().lose_power(true).unwrap();
    let mut read = [0; 3];
    for at in [0, 5 << 20, length - 3] {
        file.read_exact_at(&mut read, at).unwrap();
        assert_eq!(&read, b"abc", "{at}");
    }
    let used = std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()) * 512;
    assert!(used < 16 << 20, "{used}");
}

#[test]
fn of_what_is_not_known_nothing_is_lost() {
    let mut disk = Disk::new("unknown");
    disk.append("log", "one");
    disk.storage().lose_sight("a test".to_owned());
    assert_eq!(disk.storage().lose_power(false).unwrap(), None);
    assert_eq!(disk.there(), there(&[("log", "one")]));
}

#[test]
fn what_was_set_back_is_counted() {
    let mut disk = Disk::new("counted");
    disk.append("log", "one");
    disk.append("other", "one");
    disk.sync("log");
    disk.sync("other");
    assert_eq!(disk.storage().lose_power(false).unwrap(), Some(0));
    disk.start();
    disk.append("log", "two");
    disk.append("new", "");
    assert_eq!(disk.storage().lose_power(false).unwrap(), Some(2));
}

/// A folder by the definition: files have numbers that are never given again.
#[derive(Clone, Default)]
struct Model {
    names: BTreeMap<String, usize>,
    texts: Vec<String>,
    synced_names: BTreeMap<String, usize>,
    synced_texts: BTreeMap<usize, String>,
}

impl Model {
    fn sync_names(&mut self) {
        self.synced_names = self.names.clone();
    }

    fn after_power_loss(&self, keeps_names: bool) -> BTreeMap<String, String> {
        let names = if keeps_names {
            &self.names
        } else {
            &self.synced_names
        };
        let text = |file| self.synced_texts.get(file).cloned().unwrap_or_default();
        names
            .iter()
            .map(|(name, file)| (name.clone(), text(file)))
            .collect()
    }
}

/// Does something to the folder, and the same to the model.
fn act(disk: &mut Disk, model: &mut Model, choices: &mut SeededChoices) {
    let mut below = |bound| choices.below(Purpose::Operations, bound);
    let name = format!("f{}", below(4));
    let other = format!("f{}", below(4));
    let (what, text) = (below(9), below(1_000).to_string());
    let Some(&file) = model.names.get(&name) else {
        disk.append(&name, &text);
        model.names.insert(name, model.texts.len());
        return model.texts.push(text);
    };
    match what {
        0..=2 => {
            disk.append(&name, &text);
            model.texts[file] += &text;
        }
        3 => {
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(disk.at(&name))
                .unwrap();
            model.texts[file].clear();
        }
        4 => {
            disk.rename(&name, &other);
            // Two names of one file both stay.
            if model.names.get(&other) != Some(&file) {
                model.names.remove(&name);
                model.names.insert(other, file);
            }
        }
        5 => {
            fs::remove_file(disk.at(&name)).unwrap();
            model.names.remove(&name);
        }
        6 if !model.names.contains_key(&other) => {
            fs::hard_link(disk.at(&name), disk.at(&other)).unwrap();
            model.names.insert(other, file);
        }
        6 => {
            disk.sync("");
            model.sync_names();
        }
        _ => {
            disk.sync(&name);
            model.synced_texts.insert(file, model.texts[file].clone());
            model.sync_names();
        }
    }
}

#[test]
fn it_agrees_with_the_model() {
    let mut lost = 0;
    for seed in 0..60 {
        let mut choices = SeededChoices::new(seed);
        let mut disk = Disk::new("model");
        let mut model = Model::default();
        for _ in 0..4 {
            for _ in 0..choices.below(Purpose::Operations, 25) {
                act(&mut disk, &mut model, &mut choices);
            }
            let keeps_names = choices.percent(Purpose::Operations, 50);
            let should = model.after_power_loss(keeps_names);
            lost += u32::from(should != disk.there());
            assert_eq!(disk.lose_power(keeps_names), should, "seed {seed}");
            // The next life begins with what is there. Names of one file stay so.
            if !keeps_names {
                model.names = model.synced_names.clone();
            }
            for (name, file) in &model.names {
                model.texts[*file].clone_from(&should[name]);
            }
            let texts = model.names.values();
            let texts = texts.map(|file| (*file, model.texts[*file].clone()));
            model.synced_texts = texts.collect();
            model.sync_names();
        }
    }
    assert!(lost > 100, "{lost}");
}
