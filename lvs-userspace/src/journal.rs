//! A journal: what was changed on this host, written down before the change, so that it can be undone by the next
//! process when this one is killed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} journal {path:?}: {source}")]
pub struct JournalError {
    /// The step that failed.
    pub operation: &'static str,
    /// The journal's file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What was found at a journal's path.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// Written in this network namespace since the last boot.
    Found(T),
    /// Nothing, or a journal from before the last boot: what it describes went with the kernel.
    Absent,
    /// Torn, foreign or from another network namespace. It was renamed and nothing of it was used.
    SetAside {
        /// Its new name.
        moved_to: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A file that holds one `T`: always a whole one, the former or the latter, however the process ends.
#[derive(Debug)]
pub struct Journal<T> {
    path: PathBuf,
    kind: &'static str,
    content: PhantomData<fn(&T) -> T>,
}

/// What the file says besides the content: kernel state belongs to one boot and one network namespace.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    journal: String,
    boot: String,
    network_namespace: u64,
    content: T,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// A journal at `path`. `kind` names its content and format, for example `vips-1`: a file of another kind is
    /// not read.
    #[must_use]
    pub fn new(path: PathBuf, kind: &'static str) -> Self {
        Self { path, kind, content: PhantomData }
    }

    /// Reads the journal.
    ///
    /// # Errors
    ///
    /// The file exists but can't be read, or can't be set aside.
    pub fn load(&self) -> Result<Loaded<T>, JournalError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Absent),
            Err(error) => return Err(self.failed("read", error)),
        };
        let (boot, network_namespace) = self.here()?;
        match self.open(&bytes, &boot, network_namespace) {
            Ok(Some(content)) => Ok(Loaded::Found(content)),
            Ok(None) => Ok(Loaded::Absent),
            Err(reason) => self.set_aside(reason),
        }
    }

    /// Replaces the journal's content. When this returns, it is on the disk.
    ///
    /// # Errors
    ///
    /// The file or its folder can't be written. The former content is still there.
    pub fn store(&self, content: &T) -> Result<(), JournalError> {
        let (boot, network_namespace) = self.here()?;
        let sealed = Sealed { journal: self.kind.to_owned(), boot, network_namespace, content };
        let text = serde_json::to_vec_pretty(&sealed).map_err(|error| self.failed("encode", error.into()))?;
        let next = self.beside(".new");
        write_synced(&next, &text).map_err(|error| self.failed("write", error))?;
        fs::rename(&next, &self.path).map_err(|error| self.failed("replace", error))?;
        self.sync_folder()
    }

    /// Removes the journal. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// The file can't be removed.
    pub fn remove(&self) -> Result<(), JournalError> {
        match fs::remove_file(&self.path) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.failed("remove", error)),
        }
    }

    /// The content, none of an earlier boot, or what is wrong with the file.
    fn open(&self, bytes: &[u8], boot: &str, network_namespace: u64) -> Result<Option<T>, String> {
        let sealed = serde_json::from_slice::<Sealed<serde_json::Value>>(bytes)
            .map_err(|error| format!("it is torn or not a journal: {error}"))?;
        if sealed.journal != self.kind {
            return Err(format!("it is a journal of kind {:?}, not {:?}", sealed.journal, self.kind));
        }
        if sealed.boot != boot {
            return Ok(None);
        }
        let written_in = sealed.network_namespace;
        if written_in != network_namespace {
            return Err(format!("it was written in network namespace {written_in}, not {network_namespace}"));
        }
        serde_json::from_value(sealed.content).map(Some).map_err(|error| format!("its content: {error}"))
    }

    fn set_aside(&self, reason: String) -> Result<Loaded<T>, JournalError> {
        let moved_to = self.free_name_beside();
        fs::rename(&self.path, &moved_to).map_err(|error| self.failed("set aside", error))?;
        Ok(Loaded::SetAside { moved_to, reason })
    }

    fn free_name_beside(&self) -> PathBuf {
        let numbered = (2_u32..).map(|number| self.beside(&format!(".rejected-{number}")));
        std::iter::once(self.beside(".rejected"))
            .chain(numbered)
            .find(|name| !name.exists())
            .unwrap_or_else(|| self.beside(".rejected"))
    }

    fn here(&self) -> Result<(String, u64), JournalError> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_err(|error| self.failed("read the boot id for", error))?;
        let namespace = fs::metadata("/proc/thread-self/ns/net")
            .map_err(|error| self.failed("read the network namespace for", error))?;
        Ok((boot.trim().to_owned(), namespace.ino()))
    }

    fn sync_folder(&self) -> Result<(), JournalError> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| self.failed("sync", error))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(suffix);
        name.into()
    }

    fn failed(&self, operation: &'static str, source: io::Error) -> JournalError {
        JournalError { operation, path: self.path.clone(), source }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(folder: &tempfile::TempDir) -> Journal<Vec<String>> {
        Journal::new(folder.path().join("journal.json"), "words-1")
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn words() -> Vec<String> {
        vec!["one".into(), "two".into()]
    }

    fn reason(journal: &Journal<Vec<String>>) -> String {
        match journal.load().unwrap() {
            Loaded::SetAside { moved_to, reason } => {
                assert!(moved_to.exists() && !journal.path.exists());
                reason
            }
            other => panic!("not set aside but {other:?}"),
        }
    }

    #[test]
    fn what_was_stored_is_loaded_and_nothing_else_is_left() {
        let folder = folder();
        let journal = journal(&folder);
        assert_eq!(journal.load().unwrap(), Loaded::Absent);
        journal.store(&vec!["former".into()]).unwrap();
        journal.store(&words()).unwrap();
        assert_eq!(journal.load().unwrap(), Loaded::Found(words()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn removing_twice_is_no_error() {
        let folder = folder();
        let journal = journal(&folder);
        journal.store(&words()).unwrap();
        journal.remove().unwrap();
        journal.remove().unwrap();
        assert_eq!(journal.load().unwrap(), Loaded::Absent);
    }

    #[test]
    fn a_journal_torn_at_any_byte_is_set_aside() {
        let folder = folder();
        let journal = journal(&folder);
        journal.store(&words()).unwrap();
        let whole = fs::read(&journal.path).unwrap();
        for length in 0..whole.len() {
            fs::write(&journal.path, whole.get(..length).unwrap()).unwrap();
            assert!(reason(&journal).starts_with("it is torn"), "cut after {length} bytes");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), whole.len());
    }

    #[test]
    fn a_journal_of_another_kind_is_set_aside() {
        let folder = folder();
        let journal = journal(&folder);
        Journal::<u32>::new(journal.path.clone(), "numbers-1").store(&7).unwrap();
        assert_eq!(reason(&journal), r#"it is a journal of kind "numbers-1", not "words-1""#);
    }

    fn rewrite(journal: &Journal<Vec<String>>, key: &str, value: serde_json::Value) {
        journal.store(&words()).unwrap();
        let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&journal.path).unwrap()).unwrap();
        text.as_object_mut().unwrap().insert(key.into(), value);
        fs::write(&journal.path, text.to_string()).unwrap();
    }

    #[test]
    fn a_journal_from_before_the_last_boot_describes_nothing() {
        let folder = folder();
        let journal = journal(&folder);
        rewrite(&journal, "boot", "another".into());
        assert_eq!(journal.load().unwrap(), Loaded::Absent);
    }

    #[test]
    fn a_journal_of_another_network_namespace_or_content_is_set_aside() {
        let folder = folder();
        let journal = journal(&folder);
        rewrite(&journal, "network_namespace", 1.into());
        assert!(reason(&journal).starts_with("it was written in network namespace 1"));
        rewrite(&journal, "content", 5.into());
        assert!(reason(&journal).starts_with("its content"));
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = folder();
        let journal = Journal::<u32>::new(folder.path().join("absent/journal.json"), "numbers-1");
        let error = journal.store(&1).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot write journal") && error.contains("absent/journal.json"),
            "{error}"
        );
    }
}
