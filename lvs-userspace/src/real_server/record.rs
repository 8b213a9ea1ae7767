//! What `up` changed, on disk before it changes it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::Step;
use super::vip::Vip;
use crate::netns::NetnsIdentity;

const VERSION: u32 = 1;

/// What `up` was asked for and what it changed for that, in one network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    namespace: NetnsIdentity,
    /// The VIPs that `up` was asked for, also those that were there.
    pub vips: Vec<Vip>,
    /// The changes in the order in which they are made.
    pub steps: Vec<Step>,
}

impl Record {
    /// A record of nothing.
    #[must_use]
    pub const fn new(namespace: NetnsIdentity) -> Self {
        Self { version: VERSION, namespace, vips: Vec::new(), steps: Vec::new() }
    }

    /// The record once these VIPs are asked for and these steps are planned. What is remembered of an
    /// earlier `up` stays: a setting's original value is the one that was found first.
    #[must_use]
    pub fn with(&self, vips: &[Vip], steps: &[Step]) -> Self {
        let mut record = self.clone();
        record.vips.extend(vips.iter().filter(|vip| !self.vips.contains(vip)));
        record.steps.extend(steps.iter().filter(|step| !self.covers(step)));
        record
    }

    /// Whether a step of the same object is recorded.
    #[must_use]
    pub fn covers(&self, step: &Step) -> bool {
        self.steps.iter().any(|recorded| match (recorded, step) {
            (Step::Set { setting: a, .. }, Step::Set { setting: b, .. }) => a == b,
            (Step::AddAddress { vip: a }, Step::AddAddress { vip: b }) => a == b,
            (Step::Set { .. }, Step::AddAddress { .. }) | (Step::AddAddress { .. }, Step::Set { .. }) => {
                false
            }
        })
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.vips.is_empty() && self.steps.is_empty()
    }
}

/// Where the record of one network namespace is kept.
#[derive(Debug)]
pub struct RecordFile {
    folder: PathBuf,
    namespace: NetnsIdentity,
}

/// What lies where the record is kept.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored {
    /// Nothing.
    Nothing,
    /// The record of this namespace.
    Record(Record),
    /// A record of an earlier boot: what it tells of is gone.
    OtherBoot,
    /// Something else, or half of it.
    Unusable {
        /// What is wrong with it.
        why: String,
    },
}

/// The record could not be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("can't {operation} {}", path.display())]
pub struct RecordError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl RecordFile {
    /// The record of a namespace in a folder, which need not exist.
    #[must_use]
    pub const fn new(folder: PathBuf, namespace: NetnsIdentity) -> Self {
        Self { folder, namespace }
    }

    /// An empty record of this file's namespace.
    #[must_use]
    pub fn empty(&self) -> Record {
        Record::new(self.namespace.clone())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("real-server-{}.json", self.namespace.cookie))
    }

    /// Waits until no other process changes a record in the folder; they can when the result is dropped.
    ///
    /// # Errors
    /// When the folder can't be made or the lock file can't be opened.
    pub fn lock(&self) -> Result<File, RecordError> {
        fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        let path = self.folder.join("real-server.lock");
        let lock = File::create(&path).map_err(failed("create", &path))?;
        lock.lock().map_err(failed("lock", &path))?;
        Ok(lock)
    }

    /// Reads what is there and judges it.
    ///
    /// # Errors
    /// When there is a file that can't be read.
    pub fn load(&self) -> Result<Stored, RecordError> {
        let path = self.path();
        match fs::read(&path) {
            Ok(bytes) => Ok(self.judge(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stored::Nothing),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    fn judge(&self, bytes: &[u8]) -> Stored {
        let record: Record = match serde_json::from_slice(bytes) {
            Ok(record) => record,
            Err(error) => return Stored::Unusable { why: error.to_string() },
        };
        if record.version != VERSION {
            return Stored::Unusable { why: format!("version {}, not {VERSION}", record.version) };
        }
        if record.namespace.boot_id != self.namespace.boot_id {
            return Stored::OtherBoot;
        }
        if record.namespace.cookie != self.namespace.cookie {
            let why = format!("it is of the network namespace {}", record.namespace.cookie);
            return Stored::Unusable { why };
        }
        Stored::Record(record)
    }

    /// Keeps the record: once this returns, it outlives a crash; until then, what was there does.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn save(&self, record: &Record) -> Result<(), RecordError> {
        let path = self.path();
        let draft = path.with_extension("json.new");
        write_through(&draft, record).map_err(failed("write", &draft))?;
        fs::rename(&draft, &path).map_err(failed("replace", &path))?;
        self.sync_folder()
    }

    /// Removes the record if there is one.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(&self) -> Result<(), RecordError> {
        let path = self.path();
        match fs::remove_file(&path) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("remove", &path)(error)),
        }
    }

    /// Renames what is there, so that neither it nor what was set aside before is lost; tells the new name.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn set_aside(&self) -> Result<PathBuf, RecordError> {
        let path = self.path();
        let aside = (1_u32..)
            .map(|number| path.with_extension(format!("json.set-aside-{number}")))
            .find(|name| !name.exists())
            .unwrap_or_else(|| path.with_extension("json.set-aside"));
        fs::rename(&path, &aside).map_err(failed("rename", &path))?;
        self.sync_folder()?;
        Ok(aside)
    }

    fn sync_folder(&self) -> Result<(), RecordError> {
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", &self.folder))
    }
}

fn write_through(path: &Path, record: &Record) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&serde_json::to_vec_pretty(record)?)?;
    file.sync_all()
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError { operation, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real_server::setting::Setting;

    fn namespace(cookie: u64, boot_id: &str) -> NetnsIdentity {
        NetnsIdentity { cookie, boot_id: boot_id.to_owned() }
    }

    fn example() -> (tempfile::TempDir, RecordFile, Record) {
        let folder = tempfile::tempdir().unwrap();
        let file = RecordFile::new(folder.path().to_owned(), namespace(7, "this boot"));
        let vip = "172.30.100.1".parse().unwrap();
        let steps =
            [Step::Set { setting: Setting::AllArpIgnore, found: 0, value: 1 }, Step::AddAddress { vip }];
        let record = file.empty().with(&[vip], &steps);
        (folder, file, record)
    }

    fn is_unusable(stored: &Stored) -> bool {
        matches!(stored, Stored::Unusable { .. })
    }

    #[test]
    fn what_is_saved_is_loaded_until_it_is_removed() {
        let (_folder, file, record) = example();
        assert_eq!(file.load().unwrap(), Stored::Nothing);
        file.save(&record).unwrap();
        assert_eq!(file.load().unwrap(), Stored::Record(record));
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(file.load().unwrap(), Stored::Nothing);
    }

    #[test]
    fn a_record_torn_at_any_byte_is_unusable() {
        let (_folder, file, record) = example();
        file.save(&record).unwrap();
        let whole = fs::read(file.path()).unwrap();
        for length in 0..whole.len() {
            fs::write(file.path(), &whole[..length]).unwrap();
            assert!(is_unusable(&file.load().unwrap()), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_crash_while_saving_leaves_the_record_before() {
        let (_folder, file, record) = example();
        file.save(&record).unwrap();
        fs::write(file.path().with_extension("json.new"), "{\"version\":").unwrap();
        assert_eq!(file.load().unwrap(), Stored::Record(record.clone()));
        file.save(&record).unwrap();
        assert_eq!(file.load().unwrap(), Stored::Record(record));
    }

    #[test]
    fn a_record_of_another_boot_namespace_version_or_setting_is_not_used() {
        let (folder, file, record) = example();
        file.save(&record).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();

        let rebooted = RecordFile::new(folder.path().to_owned(), namespace(7, "next boot"));
        assert_eq!(rebooted.load().unwrap(), Stored::OtherBoot);
        for (from, to) in [
            ("\"cookie\": 7", "\"cookie\": 8"),
            ("\"version\": 1", "\"version\": 2"),
            ("all.arp_ignore", "all.forwarding"),
            ("172.30.100.1", "224.0.0.1"),
            ("\"vips\"", "\"more\": 1, \"vips\""),
        ] {
            assert_ne!(text.replace(from, to), text, "{from} is in the record");
            fs::write(file.path(), text.replace(from, to)).unwrap();
            assert!(is_unusable(&file.load().unwrap()), "{to}");
        }
    }

    #[test]
    fn what_is_set_aside_is_kept_each_time() {
        let (_folder, file, _) = example();
        for content in ["first", "second"] {
            fs::write(file.path(), content).unwrap();
            let aside = file.set_aside().unwrap();
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
        }
        assert_eq!(file.load().unwrap(), Stored::Nothing);
    }

    #[test]
    fn the_value_found_first_is_the_one_remembered() {
        let (_folder, _, record) = example();
        let again = [Step::Set { setting: Setting::AllArpIgnore, found: 3, value: 1 }];
        assert_eq!(record.with(&record.vips, &again), record);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let (folder, _, _) = example();
        let obstacle = folder.path().join("file");
        fs::write(&obstacle, "").unwrap();
        let error = RecordFile::new(obstacle.join("run"), namespace(7, "this boot")).lock().unwrap_err();
        assert!(error.to_string().starts_with("can't create /"), "{error}");
    }
}
