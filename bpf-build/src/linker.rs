use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Folders, Missing};

/// The version of `bpf-linker` that is installed where none fits; older ones don't know the options that are
/// used.
pub const LINKER_VERSION: &str = "0.13.0";

const OLDEST: (u32, u32) = (0, 13);

/// A `bpf-linker` that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linker {
    path: PathBuf,
}

impl Linker {
    /// The first that fits on `PATH`, else the workspace's own.
    ///
    /// # Errors
    /// [`Missing::Linker`] when none runs, or all that run are too old.
    pub fn find(folders: &Folders) -> Result<Self, Missing> {
        let path = env::var_os("PATH").unwrap_or_default();
        let own = folders.tools().join("bin");
        let first = env::split_paths(&path).chain([own]).find_map(|folder| Self::probe(&folder));
        first.ok_or(Missing::Linker)
    }

    fn probe(folder: &Path) -> Option<Self> {
        let path = folder.join("bpf-linker");
        let output = path.is_file().then(|| Command::new(&path).arg("--version").output().ok())??;
        let version = version(&String::from_utf8_lossy(&output.stdout))?;
        (output.status.success() && version >= OLDEST).then_some(Self { path })
    }

    /// The program.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads `bpf-linker 0.13.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("bpf-linker ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn folder_with_linker(script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bpf-linker");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    #[test]
    fn the_version_is_read_from_what_the_linker_prints() {
        assert_eq!(version("bpf-linker 0.13.0\n"), Some((0, 13)));
        assert_eq!(version("bpf-linker 1.2.3-rc.1"), Some((1, 2)));
        assert_eq!(version("GNU ld 2.40"), None);
    }

    #[test]
    fn a_linker_fits_when_it_runs_and_is_not_too_old() {
        let fits = |script| Linker::probe(folder_with_linker(script).path()).is_some();
        assert!(fits("echo bpf-linker 0.13.0"));
        assert!(fits("echo bpf-linker 1.0.0"));
        assert!(!fits("echo bpf-linker 0.12.9"));
        assert!(!fits("echo bpf-linker 0.13.0; exit 127"));
    }
}
