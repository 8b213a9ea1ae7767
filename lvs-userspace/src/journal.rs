//! A journal: what was changed on this host, written down before the change, so that it can be undone by the next
//! process when this one is killed.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::netns::{NetnsError, NetnsIdentity};

/// A journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A step with the file failed.
    #[error("cannot {operation} journal {path:?}: {cause}")]
    File {
        /// The step.
        operation: &'static str,
        /// The journal's file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is not known whose journal it would be.
    #[error(transparent)]
    Netns(#[from] NetnsError),
}

/// What lies at a journal's path.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// Written in this network namespace since the last boot.
    Found(T),
    /// Nothing.
    Absent,
    /// A journal from before the last boot: what it describes went with the kernel.
    OtherBoot,
    /// Torn, foreign or of another network namespace.
    Unusable {
        /// What is wrong with it.
        reason: String,
    },
}

/// A journal that could not be used and is out of the way now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discarded {
    /// Of an earlier boot: removed.
    OtherBoot {
        /// Where it was.
        path: PathBuf,
    },
    /// Torn or foreign: kept under another name.
    SetAside {
        /// Where it was.
        path: PathBuf,
        /// What was wrong with it.
        reason: String,
        /// Where it is now.
        aside: PathBuf,
    },
}

/// A file that holds one `T`: always a whole one, the former or the latter, however the process ends.
#[derive(Debug)]
pub struct Journal<T> {
    path: PathBuf,
    kind: &'static str,
    namespace: NetnsIdentity,
    content: PhantomData<fn(&T) -> T>,
}

/// What the file says besides the content: kernel state belongs to one boot and one network namespace.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<T> {
    journal: String,
    namespace: NetnsIdentity,
    content: T,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// A network namespace's journal at `path`. `kind` names its content and format, for example `vips-1`: a file of
    /// another kind is not read.
    #[must_use]
    pub const fn new(path: PathBuf, kind: &'static str, namespace: NetnsIdentity) -> Self {
        Self { path, kind, namespace, content: PhantomData }
    }

    /// A journal of the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// The namespace can't be identified.
    pub fn here(path: PathBuf, kind: &'static str) -> Result<Self, JournalError> {
        Ok(Self::new(path, kind, NetnsIdentity::current()?))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process has the journal's folder locked; they wait until the result is dropped. A folder
    /// that is missing is made.
    ///
    /// # Errors
    ///
    /// The folder can't be made or locked.
    pub fn lock(&self) -> Result<File, JournalError> {
        fs::create_dir_all(self.folder()).map_err(|error| self.failed("create the folder of", error))?;
        let folder = File::open(self.folder());
        let locked = folder.and_then(|folder| folder.lock().map(|()| folder));
        locked.map_err(|error| self.failed("lock the folder of", error))
    }

    /// Reads the journal and changes nothing.
    ///
    /// # Errors
    ///
    /// The file exists but can't be read.
    pub fn load(&self) -> Result<Loaded<T>, JournalError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(self.open(&bytes).unwrap_or_else(|reason| Loaded::Unusable { reason })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Loaded::Absent),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    /// Reads the journal to go on from it. One that can't be used is moved out of the way.
    ///
    /// # Errors
    ///
    /// The file exists but can't be read, removed or set aside.
    pub fn recover(&self) -> Result<(Option<T>, Option<Discarded>), JournalError> {
        let path = self.path.clone();
        match self.load()? {
            Loaded::Found(content) => Ok((Some(content), None)),
            Loaded::Absent => Ok((None, None)),
            Loaded::OtherBoot => {
                self.remove()?;
                Ok((None, Some(Discarded::OtherBoot { path })))
            }
            Loaded::Unusable { reason } => {
                let aside = self.set_aside()?;
                Ok((None, Some(Discarded::SetAside { path, reason, aside })))
            }
        }
    }

    /// Replaces the journal's content. When this returns, it is on the disk.
    ///
    /// # Errors
    ///
    /// The file or its folder can't be written. The former content is still there.
    pub fn store(&self, content: &T) -> Result<(), JournalError> {
        let sealed = Sealed { journal: self.kind.to_owned(), namespace: self.namespace.clone(), content };
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

    /// What the file holds, or what is wrong with it.
    fn open(&self, bytes: &[u8]) -> Result<Loaded<T>, String> {
        let sealed = serde_json::from_slice::<Sealed<serde_json::Value>>(bytes)
            .map_err(|error| format!("it is torn or not a journal: {error}"))?;
        if sealed.journal != self.kind {
            return Err(format!("it is a journal of kind {:?}, not {:?}", sealed.journal, self.kind));
        }
        if sealed.namespace.boot_id != self.namespace.boot_id {
            return Ok(Loaded::OtherBoot);
        }
        let (written_in, here) = (sealed.namespace.cookie, self.namespace.cookie);
        if written_in != here {
            return Err(format!("it was written in network namespace {written_in}, not {here}"));
        }
        serde_json::from_value(sealed.content)
            .map(Loaded::Found)
            .map_err(|error| format!("its content: {error}"))
    }

    fn set_aside(&self) -> Result<PathBuf, JournalError> {
        let numbered = (1_u32..).map(|number| self.beside(&format!(".set-aside-{number}")));
        let mut free = numbered.skip_while(|name| name.exists());
        let aside = free.next().unwrap_or_else(|| self.beside(".set-aside"));
        fs::rename(&self.path, &aside).map_err(|error| self.failed("set aside", error))?;
        self.sync_folder()?;
        Ok(aside)
    }

    fn sync_folder(&self) -> Result<(), JournalError> {
        let folder = File::open(self.folder());
        folder.and_then(|folder| folder.sync_all()).map_err(|error| self.failed("sync the folder of", error))
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(suffix);
        name.into()
    }

    fn failed(&self, operation: &'static str, cause: io::Error) -> JournalError {
        JournalError::File { operation, path: self.path.clone(), cause }
    }
}

/// Readable for everyone: it tells no secret, and who checks a host need not be root.
fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherBoot { path } => write!(
                f,
                "the journal {} is of an earlier boot, and what it tells of went with that: removed",
                path.display()
            ),
            Self::SetAside { path, reason, aside } => write!(
                f,
                "the journal {} can't be used ({reason}): set aside as {}, nothing in it was undone",
                path.display(),
                aside.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests;
