//! Removal of labs whose process can't do it itself: it has crashed, or has kept the lab and gone.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::name::{LabName, abandoned};
use super::namespace::{self, Namespace};

/// The labs' folders are here: root's own, so that no one else can put something in their place.
const FOLDERS: &str = "/run/lvs-lab";

/// Where the lab of this name keeps its files.
pub(super) fn folder_of(name: &LabName) -> PathBuf {
    Path::new(FOLDERS).join(name.to_string())
}

/// Makes the folder of a lab.
pub(super) fn create_folder(name: &LabName) -> Result<tempfile::TempDir> {
    fs::create_dir_all(FOLDERS).context(format!("create {FOLDERS}"))?;
    let name = name.to_string();
    let folder = tempfile::Builder::new().rand_bytes(0).prefix(&name).tempdir_in(FOLDERS);
    folder.with_context(|| format!("the lab {name} seems to stand already; remove it first"))
}

/// Removes every lab whose process is dead, with the processes in it. Building a lab calls this.
///
/// # Errors
/// When one of them can't be removed.
pub fn remove_stale() -> Result<()> {
    let mut names: Vec<String> = namespace::all_names()?;
    names.extend(folder_names()?);
    let labs: BTreeSet<LabName> = names.iter().filter_map(|name| abandoned(name)).collect();
    labs.iter().try_for_each(|lab| remove(lab).map(|_| ()))
}

/// Removes the lab called `name` with everything in it, and says whether there was anything.
pub(super) fn remove(name: &LabName) -> Result<bool> {
    let mut found = false;
    for namespace in namespace::all_names()?.into_iter().filter(|namespace| name.owns(namespace)) {
        // Another process may be removing the same lab.
        if let Ok(namespace) = Namespace::open(&namespace) {
            found = true;
            drop(namespace);
        }
    }
    match fs::remove_dir_all(folder_of(name)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(found),
        Err(error) => Err(error).with_context(|| format!("remove {}", folder_of(name).display())),
    }
}

fn folder_names() -> Result<Vec<String>> {
    match fs::read_dir(FOLDERS) {
        Ok(entries) => Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).context(format!("list {FOLDERS}")),
    }
}
